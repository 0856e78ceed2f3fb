import type { JsonObject, JsonValue } from "../../core/json.ts";
import { type AlignmentBudget, alignArrays, type Pairing } from "./align.ts";
import type { Difference, DifferenceKind } from "./difference.ts";
import { deeperThan, equal, isContainer, isInherited, sameScalar } from "./equal.ts";
import {
  advanceLeads,
  arrayRule,
  type BrokenRules,
  explain,
  ignoringRule,
  type Leads,
  NO_LEADS,
  remapIds,
  type Sides,
  startLeads,
} from "./explain.ts";
import { alignKeyed, alignSet } from "./keyed.ts";
import { type Place, pointerTo } from "./pointer.ts";
import type { CompiledRule } from "./rules.ts";
import { MAX_CELLS } from "./subsequence.ts";

/** Where a comparison stops. */
export interface Limits {
  /** Nodes looked at on the way; beyond it the comparison is cut off. */
  nodes: number;
  depth: number;
  /** Unexplained differences listed; beyond it the comparison is cut off. */
  differences: number;
}

export const DEFAULT_LIMITS: Limits = { nodes: 1_000_000, depth: 512, differences: 10_000 };

/** Explained differences listed; further ones are only counted, so that they cannot hide others. */
const MAX_EXPLAINED = 1_000;
/** Array elements are looked at again when they are aligned and then walked. */
const EQUALITY_NODES_PER_NODE = 8;
const LIKENESS_CELLS = 200_000;
/** From this length on two strings are texts, to be shown as such. */
const TEXT_LENGTH = 80;

/** A pair of values still to be compared; also the place where it was found. */
interface Pair extends Place {
  readonly parent: Pair | undefined;
  readonly legacy: JsonValue;
  readonly candidate: JsonValue;
  readonly depth: number;
  readonly leads: Leads;
}

/** One comparison under way. */
export class Walk {
  readonly differences: Difference[] = [];
  unexplained = 0;
  truncated = false;
  tooDeep = false;
  outOfNodes = false;
  /** Rules that threw; they explain nothing from then on. */
  readonly broken: BrokenRules = new Map();

  readonly #rules: readonly CompiledRule[];
  readonly #limits: Limits;
  readonly #stack: Pair[] = [];
  readonly #alignment: AlignmentBudget;
  #remapping: ReturnType<typeof remapIds> = new Map();
  #explained = 0;
  #nodes = 0;

