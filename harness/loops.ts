/**
 * What a process does beside answering: ships the spool, judges trials, follows the stages, and the
 * chores. Every loop survives a database that is away.
 */
import { messageOf } from "../core/error.ts";
import type { KeyBook } from "./access/key-book.ts";
import { pauseNoter } from "./audit/pause.ts";
import type { Backlog } from "./backlog.ts";
import type { Carrier } from "./carrier.ts";
import type { ResolvedConfig } from "./config.ts";
import {
  loader,
  type Machinery,
  type MachineryParts,
  openMachinery,
  reopened,
} from "./machinery.ts";
import { retentionChore } from "./privacy/retention.ts";
import type { Spool } from "./spool.ts";
import { stageWatch } from "./stage-watch.ts";
import type { Database } from "./store/database.ts";
import { makeWeeks } from "./store/weeks.ts";
import { openTurns } from "./turn.ts";
import { until, within } from "./wait.ts";

const TICK_MS = 100;
const RECONNECT_MS = 1_000;
/** A stage that somebody changed is followed within this. */
const FOLLOW_EVERY_MS = 250;
/** What others have shipped, or a worker has lost, is found within this; what is shipped here, at once. */
const LOOK_EVERY_MS = 1_000;
/** What comes in between is above the bound on open trials. */
const RECOUNT_EVERY_MS = 250;
/** A key that is revoked ends within this. */
const KEYS_EVERY_MS = 1_000;
/** What was shipped leaves the disk after this, however little is written. */
const ROTATE_EVERY_MS = 5 * 60_000;
const EXPIRE_EVERY_MS = 60_000;
/** How long the end may wait for a database that does not answer. */
const CLOSE_MS = 5_000;

/** Work that is due now and then, while the database answers; a failure waits for the next time. */
export interface Chore {
  everyMs: number;
  run(db: Database, config: ResolvedConfig): Promise<void>;
}

const weekChore: Chore = {
  everyMs: 60 * 60_000,
  run: async (db) => void (await makeWeeks(db, new Date())),
};

const chores: readonly Chore[] = [stageWatch, weekChore, retentionChore];

export interface Loops {
  /** For reports and commands; rejects with the reason while the database does not answer. */
  desk(): Promise<Database>;
  /** What keeps the database, and the shadow, from their work. */
  problems(): { database?: string | undefined; shadow?: string | undefined };
  /** Trials judged since the start. */
  judged(): number;
  /** Pid of the shadow process, while there is one. */
  pid(): number | undefined;
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface LoopParts extends MachineryParts {
  keys: KeyBook;
  spool: Spool;
  backlog: Backlog;
  judges: boolean;
}

export function startLoops(parts: LoopParts): Loops {
  const stop = new AbortController();
  const troubles = openTroubles();
  let opened: Machinery | undefined;
  let carrier: Carrier | undefined;
  const connecting = troubles.told("following", async () => {
    opened = await openMachinery(parts, (current) => {
      carrier = current;
    });
    return opened;
  });
  const connected = reopened(connecting);
  const bell = openBell();
  const notePause = pauseNoter(parts.stages);
  const load = loader(parts.spool);
  const shipping = troubles.told("shipping", async () => {
    const carrying = await (await connected()).carrier();
    if ((await load(carrying)) > 0) bell.ring();
  });
  const shippingTurn = openTurns();
  const ship = () => shippingTurn(shipping);
  // Apart from shipping, which takes long after an outage, and asks nothing of the database while
  // nothing comes.
  const follow = troubles.told("following", async () => {
    const { db } = await connected();
    await parts.stages.refresh(db);
    await notePause(db);
  });
  const recount = async () => parts.backlog.refresh((await connected()).db);
  let judged = 0;
  // One at a time: who waits for everything to be judged must not overtake the loop that is at it.
  const judging = troubles.told("judging", async () => {
    const carrying = await (await connected()).carrier();
    if (parts.judges && !parts.stages.isPaused() && !stop.signal.aborted)
      judged += await carrying.judge();
  });
  const judgingTurn = openTurns();
  const judge = () => judgingTurn(judging);
  // The kill switch stops what is under way as well, and the process in which it runs.
  const followSwitch = async () => {
    if (parts.stages.isPaused()) await carrier?.halt();
  };
  const loops = [
    loop(stop.signal, ship, tick),
    loop(stop.signal, judge, bell.heard),
    every(FOLLOW_EVERY_MS, stop.signal, follow),
    loop(stop.signal, followSwitch, tick),
    every(RECOUNT_EVERY_MS, stop.signal, recount),
    every(KEYS_EVERY_MS, stop.signal, async () => parts.keys.refresh((await connected()).db)),
    every(ROTATE_EVERY_MS, stop.signal, async () => parts.spool.rotate()),
    every(EXPIRE_EVERY_MS, stop.signal, async () => void parts.spool.expire()),
    ...chores.map(({ everyMs, run }) =>
      every(everyMs, stop.signal, async () => run((await connected()).db, parts.config)),
    ),
  ];
  const finish = async () => {
    await carrier?.halt().catch(() => undefined); // It may have been lost just now.
    await Promise.allSettled(loops);
    // What was answered last is shipped now; what cannot be shipped waits in the spool.
    parts.spool.rotate();
    if (carrier) await load(carrier).catch(() => 0);
  };
  return {
    desk: async () => (await connected()).desk,
    problems: () => ({
      database: troubles.of("shipping") ?? troubles.of("following"),
      shadow: troubles.of("judging"),
    }),
    judged: () => judged,
    pid: () => carrier?.pid(),
    async settle() {
      await ship();
      await follow();
      await recount();
      await judge();
    },
    async close() {
      stop.abort();
      await within(CLOSE_MS, finish());
      await carrier?.close();
      await Promise.allSettled([opened?.db.close(), opened?.desk.close()]);
    },
  };
}

/** Waits first: a process that lives shorter has no need of it. A failure waits for the next time. */
async function every(
  intervalMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await until(intervalMs, signal);
    if (!signal.aborted) await work().catch(() => undefined);
  }
}

const tick = (signal: AbortSignal) => until(TICK_MS, signal);

interface Bell {
  ring(): void;
  /** Waits until it rings, or as long as nobody needs to hear of what others did. */
  heard(signal: AbortSignal): Promise<void>;
}

function openBell(): Bell {
  let ringing = Promise.withResolvers<void>();
  return {
    ring: () => ringing.resolve(),
    async heard(signal) {
      await within(LOOK_EVERY_MS, ringing.promise, signal);
      ringing = Promise.withResolvers();
    },
  };
}

/** Repeats `work` until stopped, with `rest` in between; what failed is tried again later. */
async function loop(
  signal: AbortSignal,
  work: () => Promise<void>,
  rest: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    const next = await work().then(
      () => rest,
      () => (stopped: AbortSignal) => until(RECONNECT_MS, stopped),
    );
    await next(signal);
  }
}

type Task = "shipping" | "following" | "judging";

interface Troubles {
  /** Why the task failed when it was last tried. */
  of(task: Task): string | undefined;
  told<T>(task: Task, work: () => Promise<T>): () => Promise<T>;
}

function openTroubles(): Troubles {
  const troubles = new Map<Task, string>([["following", "The database has not answered yet"]]);
  return {
    of: (task) => troubles.get(task),
    told: (task, work) => async () => {
      try {
        const done = await work();
        troubles.delete(task);
        return done;
      } catch (error) {
        troubles.set(task, messageOf(error));
        throw error;
      }
    },
  };
}
