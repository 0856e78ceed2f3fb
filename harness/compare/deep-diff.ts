/**
 * The other engine: `compare.engine: "deep-diff"`, for those who know its edits.
 *
 * It compares arrays by place, so that one inserted element is many differences; rules that align
 * arrays cannot be used with it. It recurses and collects every edit before it hands out the first,
 * so depth and size are checked beforehand. It does not see every difference at the keys `__proto__`
 * and ``: there, and where it sees nothing though the values are not equal, the pair is incomparable.
 */
import deepDiff, { type Diff } from "deep-diff";
import type { JsonValue } from "../../core/json.ts";
import type { Comparison } from "./compare.ts";
import type { Difference, DifferenceKind } from "./difference.ts";
import { deeperThan, equal, isContainer } from "./equal.ts";
import { type BrokenRules, explain, leadsTo } from "./explain.ts";
import { escapeSegment } from "./pointer.ts";
import { type CompiledRule, compileRules, type Rule, type RuleProblem } from "./rules.ts";
import { DEFAULT_LIMITS, kindOf, type Limits } from "./walk.ts";

/** Of both values together; it takes about 30 times as long for one as ours. */
const MAX_NODES = 200_000;

export function compareByDeepDiff(
  legacy: JsonValue,
  candidate: JsonValue,
  rules: readonly (Rule | CompiledRule)[] = [],
  limits: Partial<Limits> = {},
): Comparison {
  const { depth, differences: most } = { ...DEFAULT_LIMITS, ...limits };
  const tooMuch = beyondCaps(legacy, candidate, depth);
  if (tooMuch)
    return { verdict: "incomparable", differences: [], truncated: true, reason: tooMuch };
  const edits = deepDiff.diff(legacy, candidate) ?? [];
  const budget = { nodes: MAX_NODES * 2, depth, tooDeep: false };
  if (edits.length === 0 && !equal(legacy, candidate, budget)) {
    return { verdict: "incomparable", differences: [], truncated: false, reason: "engine" };
  }
  const { usable, problems } = usableRules(rules);
  const broken: BrokenRules = new Map();
  const differences = edits.slice(0, most).map((edit) => explained(edit, usable, broken));
  const truncated = edits.length > most;
  return { ...verdictOf(differences, truncated, broken), differences, truncated, ...problems };
}

function beyondCaps(legacy: JsonValue, candidate: JsonValue, depth: number): string | undefined {
  if (deeperThan(legacy, depth) || deeperThan(candidate, depth)) return "depth";
  const stack = [legacy, candidate];
  for (let nodes = 0; ; nodes++) {
    const value = stack.pop();
    if (value === undefined) return undefined;
    if (nodes > MAX_NODES) return "nodes";
    if (!isContainer(value)) continue;
    if (Object.hasOwn(value, "") || Object.hasOwn(value, "__proto__")) return "engine";
    for (const child of Object.values(value)) stack.push(child);
  }
}

function usableRules(rules: readonly (Rule | CompiledRule)[]): {
  usable: CompiledRule[];
  problems: { problems?: RuleProblem[] };
} {
  const compiled = compileRules(rules);
  const aligns = ({ verb }: CompiledRule) => ["set", "keyed", "reference"].includes(verb.kind);
  const problems = [
    ...compiled.problems,
    ...compiled.rules.filter(aligns).map(({ path }) => ({
      rule: path,
      message: "deep-diff compares arrays by place; a rule that aligns them cannot be used",
    })),
  ];
  return {
    usable: compiled.rules.filter((rule) => !aligns(rule)),
    problems: problems.length > 0 ? { problems } : {},
  };
}

function explained(
  edit: Diff<JsonValue, JsonValue>,
  rules: readonly CompiledRule[],
  broken: BrokenRules,
): Difference {
  const difference = differenceOf(edit);
  const { path, legacy, candidate } = difference;
  const by = explain(leadsTo(path, rules), { legacy, candidate }, new Map(), broken);
  return by ? { ...difference, rule: by.path } : difference;
}

function differenceOf(edit: Diff<JsonValue, JsonValue>): Difference {
  const path = pointerOf(edit.path ?? []);
  switch (edit.kind) {
    case "N":
      return { kind: "extra", path, candidate: edit.rhs };
    case "D":
      return { kind: "missing", path, legacy: edit.lhs };
    case "E":
      return { kind: editKind(edit.lhs, edit.rhs), path, legacy: edit.lhs, candidate: edit.rhs };
    case "A": {
      const item = differenceOf(edit.item as Diff<JsonValue, JsonValue>);
      return { ...item, path: `${path}/${edit.index}${item.path}` };
    }
    default:
      return edit satisfies never;
  }
}

function editKind(legacy: JsonValue, candidate: JsonValue): DifferenceKind {
  return isContainer(legacy) || isContainer(candidate) ? "type" : kindOf(legacy, candidate);
}

function pointerOf(path: readonly (string | number)[]): string {
  return path.map((key) => `/${escapeSegment(String(key))}`).join("");
}

function verdictOf(
  differences: readonly Difference[],
  truncated: boolean,
  broken: BrokenRules,
): Pick<Comparison, "verdict" | "reason"> {
  if (broken.size > 0) return { verdict: "incomparable", reason: "rule_error" };
  if (differences.some(({ rule }) => rule === undefined)) return { verdict: "mismatch" };
  // What was cut off was explained by nobody.
  if (truncated) return { verdict: "incomparable", reason: "differences" };
  return { verdict: differences.length > 0 ? "ignored" : "match" };
}
