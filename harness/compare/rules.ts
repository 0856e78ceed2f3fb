/**
 * Rules that say which differences do not matter, and why.
 *
 * A rule never makes equal data different. It explains a difference, which is then kept and
 * counted with the rule's path. The most specific path decides, then the order in the file; a rule
 * with something to say about a value (a tolerance that is exceeded) is not overruled by a wider one.
 */

import { messageOf } from "../../core/error.ts";
import { isJsonObject, type JsonObject } from "../../core/json.ts";
import type { Format } from "./format.ts";
import {
  ANY,
  bySpecificity,
  coversEverything,
  ONE,
  type Pattern,
  parsePattern,
} from "./pattern.ts";
import { type SafeRegex, safeRegex } from "./regex.ts";

/** One rule as people write it: a path, one verb, and what a reviewer wants to know. */
export interface Rule {
  /** JSON Pointer; `*` is one segment, `**` any number of them. */
  path: string;
  /** Everything at and below the path. `false` takes a place out of a wider rule. */
  ignore?: boolean;
  /** Numbers may differ by this much; `ms` is for timestamps. */
  tolerance?: { absolute: number } | { relative: number } | { ms: number };
  /** `set`: an array whose order does not matter. The others: any two values of this form. */
  as?: "set" | Format;
  /** Elements of this array belong together when this field is equal. */
  key?: string;
  /** With `key`: the field that `references` elsewhere point to. */
  id?: string;
  references?: readonly string[];
  /** Both texts match one of these regular expressions. */
  matches?: readonly string[];
  /** Texts are at least this alike, from 0 to 1. */
  similarity?: number;
  nullIsMissing?: boolean;
  /** `""`, `[]` and `{}` count as missing. */
  emptyIsMissing?: boolean;
  reason?: string;
  owner?: string;
  /** ISO date after which the rule is no longer used. */
  expires?: string;
}

export interface RuleProblem {
  /** As it was given. */
  rule: unknown;
  message: string;
}

type Tolerance = NonNullable<Rule["tolerance"]>;

export type RuleVerb =
  | { kind: "ignore" }
  | { kind: "heed" }
  | { kind: "tolerance"; tolerance: Tolerance }
  | { kind: "set" }
  | { kind: "format"; format: Format }
  | { kind: "keyed"; key: string; id: string | undefined }
  /** Holds the id of an element of the array that `target` keys. */
  | { kind: "reference"; target: CompiledRule }
  | { kind: "matches"; regexes: readonly SafeRegex[] }
  | { kind: "similarity"; least: number }
  | { kind: "absent"; nulls: boolean; empties: boolean };

/** A rule that passed its checks; only {@link compileRules} makes one. */
export class CompiledRule {
  readonly path: string;
  readonly reason: string | undefined;
  readonly pattern: Pattern;
  readonly verb: RuleVerb;

  constructor(path: string, reason: string | undefined, pattern: Pattern, verb: RuleVerb) {
    this.path = path;
    this.reason = reason;
    this.pattern = pattern;
    this.verb = verb;
  }
}

export interface RuleSet {
  /** Most specific first. */
  rules: readonly CompiledRule[];
  problems: readonly RuleProblem[];
}

/**
 * Checks and sorts rules; a bad one is reported and silences nothing.
 *
 * @param now without it, expiry dates are checked for their form only.
 */
export function compileRules(rules: unknown, now?: Date): RuleSet {
  if (!Array.isArray(rules)) {
    return { rules: [], problems: [{ rule: rules, message: "Rules are a list of objects" }] };
  }
  const compiled: CompiledRule[] = [];
  const problems: RuleProblem[] = [];
  for (const rule of rules) {
    try {
      compiled.push(...(rule instanceof CompiledRule ? [rule] : compileRule(rule, now)));
    } catch (error) {
      problems.push({ rule, message: messageOf(error) });
    }
  }
  compiled.sort((left, right) => bySpecificity(left.pattern, right.pattern));
  return { rules: compiled, problems };
}

function compileRule(rule: unknown, now: Date | undefined): CompiledRule[] {
  if (!isJsonObject(rule)) throw new Error("A rule is an object with a path");
  const pattern = patternOf(rule.path, "path");
  const reason = optionalText(rule, "reason");
  optionalText(rule, "owner");
  checkExpiry(optionalText(rule, "expires"), now);
  const verb = readVerb(rule);
  const path = String(rule.path);
  if (verb.kind === "ignore" && coversEverything(pattern)) {
    throw new Error(`"${path}" ignores everything; name at least one key`);
  }
  const reach: Pattern =
    verb.kind === "ignore" || verb.kind === "heed" ? [...pattern, ANY] : pattern;
  const compiled = new CompiledRule(path, reason, reach, verb);
  return [compiled, ...referencesOf(rule, compiled)];
}

function patternOf(path: unknown, name: string): Pattern {
  const pattern = typeof path === "string" ? parsePattern(path) : undefined;
  if (!pattern) throw new Error(`${name} is a JSON Pointer that starts with "/", not ${say(path)}`);
  return pattern;
}

