/**
 * Compares two JSON values and says where they differ.
 *
 * Exact unless rules say otherwise: `{}` is not `[]`, `1` equals `1.0`, key order does not matter.
 * The walk keeps its own stack, looks at every node once, and stops at its caps with a word about
 * it. Callers who hold bytes should first ask whether the bytes are equal.
 */
import type { JsonValue } from "../../core/json.ts";
import type { Difference } from "./difference.ts";
import { type CompiledRule, compileRules, type Rule, type RuleProblem } from "./rules.ts";
import { DEFAULT_LIMITS, type Limits, Walk } from "./walk.ts";

export interface Comparison {
  verdict: "match" | "mismatch" | "ignored" | "incomparable";
  differences: Difference[];
  /** A cap was reached: there may be more differences than are listed. */
  truncated: boolean;
  /** Why the values are incomparable: `depth`, `nodes`, `rule_error`; `engine` where deep-diff is blind. */
  reason?: string;
  /** Rules that could not be used; they silenced nothing. */
  problems?: readonly RuleProblem[];
}

/**
 * @param rules as people write them, or already compiled by {@link compileRules}, which is cheaper
 *   for many trials and the only way to apply expiry dates.
 */
export function compare(
  legacy: JsonValue,
  candidate: JsonValue,
  rules: readonly (Rule | CompiledRule)[] = [],
  limits: Partial<Limits> = {},
): Comparison {
  const compiled = compileRules(rules);
  const walk = new Walk(compiled.rules, { ...DEFAULT_LIMITS, ...limits });
  walk.run(legacy, candidate);
  const problems = [...compiled.problems, ...problemsOf(walk)];
  return { ...conclude(walk), ...(problems.length > 0 ? { problems } : {}) };
}

function problemsOf({ broken }: Walk): RuleProblem[] {
  return [...broken].map(([{ path }, message]) => ({ rule: path, message }));
}

function conclude(walk: Walk): Comparison {
  const { differences, truncated, unexplained, tooDeep, outOfNodes, broken } = walk;
  if (tooDeep)
    return { verdict: "incomparable", differences: [], truncated: true, reason: "depth" };
  // What the rule would have said of the other differences is not known either.
  if (broken.size > 0)
    return { verdict: "incomparable", differences, truncated, reason: "rule_error" };
  if (unexplained > 0) return { verdict: "mismatch", differences, truncated };
  // Equal so far is not equal.
  if (outOfNodes) return { verdict: "incomparable", differences, truncated, reason: "nodes" };
  return { verdict: differences.length > 0 ? "ignored" : "match", differences, truncated };
}
