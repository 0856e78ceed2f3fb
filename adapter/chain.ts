/**
 * A legacy LangChain implementation as a function that records what it did.
 *
 * The user's code is not changed. Tool calls are caught where LangChain itself makes them, so
 * arguments are the parsed ones and results are the raw ones. Tool names are the author's.
 */
import type { Effect } from "../core/effect.ts";
import type { JsonValue } from "../core/json.ts";
import type { ToolCall } from "../core/ledger.ts";
import type { Outcome } from "../core/outcome.ts";

/**
 * How tools inside the chain behave.
 *
 * `live`: they run, and are recorded. `recorded`: nothing but a read may run; a call is answered
 * from `recording` by the ledger's rule, a write without a record throws `EFFECT_REFUSED`, a read
 * without one runs when `reads` is `live` and throws `READ_UNRECORDED` otherwise.
 */
export type ChainTools =
  | { mode: "live" }
  | { mode: "recorded"; recording: readonly ToolCall[]; reads: "recorded" | "live" };

export interface ChainOptions {
  tools: ChainTools;
  /** Declared effects by the author's tool name; undeclared means `write`. */
  effects: Readonly<Record<string, Effect>>;
  signal?: AbortSignal;
  /** Afterwards the outcome is `timed_out`; the chain's own work may go on. */
  timeoutMs?: number;
}

export interface ChainRun {
  outcome: Outcome;
  /** The outcome's value lost information when it became JSON. */
  lossy: boolean;
  /** In the order the calls started. */
  calls: ToolCall[];
  durationMs: number;
}

export interface LegacyChain {
  /** Never rejects for what the chain does: a throw is an outcome. */
  invoke(input: JsonValue, options: ChainOptions): Promise<ChainRun>;
  close(): Promise<void>;
}