function optionalText(rule: JsonObject, key: string): string | undefined {
  const value = rule[key];
  if (value !== undefined && typeof value !== "string") {
    throw new Error(`${key} is a text, not ${say(value)}`);
  }
  return value;
}

function checkExpiry(expires: string | undefined, now: Date | undefined): void {
  if (expires === undefined) return;
  const end = Date.parse(expires);
  if (Number.isNaN(end)) throw new Error(`expires is an ISO date, not ${say(expires)}`);
  if (now && end <= now.getTime()) throw new Error(`The rule expired on ${expires}`);
}

/** Which fields belong to which verb; every other field is a mistake. */
const VERB_FIELDS: Record<string, readonly string[]> = {
  ignore: ["ignore"],
  tolerance: ["tolerance"],
  as: ["as"],
  key: ["key", "id", "references"],
  matches: ["matches"],
  similarity: ["similarity"],
  absent: ["nullIsMissing", "emptyIsMissing"],
};
const NOTE_FIELDS = ["path", "reason", "owner", "expires"];

function readVerb(rule: JsonObject): RuleVerb {
  const given = Object.keys(rule).filter((field) => !NOTE_FIELDS.includes(field));
  const verbs = Object.keys(VERB_FIELDS).filter((verb) =>
    VERB_FIELDS[verb]?.some((field) => given.includes(field)),
  );
  const [verb] = verbs;
  if (verb === undefined || verbs.length > 1) {
    throw new Error(`A rule has one of ${Object.keys(READERS).join(", ")}; found ${say(given)}`);
  }
  const unknown = given.filter((field) => !VERB_FIELDS[verb]?.includes(field));
  if (unknown.length > 0) throw new Error(`Unknown field ${say(unknown[0])}`);
  return (READERS[verb] as (rule: JsonObject) => RuleVerb)(rule);
}

const READERS: Record<string, (rule: JsonObject) => RuleVerb> = {
  ignore: ({ ignore }) => ({ kind: flag(ignore, "ignore") ? "ignore" : "heed" }),
  tolerance: ({ tolerance }) => ({ kind: "tolerance", tolerance: readTolerance(tolerance) }),
  as: ({ as }) => {
    if (as === "set") return { kind: "set" };
    if (as === "uuid" || as === "ip" || as === "url" || as === "time") {
      return { kind: "format", format: as };
    }
    throw new Error(`as is "set", "uuid", "ip", "url" or "time", not ${say(as)}`);
  },
  key: (rule) => {
    const key = optionalText(rule, "key");
    if (!key) throw new Error("id and references need a key");
    return { kind: "keyed", key, id: optionalText(rule, "id") };
  },
  matches: ({ matches }) => ({
    kind: "matches",
    regexes: texts(matches, "matches").map(readRegex),
  }),
  similarity: ({ similarity }) => {
    const least = share(similarity, "similarity");
    if (least === 0) throw new Error("similarity 0 would accept any text");
    return { kind: "similarity", least };
  },
  absent: ({ nullIsMissing = false, emptyIsMissing = false }) => ({
    kind: "absent",
    nulls: flag(nullIsMissing, "nullIsMissing"),
    empties: flag(emptyIsMissing, "emptyIsMissing"),
  }),
};

function readTolerance(tolerance: unknown): Tolerance {
  const [entry, ...more] = isJsonObject(tolerance) ? Object.entries(tolerance) : [];
  const [unit, amount] = entry ?? [];
  const known = unit === "absolute" || unit === "relative" || unit === "ms";
  if (!known || more.length > 0 || typeof amount !== "number" || !(amount >= 0)) {
    throw new Error(
      `tolerance is one of absolute, relative or ms with a number ≥ 0, not ${say(tolerance)}`,
    );
  }
  return { [unit]: amount } as Tolerance;
}

function readRegex(source: string): SafeRegex {
  try {
    return safeRegex(source);
  } catch (cause) {
    throw new Error(`matches ${say(source)}: ${messageOf(cause)}`, { cause });
  }
}

function referencesOf(rule: JsonObject, target: CompiledRule): CompiledRule[] {
  if (target.verb.kind !== "keyed") return [];
  const references = rule.references === undefined ? [] : texts(rule.references, "references");
  const { id } = target.verb;
  if (id === undefined) {
    if (references.length > 0) throw new Error("references need an id, the field they point to");
    return [];
  }
  const patterns = references.map((path) => patternOf(path, "references"));
  const place: Pattern = [...target.pattern, ONE, id];
  return [place, ...patterns].map(
    (pattern) =>
      new CompiledRule(target.path, target.reason, pattern, { kind: "reference", target }),
  );
}

function flag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw new Error(`${name} is true or false, not ${say(value)}`);
  return value;
}

function share(value: unknown, name: string): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw new Error(`${name} is a number from 0 to 1, not ${say(value)}`);
}

function texts(value: unknown, name: string): string[] {
  const list = Array.isArray(value) ? value : [];
  if (list.length > 0 && list.every((text) => typeof text === "string")) return list;
  throw new Error(`${name} is a list of texts, not ${say(value)}`);
}

function say(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 100) ?? String(value);
}
