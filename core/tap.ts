/**
 * What a tracer inside a service that cannot be moved tells of the runs it saw.
 *
 * A run is numbered by the tracer (`epoch` names its process), so that sending it twice is harmless
 * and a run that never arrived is a missing number.
 */
import type { JsonValue } from "./json.ts";
import type { ToolCall } from "./ledger.ts";
import type { ModelCall } from "./model.ts";
import type { Outcome } from "./outcome.ts";

/** A tool call as a tracer saw it: under the author's name, and it really ran. */
export type TappedCall = Pick<
  ToolCall,
  "tool" | "args" | "outcome" | "lossy" | "partial" | "startedAtMs" | "durationMs"
>;

/** One answered trigger. */
export interface TappedRun {
  seq: number;
  triggerId: string;
  /** ISO 8601, UTC. */
  receivedAt: string;
  input: JsonValue;
  outcome: Outcome;
  lossy?: boolean;
  calls: TappedCall[];
  modelCalls: Omit<ModelCall, "served">[];
  durationMs: number;
}

/** Runs that a tracer saw and gave up. */
export interface TapGap {
  fromSeq: number;
  toSeq: number;
  cause: string;
}

/** The body of `POST /tap/:flow`. */
export interface TapBatch {
  epoch: string;
  runs: TappedRun[];
  gaps: TapGap[];
}

/** More in one request is refused. */
export const MAX_TAPPED_RUNS = 200;

/** A larger run is not sent: the request it would need is refused. */
export const MAX_TAPPED_BYTES = 3 * 1024 * 1024;
