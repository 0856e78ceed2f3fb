/** Which elements of two arrays are equal, found without comparing each with each. */
import type { JsonValue } from "../../core/json.ts";
import { type Budget, equal, isContainer } from "./equal.ts";

/** Indexes of the elements still to be matched. */
export interface Open {
  a: readonly number[];
  b: readonly number[];
}

/** A cheap look that spares arrays without any common element the search for them. */
export function mayShare(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  { a, b }: Open,
): boolean {
  const sketches = new Set<number>();
  for (const index of a) sketches.add(sketchOf(legacy[index] as JsonValue));
  return b.some((index) => sketches.has(sketchOf(candidate[index] as JsonValue)));
}

/** A cheap number that is equal for equal values. */
export function sketchOf(value: JsonValue): number {
  return isContainer(value) ? sketch(value) : scalarSketch(value);
}

/** Index to class, in the order of the array, for elements that have an equal on the other side. */
export interface Classes {
  a: ReadonlyMap<number, number>;
  b: ReadonlyMap<number, number>;
}

/** Gives equal elements the same number. */
export function classify(
  legacy: JsonValue[],
  candidate: JsonValue[],
  open: Open,
  budget: Budget,
): Classes {
  const scalars = new Map<JsonValue, number>();
  const buckets = new Map<number, { value: JsonValue; sort: number }[]>();
  let next = 0;
  const sortOf = (value: JsonValue): number => {
    if (!isContainer(value)) {
      const known = scalars.get(value) ?? next++;
      scalars.set(value, known);
      return known;
    }
    const key = sketch(value);
    const bucket = buckets.get(key) ?? [];
    const known = bucket.find((entry) => equal(entry.value, value, budget));
    if (known) return known.sort;
    // A full bucket costs a less tidy alignment, never a wrong answer, and keeps this linear.
    if (bucket.length < 8) bucket.push({ value, sort: next });
    buckets.set(key, bucket);
    return next++;
  };
  const a = open.a.map((index) => [index, sortOf(legacy[index] as JsonValue)] as const);
  const b = open.b.map((index) => [index, sortOf(candidate[index] as JsonValue)] as const);
  const [inA, inB] = [a, b].map((side) => new Set(side.map(([, sort]) => sort)));
  return {
    a: new Map(a.filter(([, sort]) => inB?.has(sort))),
    b: new Map(b.filter(([, sort]) => inA?.has(sort))),
  };
}

/** A cheap number that is equal for equal containers, whatever their key order. */
function sketch(container: JsonValue[] | { [key: string]: JsonValue }): number {
  if (Array.isArray(container)) {
    return (container.length * 31 + (container.length > 0 ? scalarSketch(container[0]) : 7)) | 0;
  }
  let sum = 0;
  for (const key of Object.keys(container)) {
    sum = (sum + (scalarSketch(key) ^ Math.imul(scalarSketch(container[key]), 0x9e3779b1))) | 0;
  }
  return sum;
}

function scalarSketch(value: JsonValue | undefined): number {
  if (typeof value === "number") return Math.imul(value, 0x85ebca6b) ^ (value * 1000);
  if (typeof value !== "string") return value === true ? 3 : 5;
  const { length } = value;
  let code = length;
  for (let index = Math.max(0, length - 12); index < length; index++) {
    code = Math.imul(code, 31) + value.charCodeAt(index);
  }
  return length > 12 ? Math.imul(code, 31) + value.charCodeAt(0) : code;
}
