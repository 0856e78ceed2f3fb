/** The words in which a comparison speaks: kinds of difference, and the verdict on a trial. */
import type { JsonValue } from "../../core/json.ts";

export type DifferenceKind =
  /** In legacy, not in candidate. */
  | "missing"
  /** In candidate, not in legacy. */
  | "extra"
  | "type"
  | "value"
  /** The same array element at another place. */
  | "order"
  /** Two different long or multi-line strings. */
  | "text"
  | "schema"
  | "error"
  /** A write that one side made and the other did not, or made otherwise. */
  | "effect"
  | "timeout";

export interface Difference {
  kind: DifferenceKind;
  /**
   * RFC 6901 JSON Pointer. Inside arrays the index is legacy's, except for `extra`, which only
   * candidate has.
   */
  path: string;
  legacy?: JsonValue;
  candidate?: JsonValue;
  /** The path pattern of the rule that explains this difference; it then makes no mismatch. */
  rule?: string;
  detail?: string;
}

export type Verdict =
  | "match"
  | "mismatch"
  /** Different, and rules explain every difference. */
  | "ignored"
  | "candidate_error"
  | "candidate_timeout"
  | "both_failed_same"
  | "both_failed_different"
  | "incomparable"
  /** The other side was never run; nothing was compared. */
  | "not_run";

/** True when no rule explains the difference. */
export function isUnexplained(difference: Difference): boolean {
  return difference.rule === undefined;
}
