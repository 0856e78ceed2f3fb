/** How much of an answer rules take out of the comparison: what is never looked at cannot differ. */
import type { JsonValue } from "../../core/json.ts";
import type { Difference } from "./difference.ts";
import { isContainer } from "./equal.ts";
import { advanceLeads, ignoringRule, type Leads, startLeads } from "./explain.ts";
import type { CompiledRule } from "./rules.ts";

/** What rules did in one trial. */
export interface RulesUse {
  /** Values of legacy's answer that hold no others; in an answer beyond the cap, of its beginning. */
  leaves: number;
  rules: RuleUse[];
}

export interface RuleUse {
  path: string;
  /** Differences that it explained. */
  explained: number;
  /** Leaves that it ignores, whether or not they differ. */
  hidden: number;
}

/** Leaves and containers looked at. */
const MAX_NODES = 20_000;

/** Null without rules, and without anything else that explains. */
export function rulesUse(
  legacy: JsonValue | undefined,
  differences: readonly Difference[],
  rules: readonly CompiledRule[],
): RulesUse | null {
  if (rules.length === 0 && differences.every(({ rule }) => rule === undefined)) return null;
  const uses = new Map<string, RuleUse>();
  const useOf = (path: string): RuleUse => {
    const use = uses.get(path) ?? { path, explained: 0, hidden: 0 };
    uses.set(path, use);
    return use;
  };
  for (const { rule } of differences) if (rule !== undefined) useOf(rule).explained++;
  const hides = rules.some(({ verb }) => verb.kind === "ignore");
  const leaves = legacy === undefined || !hides ? 0 : countLeaves(legacy, rules, useOf);
  return { leaves, rules: [...uses.values()] };
}

function countLeaves(
  document: JsonValue,
  rules: readonly CompiledRule[],
  useOf: (path: string) => RuleUse,
): number {
  const stack: { value: JsonValue; leads: Leads }[] = [
    { value: document, leads: startLeads(rules) },
  ];
  let leaves = 0;
  for (let nodes = 0; nodes < MAX_NODES; nodes++) {
    const next = stack.pop();
    if (!next) break;
    const { value, leads } = next;
    if (isContainer(value)) {
      const keys = Object.keys(value).slice(0, MAX_NODES);
      const fields = value as { [key: string]: JsonValue };
      // From the end, so that the beginning is what a cap leaves in.
      for (const key of keys.reverse())
        stack.push({ value: fields[key] as JsonValue, leads: advanceLeads(leads, key) });
    } else {
      leaves++;
      const hiding = ignoringRule(leads);
      if (hiding) useOf(hiding.path).hidden++;
    }
  }
  return leaves;
}
