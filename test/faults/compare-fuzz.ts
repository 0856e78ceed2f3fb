/** Pairs of values of every kind through the comparison, and what must hold for each of them. */
import deepDiff from "deep-diff";
import type { JsonValue } from "../../core/json.ts";
import { type Comparison, compare } from "../../harness/compare/compare.ts";
import { randomOf } from "../random.ts";
import { anyJson, changed } from "./documents.ts";

export interface Fuzzed {
  pairs: number;
  /** How many of them differed: a fuzz that only sees equal values proves nothing. */
  differing: number;
  /** Pairs whose differences were held against deep-diff's edits. */
  explained: number;
}

/** Every so many pairs deep-diff, which is slow, is asked as well. */
const ORACLE_EVERY = 10;

/** @throws {Error} with the seed of the pair for which something does not hold. */
export function fuzzCompare(pairs: number, firstSeed = 0): Fuzzed {
  const prototypes = namesOfPrototypes();
  const result: Fuzzed = { pairs, differing: 0, explained: 0 };
  for (let seed = firstSeed; seed < firstSeed + pairs; seed++) {
    const random = randomOf(seed);
    const left = anyJson(random);
    const right = random() < 0.2 ? anyJson(random) : changed(left, random);
    const problem = problemOf(left, right, seed, result);
    if (problem) throw new Error(`${problem}, seed ${seed}: ${JSON.stringify([left, right])}`);
  }
  if (namesOfPrototypes() !== prototypes) throw new Error("a prototype has changed");
  return result;
}

function problemOf(
  left: JsonValue,
  right: JsonValue,
  seed: number,
  result: Fuzzed,
): string | undefined {
  const own = compare(left, structuredClone(left));
  if (own.verdict !== "match" || own.differences.length > 0) return "a copy is not equal";
  const there = compare(left, right);
  const back = compare(right, left);
  if (there.verdict !== back.verdict) return `${there.verdict} there and ${back.verdict} back`;
  if (signature(there, false) !== signature(back, true)) return "the other direction is no mirror";
  if (there.verdict === "mismatch") result.differing++;
  // deep-diff does not see every difference at these two keys.
  const blind = /"(?:__proto__)?":/.test(JSON.stringify([left, right]));
  if (blind || seed % ORACLE_EVERY !== 0) return undefined;
  result.explained++;
  return unexplained(left, right, there);
}

const MIRRORED: Record<string, string> = { missing: "extra", extra: "missing" };

function signature({ differences }: Comparison, mirrored: boolean): string {
  const kinds = differences.map(({ kind }) => (mirrored ? (MIRRORED[kind] ?? kind) : kind));
  return kinds.sort().join();
}

/** deep-diff has an edit at the place, above or below it; in an array, which it reads by place, somewhere in the array. */
function unexplained(left: JsonValue, right: JsonValue, found: Comparison): string | undefined {
  const edits = deepDiff.diff(left, right) ?? [];
  if (edits.length === 0)
    return found.verdict === "match" ? undefined : "deep-diff sees no difference";
  const places = edits.map((edit) =>
    placeOf(left, right, [...(edit.path ?? []), ...("index" in edit ? [edit.index] : [])]),
  );
  const stranger = found.differences.find(({ path }) => {
    const keys = path
      .split("/")
      .slice(1)
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const place = placeOf(left, right, keys);
    return !places.some(
      (other) => `${place}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${place}/`),
    );
  });
  return stranger && `deep-diff has no edit near ${stranger.path}`;
}

/** The path up to the first array. */
function placeOf(left: JsonValue, right: JsonValue, keys: readonly (string | number)[]): string {
  let [a, b]: (JsonValue | undefined)[] = [left, right];
  const place: string[] = [];
  for (const key of keys) {
    if (Array.isArray(a) || Array.isArray(b)) break;
    place.push(String(key).replaceAll("/", "~1"));
    [a, b] = [childOf(a, key), childOf(b, key)];
  }
  return place.map((key) => `/${key}`).join("");
}

function childOf(value: JsonValue | undefined, key: string | number): JsonValue | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as { [key: string]: JsonValue })[key];
}

function namesOfPrototypes(): string {
  return [Object, Array, String, Number, Function]
    .flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
    .join();
}
