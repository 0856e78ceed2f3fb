/** Follows rules down a document and asks them whether a difference matters. */
import { messageOf } from "../../core/error.ts";
import { canonicalText, isJsonObject, type JsonValue } from "../../core/json.ts";
import { isContainer } from "./equal.ts";
import { hasFormat, timeOf } from "./format.ts";
import { advance, type Progress, pick, startOf } from "./pattern.ts";
import { segmentsOf } from "./pointer.ts";
import type { CompiledRule } from "./rules.ts";
import { similarity } from "./similarity.ts";

/** One rule that matches the path so far, or may still match further down. */
interface Lead {
  rule: CompiledRule;
  progress: Progress;
}

/** The rules in force at one place, most specific first. */
export type Leads = readonly Lead[];

/** Ids on the legacy side and what stands for them on the candidate side, per keyed rule. */
type Remapping = ReadonlyMap<CompiledRule, ReadonlyMap<string, string>>;

export const NO_LEADS: Leads = [];

export function startLeads(rules: readonly CompiledRule[]): Leads {
  return rules.map((rule) => ({ rule, progress: startOf(rule.pattern) }));
}

export function advanceLeads(leads: Leads, key: string | number): Leads {
  if (leads.length === 0) return NO_LEADS;
  const next: Lead[] = [];
  for (const { rule, progress } of leads) {
    const moved = advance(rule.pattern, progress, String(key));
    if (moved.length > 0) next.push({ rule, progress: moved });
  }
  return next;
}

function applies({ rule, progress }: Lead): boolean {
  return progress.includes(rule.pattern.length);
}

/** The rule that says how this array is to be aligned. */
export function arrayRule(leads: Leads): CompiledRule | undefined {
  const verbs = ["set", "keyed"];
  return leads.find((lead) => verbs.includes(lead.rule.verb.kind) && applies(lead))?.rule;
}

/** The rule that ignores this place and everything below, unless a more specific one may speak. */
export function ignoringRule(leads: Leads): CompiledRule | undefined {
  const [first] = leads;
  return first && first.rule.verb.kind === "ignore" && applies(first) ? first.rule : undefined;
}

export interface Sides {
  /** Undefined where a side has nothing at the place. */
  legacy: JsonValue | undefined;
  candidate: JsonValue | undefined;
}

/** Rules that threw while they were asked, with what they threw. */
export type BrokenRules = Map<CompiledRule, string>;

/** The rule that makes this difference harmless; the first with an opinion decides. */
export function explain(
  leads: Leads,
  sides: Sides,
  remapping: Remapping,
  broken: BrokenRules,
): CompiledRule | undefined {
  for (const lead of leads) {
    if (!applies(lead) || broken.has(lead.rule)) continue;
    try {
      const opinion = opinionOf(lead.rule, sides, remapping);
      if (opinion !== undefined) return opinion ? lead.rule : undefined;
    } catch (error) {
      broken.set(lead.rule, messageOf(error));
    }
  }
  return undefined;
}

/** The rules in force at a path. */
export function leadsTo(path: string, rules: readonly CompiledRule[]): Leads {
  return segmentsOf(path).reduce(advanceLeads, startLeads(rules));
}

/** True: harmless. False: it matters. Undefined: this rule is not about such values. */
function opinionOf(rule: CompiledRule, sides: Sides, remapping: Remapping): boolean | undefined {
  const { legacy, candidate } = sides;
  const { verb } = rule;
  switch (verb.kind) {
    case "ignore":
      return true;
    case "heed":
      return false;
    case "tolerance":
      return within(verb.tolerance, legacy, candidate);
    case "format":
      return bothTexts(
        sides,
        (left, right) => hasFormat(verb.format, left) && hasFormat(verb.format, right),
      );
    case "matches":
      return bothTexts(sides, (left, right) =>
        [left, right].every((text) => verb.regexes.some((regex) => regex.test(text))),
      );
    case "similarity":
      return bothTexts(sides, (left, right) => similarity(left, right) >= verb.least);
    case "absent":
      return isAbsent(legacy, verb) && isAbsent(candidate, verb) ? true : undefined;
    case "reference":
      return refersAlike(remapping.get(verb.target), legacy, candidate);
    case "set":
    case "keyed":
      return undefined; // They say how to align, not what to forgive.
    default:
      return verb satisfies never;
  }
}

