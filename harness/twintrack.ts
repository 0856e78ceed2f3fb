/** Everything of one process put together: the live path, and behind it the loops. */
import { join } from "node:path";
import { TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import type { Side } from "../core/trigger.ts";
import { type KeyBook, openKeyBook } from "./access/key-book.ts";
import { openBacklog } from "./backlog.ts";
import { type ResolvedConfig, resolveConfig, type TwintrackConfig } from "./config.ts";
import { openLedger } from "./ledger.ts";
import { type Answer, type Live, openLive, type RunRequest } from "./live.ts";
import { type Loops, startLoops } from "./loops.ts";
import { privacyOf } from "./privacy/privacy.ts";
import { openSides, type Sides } from "./side.ts";
import { openSpool, type Spool } from "./spool.ts";
import { openStageBook, type StageBook } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { openTap, type Tap } from "./tap.ts";

export interface Status {
  answered: number;
  refused: number;
  /** Runs of services that are only tapped. */
  tapped: number;
  database: { kind: "postgres" | "pglite"; ready: boolean; problem?: string };
  spool: { problem?: string };
  /** `judged`: trials that this process judged. */
  shadow: { pid?: number; paused: boolean; judged: number; problem?: string };
}

/** One process's harness; the CLI, the server and the library all stand on it. */
export interface Harness {
  readonly config: ResolvedConfig;
  readonly sides: Sides;
  readonly stages: StageBook;
  readonly keys: KeyBook;
  readonly live: Live;
  readonly tap: Tap;
  /** The database, once it answers. Rejects with the reason while it does not. */
  database(): Promise<Database>;
  status(): Status;
  /** Ships what is spooled and judges until nothing is open. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  /** Judges trials itself; default true. Without it, others have to. */
  judges?: boolean;
  /**
   * Ships and judges in a thread of its own, for who answers much and long. Default false. A
   * configuration that no other process can load is judged in this thread all the same.
   */
  inThread?: boolean;
}

export function openHarness(
  config: ResolvedConfig,
  { judges = true, inThread = false }: HarnessOptions = {},
): Harness {
  if (process.env.TWINTRACK_ROLE === "shadow") {
    throw new TwintrackError(
      "EFFECT_REFUSED",
      "A shadow run started Twintrack itself; nested shadows are refused",
    );
  }
  const epoch = crypto.randomUUID();
  const sides = openSides(config);
  const stages = openStageBook(config);
  const keys = openKeyBook(config.dataDir);
  const privacy = privacyOf(config);
  privacy.prepare();
  const folder = join(config.dataDir, "spool");
  const spool = openSpool({ folder, epoch, limits: config.spool });
  const backlog = openBacklog(config, spool);
  const ledger = openLedger(config.dataDir, epoch, privacy.vault);
  const live = openLive({ sides, stages, spool, backlog, epoch, ledger, privacy });
  const tap = openTap({ sides, stages, spool, backlog, privacy });
  const loops = startLoops({ config, stages, keys, spool, backlog, judges, inThread });
  return {
    config,
    sides,
    stages,
    keys,
    live,
    tap,
    database: loops.desk,
    status: () => statusOf(config, { live, tap }, spool, stages, loops),
    settle: loops.settle,
    async close() {
      await loops.close();
      await sides.close().catch(() => undefined);
      spool.close();
    },
  };
}

function statusOf(
  config: ResolvedConfig,
  { live, tap }: Pick<Harness, "live" | "tap">,
  spool: Spool,
  stages: StageBook,
  loops: Loops,
): Status {
  const problems = loops.problems();
  const { mask } = privacyOf(config);
  const spoolProblem = spool.problem();
  const pid = loops.pid();
  return {
    ...live.counts(),
    ...tap.counts(),
    database: {
      kind: config.databaseUrl === undefined ? "pglite" : "postgres",
      ready: problems.database === undefined,
      ...(problems.database === undefined ? {} : { problem: mask.text(problems.database) }),
    },
    spool: spoolProblem === undefined ? {} : { problem: spoolProblem },
    shadow: {
      paused: stages.isPaused(),
      judged: loops.judged(),
      ...(pid === undefined ? {} : { pid }),
      ...(problems.shadow === undefined ? {} : { problem: mask.text(problems.shadow) }),
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
  const harness = openHarness(resolveConfig(config), { inThread: true });
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
