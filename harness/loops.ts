/**
 * What a process does beside answering: ships the spool, judges trials, follows the stages, and the
 * chores. Every loop survives a database that is away.
 */
import { messageOf } from "../core/error.ts";
import type { KeyBook } from "./access/key-book.ts";
import { pauseNoter } from "./audit/pause.ts";
import type { Backlog } from "./backlog.ts";
import type { ResolvedConfig } from "./config.ts";
import { privacyOf } from "./privacy/privacy.ts";
import { retentionChore } from "./privacy/retention.ts";
import { openShadowWorker, type ShadowWorker } from "./shadow.ts";
import type { ShadowHost } from "./shadow-host.ts";
import { openShipper, type Shipper } from "./shipper.ts";
import type { Spool } from "./spool.ts";
import type { StageBook } from "./stage.ts";
import { stageWatch } from "./stage-watch.ts";
import type { Database } from "./store/database.ts";
import { openJobs, type TrialJobs } from "./store/jobs.ts";
import { openDatabase, secondConnection } from "./store/open.ts";
import { makeWeeks } from "./store/weeks.ts";
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
const END_MS = 1_000;

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

interface Machinery {
  db: Database;
  /** For reports and commands: a slow question must not hold up what is shipped and judged. */
  desk: Database;
  jobs: TrialJobs;
  shipper: Shipper;
  drain: ShadowWorker["drain"];
}

export interface Loops {
  machinery(): Promise<Machinery>;
  problems: { database?: string; shadow?: string };
  /** Trials judged since the start. */
  judged(): number;
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface LoopParts {
  config: ResolvedConfig;
  stages: StageBook;
  keys: KeyBook;
  spool: Spool;
  backlog: Backlog;
  host: ShadowHost;
  judges: boolean;
}

export function startLoops(parts: LoopParts): Loops {
  const stop = new AbortController();
  const problems: Loops["problems"] = { database: "It has not answered yet" };
  let machinery: Promise<Machinery> | undefined;
  let opened: Machinery | undefined;
  const connected = (): Promise<Machinery> => {
    machinery ??= connect(parts).then((ready) => {
      opened = ready;
      return ready;
    });
    machinery.catch((error: unknown) => {
      problems.database = messageOf(error);
      machinery = undefined;
    });
    return machinery;
  };
  const bell = openBell();
  const notePause = pauseNoter(parts.stages);
  const ship = async () => {
    const { shipper } = await connected();
    if ((await shipper.ship()) > 0) bell.ring();
    delete problems.database;
  };
  // Apart from shipping, which does not end while more comes than it can carry.
  const follow = async () => {
    const { db } = await connected();
    await parts.stages.refresh(db);
    await notePause(db);
  };
  const recount = async () => parts.backlog.refresh((await connected()).db);
  // One at a time: who waits for everything to be judged must not overtake the loop that is at it.
  let pausing = new AbortController();
  let judged = 0;
  const judge = inTurn(async () => {
    const { drain } = await connected();
    const stopped = AbortSignal.any([stop.signal, pausing.signal]);
    if (parts.judges && !parts.stages.isPaused()) judged += await drain(stopped);
    delete problems.shadow;
  });
  // The kill switch stops what is under way as well, and the process in which it runs.
  const followSwitch = async () => {
    if (parts.stages.isPaused()) {
      pausing.abort();
      await parts.host.stop();
    } else if (pausing.signal.aborted) pausing = new AbortController();
  };
  const loops = [
    loop(stop.signal, ship, tick, (error) => {
      problems.database = messageOf(error);
    }),
    loop(stop.signal, judge, bell.heard, (error) => {
      problems.shadow = messageOf(error);
    }),
    every(FOLLOW_EVERY_MS, stop.signal, follow), // Who ships says what is wrong with the database.
    loop(stop.signal, followSwitch, tick, () => undefined),
    every(RECOUNT_EVERY_MS, stop.signal, recount),
    every(KEYS_EVERY_MS, stop.signal, async () => parts.keys.refresh((await connected()).db)),
    every(ROTATE_EVERY_MS, stop.signal, async () => parts.spool.rotate()),
    every(EXPIRE_EVERY_MS, stop.signal, async () => void parts.spool.expire()),
    ...chores.map(({ everyMs, run }) =>
      every(everyMs, stop.signal, async () => run((await connected()).db, parts.config)),
    ),
  ];
  const finish = async () => {
    await Promise.allSettled(loops);
    // What was answered last is shipped now; what cannot be shipped waits in the spool.
    parts.spool.rotate();
    await machinery?.catch(() => undefined);
    await opened?.shipper.ship().catch(() => 0);
  };
  return {
    machinery: connected,
    problems,
    judged: () => judged,
    async settle() {
      await ship();
      await follow();
      await recount();
      await judge();
    },
    async close() {
      stop.abort();
      await within(CLOSE_MS, finish());
      // What a worker leaves half done is its heirs', whether or not the database hears of it.
      if (opened) await within(END_MS, opened.jobs.close()).catch(() => undefined);
      await Promise.allSettled([opened?.db.close(), opened?.desk.close()]);
    },
  };
}

/** Calls of the returned function run one after the other, each of them. */
function inTurn(work: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
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

async function connect({ config, stages, spool, host }: LoopParts): Promise<Machinery> {
  const db = await openDatabase(config);
  // Who is ready knows the stages.
  const opening = stages.refresh(db).then(() => openJobs(db));
  const jobs = await opening.catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  const { vault } = privacyOf(config);
  const worker = openShadowWorker({ db, jobs, host, config });
  const desk = secondConnection(db, config);
  return { db, desk, jobs, shipper: openShipper({ db, jobs, spool, vault }), drain: worker.drain };
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

/** Repeats `work` until stopped, with `rest` in between; a failure is told and tried again later. */
async function loop(
  signal: AbortSignal,
  work: () => Promise<void>,
  rest: (signal: AbortSignal) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    const next = await work().then(
      () => rest,
      (error: unknown) => {
        onError(error);
        return (stopped: AbortSignal) => until(RECONNECT_MS, stopped);
      },
    );
    await next(signal);
  }
}