function bothTexts(sides: Sides, judge: (left: string, right: string) => boolean) {
  const { legacy, candidate } = sides;
  const texts = typeof legacy === "string" && typeof candidate === "string";
  return texts ? judge(legacy, candidate) : undefined;
}

function within(
  tolerance: { absolute: number } | { relative: number } | { ms: number },
  legacy: JsonValue | undefined,
  candidate: JsonValue | undefined,
): boolean | undefined {
  if ("ms" in tolerance) {
    const from = timeOf(legacy);
    const to = timeOf(candidate);
    return from === undefined || to === undefined ? undefined : Math.abs(from - to) <= tolerance.ms;
  }
  if (typeof legacy !== "number" || typeof candidate !== "number") return undefined;
  // 0.3 - 0.2 is 0.09999999999999998: allow for the rounding of the subtraction itself.
  const rounding = Number.EPSILON * Math.max(Math.abs(legacy), Math.abs(candidate)) * 4;
  const limit =
    "absolute" in tolerance ? tolerance.absolute : tolerance.relative * Math.abs(legacy);
  return Math.abs(legacy - candidate) <= limit + (limit > 0 ? rounding : 0);
}

function isAbsent(
  value: JsonValue | undefined,
  verb: { nulls: boolean; empties: boolean },
): boolean {
  if (value === undefined) return true;
  if (value === null) return verb.nulls;
  if (!verb.empties) return false;
  return value === "" || (isContainer(value) && Object.keys(value).length === 0);
}

function refersAlike(
  ids: ReadonlyMap<string, string> | undefined,
  legacy: JsonValue | undefined,
  candidate: JsonValue | undefined,
): boolean | undefined {
  if (legacy === undefined || candidate === undefined) return undefined;
  if (isContainer(legacy) || isContainer(candidate)) return undefined;
  const expected = ids?.get(keyText(legacy));
  return expected === undefined ? undefined : expected === keyText(candidate);
}

/** The text under which a key or id is found again; `1` and `"1"` stay apart. */
export function keyText(value: JsonValue): string {
  return typeof value === "string" ? `"${value}` : canonicalText(value);
}

/** Reads both documents once and notes which id became which, for every keyed rule with an id. */
export function remapIds(
  rules: readonly CompiledRule[],
  legacy: JsonValue,
  candidate: JsonValue,
): Remapping {
  const remapping = new Map<CompiledRule, Map<string, string>>();
  for (const rule of rules) {
    const { verb } = rule;
    if (verb.kind !== "keyed" || verb.id === undefined) continue;
    const before = idsByKey(pick(rule.pattern, legacy), verb.key, verb.id);
    const after = idsByKey(pick(rule.pattern, candidate), verb.key, verb.id);
    const ids = new Map<string, string>();
    for (const [key, id] of before) {
      const now = after.get(key);
      if (id !== undefined && now !== undefined) ids.set(id, now);
    }
    remapping.set(rule, ids);
  }
  return remapping;
}

/** A key that carries two different ids is ambiguous and kept as undefined. */
function idsByKey(arrays: JsonValue[], key: string, id: string): Map<string, string | undefined> {
  const ids = new Map<string, string | undefined>();
  for (const element of arrays.flatMap((array) => (Array.isArray(array) ? array : []))) {
    if (!isJsonObject(element)) continue;
    const name = Object.hasOwn(element, key) ? element[key] : undefined;
    const value = Object.hasOwn(element, id) ? element[id] : undefined;
    if (name === undefined || value === undefined || isContainer(name) || isContainer(value))
      continue;
    const known = ids.get(keyText(name));
    const clash = ids.has(keyText(name)) && known !== keyText(value);
    ids.set(keyText(name), clash ? undefined : keyText(value));
  }
  return ids;
}
