/**
 * What a process does beside answering: ships the spool, judges trials, follows the stages, and the
 * chores. Every loop survives a database that is away.
 */
import { setTimeout as pause } from "node:timers/promises";
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

const TICK_MS = 100;
const RECONNECT_MS = 1_000;
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

const chores: readonly Chore[] = [stageWatch, retentionChore];

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
  const notePause = pauseNoter(parts.stages);
  const ship = async () => {
    const { db, shipper } = await connected();
    await shipper.ship();
    await parts.stages.refresh(db);
    await notePause(db);
    await parts.backlog.refresh(db);
    delete problems.database;
  };
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
    loop(stop.signal, ship, (error) => {
      problems.database = messageOf(error);
    }),
    loop(stop.signal, judge, (error) => {
      problems.shadow = messageOf(error);
    }),
    loop(stop.signal, followSwitch, () => undefined),
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
      await judge();
    },
    async close() {
      stop.abort();
      await within(CLOSE_MS, finish());
      await opened?.jobs.close();
      await Promise.allSettled([opened?.db.close(), opened?.desk.close()]);
    },
  };
}

/** Waits for `work`, but no longer; it is then left to itself. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const ended = new AbortController();
  const limit = pause(limitMs, undefined, { signal: ended.signal }).catch(() => undefined);
  await Promise.race([work, limit]).finally(() => ended.abort());
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
    await pause(intervalMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) await work().catch(() => undefined);
  }
}

async function connect({ config, spool, host }: LoopParts): Promise<Machinery> {
  const db = await openDatabase(config);
  const jobs = await openJobs(db).catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  const { vault } = privacyOf(config);
  const worker = openShadowWorker({ db, jobs, host, config });
  const desk = secondConnection(db, config);
  return { db, desk, jobs, shipper: openShipper({ db, jobs, spool, vault }), drain: worker.drain };
}

/** Repeats `work` until stopped; a failure is told and tried again later. */
async function loop(
  signal: AbortSignal,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    const waitMs = await work().then(
      () => TICK_MS,
      (error: unknown) => {
        onError(error);
        return RECONNECT_MS;
      },
    );
    await pause(waitMs, undefined, { signal }).catch(() => undefined); // Stopping wakes it.
  }
}
