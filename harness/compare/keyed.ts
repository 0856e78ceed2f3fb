/** Alignment for arrays whose order does not matter: by key, or as a set. */
import { canonicalText, isJsonObject, type JsonValue, MAX_DEPTH } from "../../core/json.ts";
import type { AlignmentBudget, Pairing } from "./align.ts";
import { deeperThan, isContainer } from "./equal.ts";
import { keyText } from "./explain.ts";
import { likeness } from "./likeness.ts";
import type { Cells } from "./subsequence.ts";

/** How elements of an array are told apart. */
interface Naming {
  /** Undefined for an element that has no name. */
  nameOf: (element: JsonValue) => string | undefined;
  /** True when an element without a namesake may still stand for another one. */
  loose: (element: JsonValue) => boolean;
}

/** Elements with an equal key belong together, wherever they stand. */
export function alignKeyed(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  key: string,
  budget: AlignmentBudget,
): Pairing[] {
  const nameOf = (element: JsonValue) => keyOf(element, key);
  return alignByName(legacy, candidate, { nameOf, loose: (e) => nameOf(e) === undefined }, budget);
}

/** Equal elements belong together; of the other objects, those that look most alike. */
export function alignSet(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  budget: AlignmentBudget,
): Pairing[] {
  const nameOf = (e: JsonValue) => (deeperThan(e, MAX_DEPTH) ? undefined : canonicalText(e));
  return alignByName(legacy, candidate, { nameOf, loose: isContainer }, budget);
}

function keyOf(element: JsonValue, key: string): string | undefined {
  if (!isJsonObject(element) || !Object.hasOwn(element, key)) return undefined;
  const value = element[key] as JsonValue;
  return isContainer(value) ? undefined : keyText(value);
}

function alignByName(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  { nameOf, loose }: Naming,
  budget: AlignmentBudget,
): Pairing[] {
  const waiting = Map.groupBy(candidate.keys(), (j) => nameOf(candidate[j] as JsonValue));
  const nameless = waiting.get(undefined) ?? [];
  waiting.delete(undefined);
  // Reversed, so that taking the first namesake is a cheap pop.
  for (const namesakes of waiting.values()) namesakes.reverse();
  const partners = legacy.map((element) => waiting.get(nameOf(element))?.pop());
  const single = [...partners.keys()].filter((index) => partners[index] === undefined);
  const others = [...nameless, ...[...waiting.values()].flat()].sort((i, j) => i - j);
  const pairs = mostAlike(
    single.filter((index) => loose(legacy[index] as JsonValue)),
    others.filter((index) => loose(candidate[index] as JsonValue)),
    (i, j) => likeness(legacy[i] as JsonValue, candidate[j] as JsonValue),
    budget.likeness,
  );
  const taken = new Set(pairs.values());
  return [
    ...pairingsOf(partners),
    ...single.map((index): Pairing => {
      const partner = pairs.get(index);
      return partner === undefined
        ? { kind: "missing", legacy: index }
        : { kind: "pair", legacy: index, candidate: partner };
    }),
    ...others
      .filter((index) => !taken.has(index))
      .map((index): Pairing => ({ kind: "extra", candidate: index })),
  ];
}

/** A partner that stands before an earlier one has moved. */
function pairingsOf(partners: readonly (number | undefined)[]): Pairing[] {
  const pairings: Pairing[] = [];
  let furthest = -1;
  partners.forEach((candidate, legacy) => {
    if (candidate === undefined) return;
    pairings.push({ kind: candidate < furthest ? "moved" : "pair", legacy, candidate });
    furthest = Math.max(furthest, candidate);
  });
  return pairings;
}

/** Below this likeness two elements are strangers: one is missing, the other extra. */
const LEAST_LIKENESS = 0.2;

/** Each left element takes the most alike right one that is free; none when that is too dear. */
function mostAlike(
  left: readonly number[],
  right: readonly number[],
  score: (i: number, j: number) => number,
  cells: Cells,
): Map<number, number> {
  const pairs = new Map<number, number>();
  if (left.length * right.length > cells.left) return pairs;
  cells.left -= left.length * right.length;
  const free = new Set(right);
  for (const i of left) {
    let best = LEAST_LIKENESS;
    for (const j of free) {
      const alike = score(i, j);
      if (alike <= best) continue;
      best = alike;
      pairs.set(i, j);
    }
    const chosen = pairs.get(i);
    if (chosen !== undefined) free.delete(chosen);
  }
  return pairs;
}
