/** Which of two unequal elements probably mean the same thing. */
import type { JsonValue } from "../../core/json.ts";
import { isContainer } from "./equal.ts";
import { alignByScore, type Cells } from "./subsequence.ts";

/** Rows this alike need no search for a better partner. */
const ALIKE = 0.5;
/** Pairs looked at from each end of two arrays of one length; a shift shows at one of them. */
const PROBES = 8;

/** Pairs as many as the shorter side has: by likeness where that is affordable, else by place. */
export function pairByLikeness(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  cells: Cells,
): (readonly [number, number])[] {
  const byPlace = Array.from(
    { length: Math.min(legacy.length, candidate.length) },
    (_, index) => [index, index] as const,
  );
  const score = (i: number, j: number) =>
    likeness(legacy[i] as JsonValue, candidate[j] as JsonValue);
  if (byPlace.length === 0) return byPlace;
  const even = legacy.length === candidate.length;
  const probes =
    byPlace.length > 2 * PROBES
      ? [...byPlace.slice(0, PROBES), ...byPlace.slice(-PROBES)]
      : byPlace;
  if (even && probes.every(([i, j]) => score(i, j) >= ALIKE)) return byPlace;
  const scored = alignByScore(legacy.length, candidate.length, score, cells);
  return scored ?? byPlace;
}

/** How alike two unequal elements look from outside, in (0, 1]. */
export function likeness(left: JsonValue, right: JsonValue): number {
  const floor = 0.01;
  if (!isContainer(left) || !isContainer(right)) return typeof left === typeof right ? 0.1 : floor;
  if (Array.isArray(left) || Array.isArray(right))
    return Array.isArray(left) === Array.isArray(right) ? 0.3 : floor;
  const keys = Object.keys(left);
  const most = Math.max(keys.length, Object.keys(right).length, 1);
  let same = 0;
  for (const key of keys) {
    if (!Object.hasOwn(right, key)) continue;
    const other = right[key] as JsonValue;
    if (left[key] === other) same++;
    else if (isContainer(left[key] as JsonValue) && isContainer(other)) same += 0.5;
    else same += 0.05;
  }
  return Math.max(floor, same / most);
}
