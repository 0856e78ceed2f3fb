/** The verdict on one trial: outputs, errors and writes of both sides together. */

import type { NamedCall } from "../../core/counterpart.ts";
import { messageOf } from "../../core/error.ts";
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import type { Outcome, SerializedError } from "../../core/outcome.ts";
import type { Side } from "../../core/trigger.ts";
import { ruleForArguments } from "./arguments.ts";
import { compare } from "./compare.ts";
import { compareByDeepDiff } from "./deep-diff.ts";
import { type Difference, isUnexplained, type Verdict } from "./difference.ts";
import { compareEffects } from "./effects.ts";
import { type BrokenRules, explain, leadsTo } from "./explain.ts";
import { type CompiledRule, compileRules, type Rule } from "./rules.ts";

/** What compares two answers. */
export type Engine = "twintrack" | "deep-diff";

const ENGINES = { twintrack: compare, "deep-diff": compareByDeepDiff };

export interface Observation {
  legacy: Outcome;
  candidate: Outcome;
  legacyCalls: readonly ToolCall[];
  candidateCalls: readonly ToolCall[];
  rules: readonly (Rule | CompiledRule)[];
  /** Default: ours. */
  engine?: Engine | undefined;
  /** The part of an answer that counts; without it, all of it. */
  extract?: (value: JsonValue, side: Side) => JsonValue;
}

export interface Judgement {
  verdict: Verdict;
  differences: Difference[];
  truncated: boolean;
  /** Only with `incomparable`. */
  reason?: string;
}

export function judge(observation: Observation): Judgement {
  const { rules } = compileRules(observation.rules);
  const broken: BrokenRules = new Map();
  const effects = compareEffects(observation.legacyCalls, observation.candidateCalls).map(
    (difference) => withRule(difference, rules, broken),
  );
  const output = judgeOutcomes({ ...observation, rules }, broken);
  const differences = [...output.differences, ...effects];
  if (broken.size > 0)
    return { ...output, differences, verdict: "incomparable", reason: "rule_error" };
  const verdict = withEffects(output.verdict, effects);
  return { ...output, differences, verdict };
}

/** Another effect outweighs an equal answer, and two failures that wrote differently differ. */
function withEffects(verdict: Verdict, effects: readonly Difference[]): Verdict {
  if (effects.some(isUnexplained)) {
    if (verdict === "match" || verdict === "ignored") return "mismatch";
    if (verdict === "both_failed_same") return "both_failed_different";
  }
  return verdict === "match" && effects.length > 0 ? "ignored" : verdict;
}

function judgeOutcomes(observation: Observation, broken: BrokenRules): Judgement {
  const { legacy, candidate } = observation;
  if (candidate.status !== "returned") {
    return legacy.status === "returned"
      ? candidateFailed(candidate)
      : bothFailed(legacy, candidate, compileRules(observation.rules).rules, broken);
  }
  if (legacy.status !== "returned") {
    return { verdict: "mismatch", differences: [failure("legacy", legacy)], truncated: false };
  }
  return judgeValues(observation, legacy.value, candidate.value);
}

function judgeValues(observation: Observation, legacy: JsonValue, candidate: JsonValue): Judgement {
  const extract = observation.extract ?? ((value: JsonValue) => value);
  try {
    const sides = [extract(legacy, "legacy"), extract(candidate, "candidate")] as const;
    const comparison = ENGINES[observation.engine ?? "twintrack"](...sides, observation.rules);
    const { verdict, differences, truncated, reason } = comparison;
    const judgement = { verdict, differences, truncated };
    return reason === undefined ? judgement : { ...judgement, reason };
  } catch (error) {
    const reason = `extract failed: ${messageOf(error)}`;
    return { verdict: "incomparable", differences: [], truncated: false, reason };
  }
}

type Failure = Exclude<Outcome, { status: "returned" }>;

/** The candidate failed, and legacy did not or cannot tell. */
export function candidateFailed(candidate: Failure): Judgement {
  const verdict = candidate.status === "threw" ? "candidate_error" : "candidate_timeout";
  return { verdict, differences: [failure("candidate", candidate)], truncated: false };
}

function failure(side: Side, outcome: Failure): Difference {
  const kind = outcome.status === "threw" ? "error" : "timeout";
  return { kind, path: "", [side]: failureValue(outcome), detail: `only ${side} failed` };
}

function failureValue(outcome: Failure): JsonValue {
  return outcome.status === "threw"
    ? { name: outcome.error.name, message: outcome.error.message }
    : { afterMs: outcome.afterMs };
}

function bothFailed(
  legacy: Failure,
  candidate: Failure,
  rules: readonly CompiledRule[],
  broken: BrokenRules,
): Judgement {
  const differences = failureDifferences(legacy, candidate).map((found) =>
    withRule(found, rules, broken),
  );
  const same = !differences.some(isUnexplained);
  const verdict = same ? "both_failed_same" : "both_failed_different";
  return { verdict, differences, truncated: false };
}

/** Two errors are the same when class name and message are equal; how long a timeout took is not compared. */
function failureDifferences(legacy: Failure, candidate: Failure): Difference[] {
  if (legacy.status === "threw" && candidate.status === "threw") {
    return errorDifferences(legacy.error, candidate.error);
  }
  if (legacy.status === candidate.status) return [];
  const sides = { legacy: failureValue(legacy), candidate: failureValue(candidate) };
  return [
    { kind: "error", path: "/error", ...sides, detail: "the sides failed in different ways" },
  ];
}

function errorDifferences(legacy: SerializedError, candidate: SerializedError): Difference[] {
  return (["name", "message"] as const)
    .filter((field) => legacy[field] !== candidate[field])
    .map((field) => ({
      kind: "error",
      path: `/error/${field}`,
      legacy: legacy[field],
      candidate: candidate[field],
    }));
}

/**
 * Rules reach errors at `/error/name` and `/error/message`, writes at `/effects/<tool>`, and the
 * arguments of a changed write below that.
 */
function withRule(
  difference: Difference,
  rules: readonly CompiledRule[],
  broken: BrokenRules,
): Difference {
  const { path, legacy, candidate } = difference;
  if (!isUnexplained(difference)) return difference;
  const by = explain(leadsTo(path, rules), { legacy, candidate }, new Map(), broken);
  const rule = by?.path ?? ruleForWrite(difference, rules);
  return rule === undefined ? difference : { ...difference, rule };
}

function ruleForWrite(
  { detail, legacy, candidate }: Difference,
  rules: readonly CompiledRule[],
): string | undefined {
  if (detail !== "changed" || !isWrite(legacy) || !isWrite(candidate)) return undefined;
  const sides = { legacy: legacy.args, candidate: candidate.args };
  return ruleForArguments(legacy.tool, sides, rules);
}

function isWrite(value: unknown): value is NamedCall {
  return isJsonObject(value) && typeof value.tool === "string" && "args" in value;
}
