/**
 * Says with numbers whether a flow is safe to cut over.
 *
 * Fails closed: evidence that is missing, too little or contradicts itself leaves a criterion
 * undecided, one failed criterion closes the gate, and only all of them together open it.
 */
import { TwintrackError } from "../core/error.ts";
import type { Criterion, Evidence, Policy, Reason } from "./criterion.ts";
import * as criteria from "./criterion.ts";
import * as rates from "./rate.ts";

export type { Evidence, Policy, Reason } from "./criterion.ts";

export interface GateResult {
  decision: "open" | "closed" | "undecided";
  reasons: Reason[];
}

/**
 * What holds where a policy is silent. `noiseMargin` has no default: noise is then only shown. Nor
 * has `costRatio`: costs that nobody reports are asked for only when the policy names a limit.
 */
const DEFAULT_POLICY = {
  minTrials: 300,
  minDays: 7,
  /** Of compared trials, as a bound and not as an observation. */
  maxMismatchRate: 0.01,
  confidence: 0.95,
  maxErrorRate: 0.01,
  /** Candidate's p95 over legacy's. */
  p95Ratio: 1.2,
  /** Of answered triggers. */
  maxNotRunRate: 0.05,
} as const satisfies Policy;

const CRITERIA: readonly Criterion[] = [
  criteria.minTrials,
  criteria.minDays,
  rates.mismatchRate,
  rates.noise,
  rates.errorRate,
  criteria.effectDifferences,
  criteria.contractViolations,
  criteria.openBugs,
  criteria.p95Ratio,
  criteria.costRatio,
  criteria.notRunRate,
];

/** @throws {TwintrackError} `USAGE` for a field that is not a number where one is needed. */
export function evaluateGate(evidence: Evidence, policy: Policy = {}): GateResult {
  checkNumbers("evidence", evidence, EVIDENCE_FIELDS);
  checkNumbers("policy", policy, POLICY_FIELDS);
  const given = Object.entries(policy).filter(([, value]) => value !== undefined);
  const complete = { ...DEFAULT_POLICY, ...Object.fromEntries(given) };
  if (!(complete.confidence > 0.5 && complete.confidence < 1)) {
    throw new TwintrackError(
      "USAGE",
      `policy.confidence is between 0.5 and 1, not ${complete.confidence}`,
    );
  }
  const reasons = CRITERIA.flatMap((criterion) => criterion(evidence, complete) ?? []);
  return { decision: decide(reasons), reasons };
}

function decide(reasons: readonly Reason[]): GateResult["decision"] {
  if (reasons.some((reason) => reason.status === "fail")) return "closed";
  return reasons.every((reason) => reason.status === "pass") ? "open" : "undecided";
}

type Fields = { readonly [field: string]: "count" | "amount" | Fields };

const EVIDENCE_FIELDS: Fields = {
  trials: "count",
  mismatches: "count",
  ignored: "count",
  candidateErrors: "count",
  bothFailed: "count",
  effectDifferences: "count",
  contractViolations: "count",
  openBugs: "count",
  answered: "count",
  notRun: "count",
  days: "amount",
  noise: { trials: "count", mismatches: "count" },
  latencyMs: { legacyP95: "amount", candidateP95: "amount" },
  costUsd: { legacy: "amount", candidate: "amount" },
};

const POLICY_FIELDS: Fields = {
  minTrials: "amount",
  minDays: "amount",
  maxMismatchRate: "amount",
  confidence: "amount",
  maxErrorRate: "amount",
  p95Ratio: "amount",
  costRatio: "amount",
  maxNotRunRate: "amount",
  noiseMargin: "amount",
};

/** Absent fields pass here and leave their criterion undecided; wrong and unknown ones do not. */
function checkNumbers(where: string, given: unknown, fields: Fields): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TwintrackError("USAGE", `${where} is an object, not ${JSON.stringify(given)}`);
  }
  for (const [field, value] of Object.entries(given)) {
    const name = `${where}.${field}`;
    const expected = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (expected === undefined) {
      throw new TwintrackError("USAGE", `${name} is not known`, {
        hint: `${where} may hold ${Object.keys(fields).join(", ")}`,
      });
    }
    if (value === undefined || value === null) continue;
    if (typeof expected === "object") checkNumbers(name, value, expected);
    else checkNumber(name, value, expected);
  }
}

function checkNumber(name: string, value: unknown, expected: "count" | "amount"): void {
  const fits =
    typeof value === "number" &&
    Number.isFinite(value) &&
    value >= 0 &&
    (expected === "amount" || Number.isSafeInteger(value));
  if (fits) return;
  const wanted = expected === "count" ? "a whole number" : "a number";
  throw new TwintrackError("USAGE", `${name} is ${wanted} of 0 or more, not ${String(value)}`);
}
