/**
 * Which element of one array stands for which element of the other.
 *
 * Equal head and tail are cut off first, so that equal arrays cost one comparison and one inserted
 * element is one difference. What remains is matched by equality, then by likeness, then by place.
 */
import type { JsonValue } from "../../core/json.ts";
import { type Classes, classify, mayShare, sketchOf } from "./classes.ts";
import { type Budget, equal, isContainer } from "./equal.ts";
import { pairByLikeness } from "./likeness.ts";
import { type Cells, commonSubsequence } from "./subsequence.ts";

/** What became of an array element that is not equal at its place. */
export type Pairing =
  | { kind: "pair"; legacy: number; candidate: number }
  | { kind: "moved"; legacy: number; candidate: number }
  | { kind: "missing"; legacy: number }
  | { kind: "extra"; candidate: number };

/** What one comparison may spend on aligning, over all its arrays. */
export interface AlignmentBudget {
  equality: Budget;
  cells: Cells;
  likeness: Cells;
}

/** Elements that are not equal in place; equal ones are left out. In order of the arrays. */
export function alignArrays(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  budget: AlignmentBudget,
): Pairing[] {
  const edits = isolatedEdits(legacy, candidate, budget.equality);
  if (edits) return edits;
  const shorter = Math.min(legacy.length, candidate.length);
  const same = (i: number, j: number) =>
    equal(legacy[i] as JsonValue, candidate[j] as JsonValue, budget.equality);
  let head = 0;
  while (head < shorter && same(head, head)) head++;
  let aEnd = legacy.length;
  let bEnd = candidate.length;
  while (aEnd > head && bEnd > head && same(aEnd - 1, bEnd - 1)) {
    aEnd--;
    bEnd--;
  }
  const [a, b] = [legacy.slice(head, aEnd), candidate.slice(head, bEnd)];
  // Of several ways to align, one is taken; seen from the other side it must be the same one.
  return leads(a, b) ? alignRest(a, b, head, budget) : alignRest(b, a, head, budget).map(mirrored);
}

/**
 * The frequent case, without the machinery: arrays of one length in which single elements changed
 * and none moved. Undefined when it is not so simple.
 */
function isolatedEdits(
  legacy: readonly JsonValue[],
  candidate: readonly JsonValue[],
  budget: Budget,
): Pairing[] | undefined {
  if (legacy.length !== candidate.length) return undefined;
  const edited: number[] = [];
  for (let index = 0; index < legacy.length; index++) {
    if (equal(legacy[index] as JsonValue, candidate[index] as JsonValue, budget)) continue;
    if (edited.at(-1) === index - 1) return undefined;
    edited.push(index);
  }
  const isMoved = edited.length > 1 && mayShare(legacy, candidate, { a: edited, b: edited });
  if (isMoved) return undefined;
  return edited.map((index) => ({ kind: "pair", legacy: index, candidate: index }));
}

/** An order of any two arrays that does not depend on which is legacy. */
function leads(a: JsonValue[], b: JsonValue[]): boolean {
  if (a.length !== b.length) return a.length < b.length;
  for (let index = 0; index < a.length; index++) {
    const [left, right] = [sketchOf(a[index] as JsonValue), sketchOf(b[index] as JsonValue)];
    if (left !== right) return left < right;
  }
  return glance(a, 6) <= glance(b, 6);
}

/** The outer part of a value as text; what lies deeper decides nothing. */
function glance(value: JsonValue, depth: number): string {
  if (!isContainer(value) || depth === 0) return isContainer(value) ? "…" : String(value);
  if (Array.isArray(value)) return `[${value.slice(0, 8).map((item) => glance(item, depth - 1))}]`;
  const keys = Object.keys(value).sort().slice(0, 8);
  return `{${keys.map((key) => `${key}:${glance(value[key] ?? null, depth - 1)}`)}}`;
}

function mirrored(pairing: Pairing): Pairing {
  switch (pairing.kind) {
    case "missing":
      return { kind: "extra", candidate: pairing.legacy };
    case "extra":
      return { kind: "missing", legacy: pairing.candidate };
    case "pair":
    case "moved":
      return { kind: pairing.kind, legacy: pairing.candidate, candidate: pairing.legacy };
    default:
      return pairing satisfies never;
  }
}

