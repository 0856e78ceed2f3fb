/**
 * What is kept of a judgement that is too large.
 *
 * A judgement crosses into the process that answers callers, is compressed and stored there. Large
 * ones would hold up answers, so their verdict and places are kept and their values are not.
 */
import type { JsonValue } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Difference } from "./compare/difference.ts";
import type { JudgedTrial } from "./store/judgements.ts";

const MAX_BYTES = 4 * 1024 * 1024;
/** Of one value, when the judgement as a whole is too large. */
const MAX_VALUE_BYTES = 64 * 1024;
const MAX_DIFFERENCES = 1_000;

/** Of an answer that is compared; a larger one costs more time than its differences are worth. */
const MAX_COMPARED = 16 * 1024 * 1024;

/** The size of a value that is too large to be compared, counted up to ten times the limit; else undefined. */
export function oversize(value: JsonValue): number | undefined {
  const waiting: JsonValue[] = [value];
  let size = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next === "string") size += next.length;
    else if (typeof next === "object" && next !== null) {
      for (const [key, child] of Object.entries(next)) {
        size += key.length;
        waiting.push(child);
      }
    }
    size += 1;
    if (size > MAX_COMPARED * 10) break;
  }
  return size > MAX_COMPARED ? size : undefined;
}

export function withinBounds(judged: JudgedTrial): JudgedTrial {
  const { runs, differences, trace } = judged;
  const bytes =
    sum(runs.map((run) => run.payload.length)) +
    sum(differences.map(({ difference }) => difference.length)) +
    (trace?.length ?? 0);
  if (bytes <= MAX_BYTES) return judged;
  return {
    ...judged,
    truncated: true,
    trace: null,
    runs: runs.map((run) => ({ ...run, payload: keptPayload(run) })),
    differences: differences
      .slice(0, MAX_DIFFERENCES)
      .map((row) => ({ ...row, difference: keptDifference(row.difference) })),
  };
}

function keptPayload({ status, payload }: JudgedTrial["runs"][number]): Uint8Array {
  if (payload.length <= MAX_VALUE_BYTES) return payload;
  const outcome: Outcome =
    status === "threw"
      ? { status, error: { name: "Error", message: notKept(payload.length) } }
      : { status: "returned", value: notKept(payload.length) };
  return Buffer.from(JSON.stringify({ outcome, notKept: true }));
}

function keptDifference(text: string): string {
  if (text.length <= MAX_VALUE_BYTES) return text;
  const difference = JSON.parse(text) as Difference;
  for (const side of ["legacy", "candidate"] as const) {
    const value: JsonValue | undefined = difference[side];
    const length = JSON.stringify(value)?.length ?? 0;
    if (length > MAX_VALUE_BYTES / 2) difference[side] = notKept(length);
  }
  return JSON.stringify(difference);
}

export function notKept(bytes: number): string {
  return `(${bytes} bytes, not kept)`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
