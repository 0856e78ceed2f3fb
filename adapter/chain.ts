/**
 * A legacy LangChain implementation as a function that records what it did.
 *
 * The user's code is not changed. Tool and model calls are caught where LangChain itself makes them,
 * so arguments are the parsed ones and results are the raw ones. Tool names are the author's.
 */
import type { Effect } from "../core/effect.ts";
import type { JsonValue } from "../core/json.ts";
import type { FreeArguments, ToolCall } from "../core/ledger.ts";
import type { MemoryRead } from "../core/memory.ts";
import type { ModelCall, ModelSharing } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
import type { RunConfig } from "../core/run-config.ts";

/**
 * How tools and models inside the chain behave.
 *
 * `live`: they run, and are recorded. `recorded`: nothing but a read may run; a call is answered
 * from `recording` by the ledger's rule, a write without a record throws `EFFECT_REFUSED`, a read
 * without one runs when `reads` is `live`, is answered by `reads` when that is a function, and throws
 * `READ_UNRECORDED` otherwise. A model call is
 * answered from `modelRecording` when the canonical request matches; one that does not runs, unless
 * `models` is `recorded`: then it throws `MODEL_UNRECORDED`. The chain's memory is as `memory` says
 * and as this run changes it; what it writes is gone with the run. A read that `memory` does not
 * hold runs when `reads` is `live`.
 */
export type ChainTools =
  | { mode: "live" }
  | {
      mode: "recorded";
      recording: readonly ToolCall[];
      /** Arguments in which a write may differ from its record, by the author's tool name. */
      free?: FreeArguments;
      reads: "recorded" | "live" | AnswerRead;
      modelRecording?: readonly ModelCall[];
      /** Default `live`. */
      models?: "recorded" | "live";
      memory?: readonly MemoryRead[];
    };

/** Answers a read of a tool, by the author's name. */
export type AnswerRead = (tool: string, args: JsonValue) => Promise<JsonValue>;

export interface ChainOptions {
  tools: ChainTools;
  /** Of the trigger; a function of the user's gets it as its second argument, or as `config`. */
  config?: RunConfig;
  /** Declared effects by the author's tool name; undeclared means `write`. */
  effects: Readonly<Record<string, Effect>>;
  signal?: AbortSignal;
  /** Afterwards the outcome is `timed_out`; the chain's own work may go on. */
  timeoutMs?: number;
}

export interface BatchOptions extends ChainOptions {
  /** Runs at the same time. Default 8. */
  maxConcurrency?: number;
}

export interface ChainRun {
  outcome: Outcome;
  /** The outcome's value lost information when it became JSON. */
  lossy: boolean;
  /** In the order the calls started. */
  calls: ToolCall[];
  /** In the order the calls started. */
  modelCalls: ModelCall[];
  /** Absent without model calls. */
  models?: ModelSharing;
  /** What a live run read from its memory, what a recorded one was refused; absent without any. */
  memory?: MemoryRead[];
  durationMs: number;
}

/** Chunks as the chain makes them; returns the run that `invoke` would have given. */
export type ChainStream = AsyncGenerator<JsonValue, ChainRun, void>;

export interface LegacyChain {
  /** Starts what a first call would wait for; absent where there is nothing to start. */
  prepare?(): Promise<void>;
  /** Never rejects for what the chain does: a throw is an outcome. */
  invoke(input: JsonValue, options: ChainOptions): Promise<ChainRun>;
  /** Leaving the stream early cancels the chain. A reader that waits makes the chain wait. */
  stream(input: JsonValue, options: ChainOptions): ChainStream;
  /** One run per input; the limits are those of each run. Never rejects for one of them. */
  batch(inputs: readonly JsonValue[], options: BatchOptions): Promise<ChainRun[]>;
  close(): Promise<void>;
}