function alignRest(
  legacy: JsonValue[],
  candidate: JsonValue[],
  offset: number,
  budget: AlignmentBudget,
): Pairing[] {
  const gaps = new Gaps(legacy, candidate, offset, budget);
  if (legacy.length === 0 || candidate.length === 0)
    return gaps.close(legacy.length, candidate.length);
  if (legacy.length === 1 && candidate.length === 1) return gaps.close(1, 1);
  const inPlace = equalInPlace(legacy, candidate, budget.equality);
  const open = (elements: JsonValue[]) => {
    const all = Array.from(elements.keys());
    return inPlace.size === 0 ? all : all.filter((index) => !inPlace.has(index));
  };
  const sides = { a: open(legacy), b: open(candidate) };
  const classes = mayShare(legacy, candidate, sides)
    ? classify(legacy, candidate, sides, budget.equality)
    : { a: new Map<number, number>(), b: new Map<number, number>() };
  const matches =
    inPlace.size > 0
      ? [...inPlace].map((index) => [index, index] as const)
      : matchByClass(classes, budget.cells);
  gaps.findMoves(classes, matches);
  for (const [i, j] of matches) gaps.matchAt(i, j);
  return gaps.close(legacy.length, candidate.length);
}

/**
 * Indexes at which two arrays of one length are equal, when that is most of them: then nothing was
 * inserted, and looking further than at the rest would only cost time.
 */
function equalInPlace(legacy: JsonValue[], candidate: JsonValue[], budget: Budget): Set<number> {
  const equals = new Set<number>();
  if (legacy.length !== candidate.length) return equals;
  legacy.forEach((element, index) => {
    if (equal(element, candidate[index] as JsonValue, budget)) equals.add(index);
  });
  return equals.size * 2 > legacy.length ? equals : new Set();
}

function matchByClass({ a, b }: Classes, cells: Cells): (readonly [number, number])[] {
  const [indexesA, indexesB] = [[...a.keys()], [...b.keys()]];
  return commonSubsequence([...a.values()], [...b.values()], cells).map(
    ([i, j]) => [indexesA[i] as number, indexesB[j] as number] as const,
  );
}

/** Collects the elements between two matches and decides what became of them. */
class Gaps {
  readonly #pairings: Pairing[] = [];
  readonly #movedTo = new Map<number, number>();
  readonly #arrived = new Set<number>();
  readonly #legacy: JsonValue[];
  readonly #candidate: JsonValue[];
  readonly #offset: number;
  readonly #budget: AlignmentBudget;
  #a = 0;
  #b = 0;

  constructor(
    legacy: JsonValue[],
    candidate: JsonValue[],
    offset: number,
    budget: AlignmentBudget,
  ) {
    this.#legacy = legacy;
    this.#candidate = candidate;
    this.#offset = offset;
    this.#budget = budget;
  }

  findMoves({ a, b }: Classes, matches: readonly (readonly [number, number])[]): void {
    const stayedA = new Set(matches.map(([i]) => i));
    const stayedB = new Set(matches.map(([, j]) => j));
    const waiting = Map.groupBy(
      [...b.keys()].filter((index) => !stayedB.has(index)),
      (index) => b.get(index),
    );
    for (const [index, sort] of a) {
      const target = stayedA.has(index) ? undefined : waiting.get(sort)?.shift();
      if (target === undefined) continue;
      this.#movedTo.set(index, target);
      this.#arrived.add(target);
    }
  }

  matchAt(i: number, j: number): void {
    this.close(i, j);
    this.#a = i + 1;
    this.#b = j + 1;
  }

  /** Settles everything up to (not including) these indexes. */
  close(aEnd: number, bEnd: number): Pairing[] {
    const left: number[] = [];
    const right: number[] = [];
    for (let i = this.#a; i < aEnd; i++) {
      const target = this.#movedTo.get(i);
      if (target === undefined) left.push(i);
      else this.#add({ kind: "moved", legacy: i, candidate: target });
    }
    for (let j = this.#b; j < bEnd; j++) if (!this.#arrived.has(j)) right.push(j);
    this.#settle(left, right);
    return this.#pairings;
  }

  #settle(left: number[], right: number[]): void {
    const pairs = pairByLikeness(
      left.map((index) => this.#legacy[index] as JsonValue),
      right.map((index) => this.#candidate[index] as JsonValue),
      this.#budget.likeness,
    );
    let a = 0;
    let b = 0;
    const flush = (aEnd: number, bEnd: number) => {
      while (a < aEnd) this.#add({ kind: "missing", legacy: left[a++] as number });
      while (b < bEnd) this.#add({ kind: "extra", candidate: right[b++] as number });
    };
    for (const [i, j] of pairs) {
      flush(i, j);
      this.#add({ kind: "pair", legacy: left[a++] as number, candidate: right[b++] as number });
    }
    flush(left.length, right.length);
  }

  #add(pairing: Pairing): void {
    const shifted = { ...pairing };
    if ("legacy" in shifted) shifted.legacy += this.#offset;
    if ("candidate" in shifted) shifted.candidate += this.#offset;
    this.#pairings.push(shifted);
  }
}