  constructor(rules: readonly CompiledRule[], limits: Limits) {
    this.#rules = rules;
    this.#limits = limits;
    this.#alignment = {
      equality: {
        nodes: limits.nodes * EQUALITY_NODES_PER_NODE,
        depth: limits.depth,
        tooDeep: false,
      },
      cells: { left: MAX_CELLS },
      likeness: { left: LIKENESS_CELLS },
    };
  }

  run(legacy: JsonValue, candidate: JsonValue): void {
    this.#remapping = remapIds(this.#rules, legacy, candidate);
    const leads = this.#rules.length > 0 ? startLeads(this.#rules) : NO_LEADS;
    const root: Pair = { parent: undefined, key: "", legacy, candidate, depth: 0, leads };
    if (isContainer(legacy) && isContainer(candidate)) this.#stack.push(root);
    else if (!sameScalar(legacy, candidate)) this.#unequal(root, leads, legacy, candidate);
    for (let pair = this.#stack.pop(); pair && !this.#exhausted(pair); pair = this.#stack.pop()) {
      const waiting = this.#stack.length;
      this.#visit(pair);
      // Children were pushed in document order and are popped from the end.
      reverseFrom(this.#stack, waiting);
    }
    if (this.#alignment.equality.tooDeep) this.tooDeep = true;
  }

  #exhausted(pair: Pair): boolean {
    if (pair.depth > this.#limits.depth || this.#alignment.equality.tooDeep) this.tooDeep = true;
    if (this.#nodes > this.#limits.nodes) this.outOfNodes = true;
    if (this.tooDeep || this.outOfNodes) this.truncated = true;
    return this.tooDeep || this.outOfNodes || this.#full();
  }

  #full(): boolean {
    return this.unexplained > this.#limits.differences;
  }

  #visit(pair: Pair): void {
    const { legacy, candidate, leads } = pair;
    const ignored = ignoringRule(leads);
    if (ignored) {
      if (!equal(legacy, candidate, this.#alignment.equality)) this.#report("value", pair, pair);
    } else if (Array.isArray(legacy) && Array.isArray(candidate)) {
      this.#visitArray(pair, legacy, candidate);
    } else if (Array.isArray(legacy) || Array.isArray(candidate)) {
      this.#report("type", pair, pair);
    } else {
      this.#visitObject(pair, legacy as JsonObject, candidate as JsonObject);
    }
  }

  #visitObject(pair: Pair, legacy: JsonObject, candidate: JsonObject): void {
    const keys = Object.keys(legacy);
    const others = Object.keys(candidate);
    this.#nodes += keys.length + 1;
    let shared = 0;
    for (const key of keys) {
      const left = legacy[key] as JsonValue;
      const right = candidate[key];
      if (left === right) shared++;
      else if (right === undefined || isInherited(candidate, key, right)) {
        this.#absent("missing", pair, key, left);
      } else {
        shared++;
        this.#child(pair, key, left, right);
      }
    }
    if (shared === others.length) return;
    for (const key of others) {
      if (!Object.hasOwn(legacy, key))
        this.#absent("extra", pair, key, candidate[key] as JsonValue);
    }
  }

  #visitArray(pair: Pair, legacy: JsonValue[], candidate: JsonValue[]): void {
    this.#nodes += Math.max(legacy.length, candidate.length) + 1;
    const rule = arrayRule(pair.leads);
    for (const pairing of this.#align(rule, legacy, candidate)) {
      if (this.#full()) break;
      this.#settle(pairing, pair, legacy, candidate, rule);
    }
  }

  #align(rule: CompiledRule | undefined, legacy: JsonValue[], candidate: JsonValue[]): Pairing[] {
    if (rule?.verb.kind === "keyed")
      return alignKeyed(legacy, candidate, rule.verb.key, this.#alignment);
    if (rule?.verb.kind === "set") return alignSet(legacy, candidate, this.#alignment);
    return alignArrays(legacy, candidate, this.#alignment);
  }

  #settle(
    pairing: Pairing,
    pair: Pair,
    legacy: JsonValue[],
    candidate: JsonValue[],
    rule: CompiledRule | undefined,
  ): void {
    if (pairing.kind === "missing") {
      this.#absent("missing", pair, pairing.legacy, legacy[pairing.legacy] as JsonValue);
    } else if (pairing.kind === "extra") {
      this.#absent("extra", pair, pairing.candidate, candidate[pairing.candidate] as JsonValue);
    } else {
      const left = legacy[pairing.legacy] as JsonValue;
      const right = candidate[pairing.candidate] as JsonValue;
      if (pairing.kind === "moved") {
        this.#moved(pair, pairing, { legacy: left, candidate: right }, rule);
      }
      this.#child(pair, pairing.legacy, left, right);
    }
  }

  #moved(
    pair: Pair,
    { legacy, candidate }: { legacy: number; candidate: number },
    sides: Sides,
    rule: CompiledRule | undefined,
  ): void {
    const place: Place = { parent: pair, key: legacy };
    const leads = advanceLeads(pair.leads, legacy);
    // Set and key rules say that order does not matter; only an ignore can say so for one element.
    const by = rule ?? ignoringRule(leads);
    this.#record("order", place, sides, by, `moved from ${legacy} to ${candidate}`);
  }

  #child(pair: Pair, key: string | number, legacy: JsonValue, candidate: JsonValue): void {
    if (isContainer(legacy) && isContainer(candidate)) {
      const leads = advanceLeads(pair.leads, key);
      this.#stack.push({ parent: pair, key, legacy, candidate, depth: pair.depth + 1, leads });
    } else if (!sameScalar(legacy, candidate)) {
      this.#unequal({ parent: pair, key }, advanceLeads(pair.leads, key), legacy, candidate);
    }
  }

  #unequal(place: Place, leads: Leads, legacy: JsonValue, candidate: JsonValue): void {
    const sides = { legacy, candidate };
    const by = explain(leads, sides, this.#remapping, this.broken);
    this.#record(kindOf(legacy, candidate), place, sides, by);
  }

  #absent(kind: "missing" | "extra", pair: Pair, key: string | number, value: JsonValue): void {
    const sides: Sides =
      kind === "missing"
        ? { legacy: value, candidate: undefined }
        : { legacy: undefined, candidate: value };
    const by = explain(advanceLeads(pair.leads, key), sides, this.#remapping, this.broken);
    this.#record(kind, { parent: pair, key }, sides, by);
  }

  #report(kind: DifferenceKind, place: Place, pair: Pair): void {
    this.#record(kind, place, pair, explain(pair.leads, pair, this.#remapping, this.broken));
  }

  #record(
    kind: DifferenceKind,
    place: Place,
    sides: Sides,
    by: CompiledRule | undefined,
    detail = by?.reason,
  ): void {
    if (by) this.#explained++;
    else this.unexplained++;
    if (by ? this.#explained > MAX_EXPLAINED : this.#full()) {
      this.truncated = true;
      return;
    }
    const difference: Difference = { kind, path: pointerTo(place) };
    if (sides.legacy !== undefined) difference.legacy = sides.legacy;
    if (sides.candidate !== undefined) difference.candidate = sides.candidate;
    if (by) difference.rule = by.path;
    if (detail !== undefined) difference.detail = detail;
    this.differences.push(difference);
    this.#checkDepth(sides.legacy);
    this.#checkDepth(sides.candidate);
  }

  /** A missing subtree is not walked, yet whoever prints the difference recurses into it. */
  #checkDepth(value: JsonValue | undefined): void {
    if (value === undefined || !isContainer(value)) return;
    if (deeperThan(value, this.#limits.depth)) this.tooDeep = true;
  }
}

/** Of two values of which at least one holds no others. */
export function kindOf(legacy: JsonValue, candidate: JsonValue): DifferenceKind {
  if (typeof legacy === "string" && typeof candidate === "string") {
    return isText(legacy) || isText(candidate) ? "text" : "value";
  }
  return typeof legacy === typeof candidate && legacy !== null && candidate !== null
    ? "value"
    : "type";
}

function isText(value: string): boolean {
  return value.length >= TEXT_LENGTH || value.includes("\n");
}

function reverseFrom<Item>(items: Item[], start: number): void {
  for (let low = start, high = items.length - 1; low < high; low++, high--) {
    const item = items[low] as Item;
    items[low] = items[high] as Item;
    items[high] = item;
  }
}
