/**
 * Says with numbers whether a flow is safe to cut over.
 *
 * Fails closed: evidence that is missing, too little or contradicts itself leaves a criterion
 * undecided, one failed criterion closes the gate, and only all of them together open it.
 */
import { TwintrackError } from "../core/error.ts";
import { inputCoverage } from "./coverage.ts";
import type { Criterion, Evidence, Policy, Reason } from "./criterion.ts";
import * as criteria from "./criterion.ts";
import { dropBias } from "./drop.ts";
import { modelVersion } from "./model-version.ts";
import * as rates from "./rate.ts";
import * as ratios from "./ratio.ts";

export type { Evidence, Policy, Reason } from "./criterion.ts";

export interface GateResult {
  decision: "open" | "closed" | "undecided";
  reasons: Reason[];
}

/**
 * What holds where a policy is silent. `noiseMargin` and `minCoverage` have no default: noise and
 * coverage are then only shown. Nor has `costRatio`: costs that nobody reports are asked for only when
 * the policy names a limit.
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
  ratios.p95Ratio,
  ratios.costRatio,
  criteria.notRunRate,
  dropBias,
  inputCoverage,
  modelVersion,
];

/** @throws {TwintrackError} `USAGE` naming a field that is unknown or of the wrong kind. */
export function evaluateGate(evidence: Evidence, policy: Policy = {}): GateResult {
  checkFields("evidence", evidence, EVIDENCE_FIELDS);
  checkFields("policy", policy, POLICY_FIELDS);
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

type Kind = "count" | "amount" | "text" | "texts" | Fields | readonly [Fields];
type Fields = { readonly [field: string]: Kind };

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
  noise: {
    trials: "count",
    mismatches: "count",
    pairs: { onlyCandidate: "count", onlyNoise: "count", both: "count", neither: "count" },
  },
  latencyMs: {
    legacyP95: "amount",
    candidateP95: "amount",
    bounds: {
      legacyLeast: "amount",
      legacyMost: "amount",
      candidateLeast: "amount",
      candidateMost: "amount",
    },
  },
  costUsd: {
    legacy: "amount",
    candidate: "amount",
    pairs: {
      n: "count",
      legacySquares: "amount",
      candidateSquares: "amount",
      products: "amount",
    },
  },
  causes: [{ verdict: "text", reason: "text", trials: "count" }],
  drops: [{ feature: "text", group: "text", notRun: "count", compared: "count" }],
  coverage: { seen: "count", total: "count", unseen: "texts" },
  modelChanges: [{ by: "text", from: "text", to: "text", at: "text", trials: "count" }],
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
  minCoverage: "amount",
};

export const POLICY_NAMES: readonly string[] = Object.keys(POLICY_FIELDS);

/** Absent fields pass here and leave their criterion undecided; wrong and unknown ones do not. */
function checkFields(where: string, given: unknown, fields: Fields): void {
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
    checkValue(name, value, expected);
  }
}

function checkValue(name: string, value: unknown, expected: Kind): void {
  if (expected === "count" || expected === "amount") checkNumber(name, value, expected);
  else if (expected === "text") checkText(name, value);
  else if (expected === "texts") listOf(name, value, (one, place) => checkText(place, one));
  else if (isRow(expected))
    listOf(name, value, (one, place) => checkFields(place, one, expected[0]));
  else checkFields(name, value, expected);
}

function isRow(kind: Fields | readonly [Fields]): kind is readonly [Fields] {
  return Array.isArray(kind);
}

function listOf(name: string, value: unknown, check: (one: unknown, place: string) => void): void {
  if (!Array.isArray(value))
    throw new TwintrackError("USAGE", `${name} is a list, not ${typeof value}`);
  value.forEach((one, index) => {
    check(one, `${name}[${index}]`);
  });
}

function checkText(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new TwintrackError("USAGE", `${name} is a text, not ${JSON.stringify(value)}`);
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
