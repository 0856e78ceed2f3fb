/** Path patterns: JSON Pointers in which `*` stands for one segment and `**` for any number. */
import type { JsonValue } from "../../core/json.ts";
import { isContainer } from "./equal.ts";
import { segmentsOf } from "./pointer.ts";

export const ONE = Symbol("*");
export const ANY = Symbol("**");

export type Segment = string | typeof ONE | typeof ANY;
export type Pattern = readonly Segment[];

/** @returns undefined when the text is no pointer. */
export function parsePattern(text: string): Pattern | undefined {
  if (text !== "" && !text.startsWith("/")) return undefined;
  return segmentsOf(text).map((segment) =>
    segment === "*" ? ONE : segment === "**" ? ANY : segment,
  );
}

/** True when the pattern names no key at all and so covers whole documents. */
export function coversEverything(pattern: Pattern): boolean {
  return pattern.every((segment) => typeof segment === "symbol");
}

/** Negative when `left` is the more specific: more literal segments, then fewer `**`, then fewer `*`. */
export function bySpecificity(left: Pattern, right: Pattern): number {
  return (
    count(right, (segment) => typeof segment === "string") -
      count(left, (segment) => typeof segment === "string") ||
    count(left, (segment) => segment === ANY) - count(right, (segment) => segment === ANY) ||
    count(left, (segment) => segment === ONE) - count(right, (segment) => segment === ONE)
  );
}

function count(pattern: Pattern, matches: (segment: Segment) => boolean): number {
  return pattern.filter(matches).length;
}

/** Positions of a pattern that a path has reached; `pattern.length` means the path matches. */
export type Progress = readonly number[];

export function startOf(pattern: Pattern): Progress {
  return skipAny(pattern, [0]);
}

export function advance(pattern: Pattern, progress: Progress, key: string): Progress {
  const next: number[] = [];
  for (const at of progress) {
    const segment = pattern[at];
    if (segment === ANY) next.push(at);
    else if (segment === ONE || segment === key) next.push(at + 1);
  }
  return next.length === 0 ? next : skipAny(pattern, next);
}

/** `**` may stand for no segment, so whoever stands before it also stands behind it. */
function skipAny(pattern: Pattern, progress: readonly number[]): Progress {
  const reached = new Set(progress);
  for (const at of reached) if (pattern[at] === ANY) reached.add(at + 1);
  return [...reached];
}

/** Most values a pattern may pick out of one document. */
const MAX_PICKED = 100_000;

/** All values of a document at the pattern, at most {@link MAX_PICKED}. */
export function pick(pattern: Pattern, document: JsonValue): JsonValue[] {
  let picked: JsonValue[] = [document];
  for (const segment of pattern) {
    picked = picked.flatMap((value) => stepInto(segment, value)).slice(0, MAX_PICKED);
  }
  return picked;
}

function stepInto(segment: Segment, value: JsonValue): JsonValue[] {
  if (segment === ANY) return descendants(value);
  if (!isContainer(value)) return [];
  if (segment === ONE) return Object.values(value);
  const fields = value as { [key: string]: JsonValue };
  return Object.hasOwn(fields, segment as string) ? [fields[segment as string] as JsonValue] : [];
}

function descendants(value: JsonValue): JsonValue[] {
  const found = [value];
  for (let index = 0; index < found.length && found.length < MAX_PICKED; index++) {
    const container = found[index] as JsonValue;
    if (isContainer(container)) for (const child of Object.values(container)) found.push(child);
  }
  return found;
}
