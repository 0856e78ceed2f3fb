/**
 * Everything of one process put together: the live path, and behind it the loops that ship the
 * spool, judge trials and follow the stages. The loops survive a database that is away.
 */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { messageOf, TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import type { Side } from "../core/trigger.ts";
import { type ResolvedConfig, resolveConfig, type TwintrackConfig } from "./config.ts";
import { openLedger } from "./ledger.ts";
import { type Answer, type Live, openLive, type RunRequest } from "./live.ts";
import { openShadowWorker, type ShadowWorker } from "./shadow.ts";
import { childHost, inProcessHost, type ShadowHost } from "./shadow-host.ts";
import { openShipper, type Shipper } from "./shipper.ts";
import { openSides, type Sides } from "./side.ts";
import { openSpool, type Spool } from "./spool.ts";
import { openStageBook, type StageBook } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { openDatabase } from "./store/open.ts";
import { openTap, type Tap } from "./tap.ts";

const TICK_MS = 100;
const RECONNECT_MS = 1_000;
/** How long the end may wait for a database that does not answer. */
const CLOSE_MS = 5_000;

export interface Status {
  answered: number;
  refused: number;
  /** Runs of services that are only tapped. */
  tapped: number;
  database: { kind: "postgres" | "pglite"; ready: boolean; problem?: string };
  spool: { problem?: string };
  shadow: { pid?: number; paused: boolean; problem?: string };
}

/** One process's harness; the CLI, the server and the library all stand on it. */
export interface Harness {
  readonly config: ResolvedConfig;
  readonly sides: Sides;
  readonly stages: StageBook;
  readonly live: Live;
  readonly tap: Tap;
  /** The database, once it answers. Rejects with the reason while it does not. */
  database(): Promise<Database>;
  status(): Status;
  /** Ships what is spooled and judges until nothing is open. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface Machinery {
  db: Database;
  shipper: Shipper;
  drain: ShadowWorker["drain"];
}

export function openHarness(config: ResolvedConfig): Harness {
  if (process.env.TWINTRACK_ROLE === "shadow") {
    throw new TwintrackError(
      "EFFECT_REFUSED",
      "A shadow run started Twintrack itself; nested shadows are refused",
    );
  }
  const epoch = crypto.randomUUID();
  const sides = openSides(config);
  const stages = openStageBook(config);
  const spool = openSpool({ folder: join(config.dataDir, "spool"), epoch });
  const live = openLive({ sides, stages, spool, epoch, ledger: openLedger(config.dataDir, epoch) });
  const tap = openTap({ sides, stages, spool });
  const host =
    config.file === undefined ? inProcessHost(config) : childHost({ configFile: config.file });
  const loops = startLoops({ config, stages, spool, host });
  return {
    config,
    sides,
    stages,
    live,
    tap,
    database: async () => (await loops.machinery()).db,
    status: () => statusOf(config, { live, tap }, spool, host, stages, loops),
    settle: loops.settle,
    async close() {
      await loops.close();
      await Promise.allSettled([host.close(), sides.close()]);
      spool.close();
    },
  };
}

interface Loops {
  machinery(): Promise<Machinery>;
  problems: { database?: string; shadow?: string };
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface LoopParts {
  config: ResolvedConfig;
  stages: StageBook;
  spool: Spool;
  host: ShadowHost;
}

function startLoops(parts: LoopParts): Loops {
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
  const ship = async () => {
    const { db, shipper } = await connected();
    await shipper.ship();
    await parts.stages.refresh(db);
    delete problems.database;
  };
  // One at a time: who waits for everything to be judged must not overtake the loop that is at it.
  let pausing = new AbortController();
  const judge = inTurn(async () => {
    const { drain } = await connected();
    if (!parts.stages.isPaused()) await drain(AbortSignal.any([stop.signal, pausing.signal]));
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
    async settle() {
      await ship();
      await judge();
    },
    async close() {
      stop.abort();
      await within(CLOSE_MS, finish());
      await opened?.db.close();
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

async function connect({ config, spool, host }: LoopParts): Promise<Machinery> {
  const db = await openDatabase(config);
  const worker = openShadowWorker(db, host, config);
  return { db, shipper: openShipper({ db, spool }), drain: worker.drain };
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

function statusOf(
  config: ResolvedConfig,
  { live, tap }: Pick<Harness, "live" | "tap">,
  spool: Spool,
  host: ShadowHost,
  stages: StageBook,
  { problems }: Loops,
): Status {
  const spoolProblem = spool.problem();
  const pid = host.pid();
  return {
    ...live.counts(),
    ...tap.counts(),
    database: {
      kind: config.databaseUrl === undefined ? "pglite" : "postgres",
      ready: problems.database === undefined,
      ...(problems.database === undefined ? {} : { problem: problems.database }),
    },
    spool: spoolProblem === undefined ? {} : { problem: spoolProblem },
    shadow: {
      paused: stages.isPaused(),
      ...(pid === undefined ? {} : { pid }),
      ...(problems.shadow === undefined ? {} : { problem: problems.shadow }),
    },
  };
}

export interface Twintrack {
  /**
   * Runs a flow: the authoritative side answers, the other is compared later, elsewhere.
   *
   * @throws {TwintrackError} `LEGACY_FAILED` or `STEP_FAILED` with the side's own message when it
   *   threw, `TIMEOUT`, and what the door refuses (`FLOW_UNKNOWN`, `INPUT_INVALID`, …).
   */
  run(flow: string, input: unknown, options?: RunRequest): Promise<RunAnswer>;
  close(): Promise<void>;
}

export interface RunAnswer {
  output: JsonValue;
  metadata: { trial: string; trigger: string; side: Side; durationMs: number };
}

/** The dual run inside your own process. Give `file: import.meta.url` so that shadows get a process of their own. */
export function createTwintrack(config: TwintrackConfig): Twintrack {
  const harness = openHarness(resolveConfig(config));
  return {
    run: async (flow, input, options) =>
      outputOf(flow, await harness.live.answer(flow, input, options)),
    close: () => harness.close(),
  };
}

/** The answer's output, or its failure as an error. */
export function outputOf(flow: string, answer: Answer): RunAnswer {
  const { outcome, side, trialId, triggerId, durationMs } = answer;
  if (outcome.status === "returned") {
    return {
      output: outcome.value,
      metadata: { trial: trialId, trigger: triggerId, side, durationMs },
    };
  }
  if (outcome.status === "timed_out") {
    throw new TwintrackError(
      "TIMEOUT",
      `Flow "${flow}" (${side}) did not answer within ${outcome.afterMs} ms`,
    );
  }
  const { name, message, step } = outcome.error;
  const where = step === undefined ? side : `${side}, step "${step}"`;
  throw new TwintrackError(
    side === "legacy" ? "LEGACY_FAILED" : "STEP_FAILED",
    `Flow "${flow}" (${where}) failed: ${name}: ${message}`,
  );
}
