/** Tool calls of both sides next to each other, so that the first step that differs can be named. */
import { callKey, type ToolCall } from "../../core/ledger.ts";
import { alignByScore } from "./subsequence.ts";

export interface TraceRow {
  legacy?: ToolCall;
  candidate?: ToolCall;
  /** Same tool with the same canonical arguments. */
  same: boolean;
}

/** Traces longer than this product of lengths are aligned by place. */
const MAX_CELLS = 1_000_000;

/** The alignment with the most equal calls; a call with other arguments is still the same step. */
export function alignTraces(
  legacyCalls: readonly ToolCall[],
  candidateCalls: readonly ToolCall[],
): TraceRow[] {
  const left = legacyCalls.map((call) => ({ call, key: callKey(call.tool, call.args) }));
  const right = candidateCalls.map((call) => ({ call, key: callKey(call.tool, call.args) }));
  const score = (i: number, j: number) => {
    if (left[i]?.key === right[j]?.key) return 1;
    return left[i]?.call.tool === right[j]?.call.tool ? 0.4 : 0;
  };
  const pairs =
    alignByScore(left.length, right.length, score, { left: MAX_CELLS }) ??
    left.slice(0, right.length).map((_, index) => [index, index] as const);
  return rowsOf(legacyCalls, candidateCalls, pairs, (i, j) => score(i, j) === 1);
}

function rowsOf(
  legacy: readonly ToolCall[],
  candidate: readonly ToolCall[],
  pairs: readonly (readonly [number, number])[],
  same: (i: number, j: number) => boolean,
): TraceRow[] {
  const rows: TraceRow[] = [];
  let a = 0;
  let b = 0;
  const single = (aEnd: number, bEnd: number) => {
    while (a < aEnd) rows.push({ legacy: legacy[a++] as ToolCall, same: false });
    while (b < bEnd) rows.push({ candidate: candidate[b++] as ToolCall, same: false });
  };
  for (const [i, j] of pairs) {
    single(i, j);
    const [left, right] = [legacy[a++] as ToolCall, candidate[b++] as ToolCall];
    rows.push({ legacy: left, candidate: right, same: same(i, j) });
  }
  single(legacy.length, candidate.length);
  return rows;
}

/** Index of the first row whose sides differ, or null. */
export function firstDivergence(rows: readonly TraceRow[]): number | null {
  const index = rows.findIndex((row) => !row.same);
  return index < 0 ? null : index;
}
