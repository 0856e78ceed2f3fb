/** The criteria of the gate, one function each: evidence and policy in, one reason out. */
import { type Cause, mostly, UNCOMPARED } from "./cause.ts";
import type { Coverage } from "./coverage.ts";
import type { DropGroup } from "./drop.ts";
import type { ModelChange } from "./model-version.ts";
import type { Pairs } from "./paired.ts";
import type { CostPairs, P95Bounds } from "./ratio.ts";

/** What was seen of one flow since its trials count. A field nobody measured is left out. */
export interface Evidence {
  /** Judged trials: every verdict except `not_run` and `incomparable`. */
  trials?: number;
  /** Trials with an unexplained difference between two answers. */
  mismatches?: number;
  /** Trials whose every difference a rule or a decision explains. */
  ignored?: number;
  /** Trials in which only the candidate failed or timed out. */
  candidateErrors?: number;
  /** Trials in which both sides failed, in the same way or not. */
  bothFailed?: number;
  /** Trials with an unexplained difference between the writes. */
  effectDifferences?: number;
  contractViolations?: number;
  /** Divergences decided to be `candidate_bug`. */
  openBugs?: number;
  /** Triggers that were answered. */
  answered?: number;
  /** Answered triggers whose other side was never run. */
  notRun?: number;
  /** Days between the first and the last trial. */
  days?: number;
  /** Trials of legacy against itself; `pairs` holds it beside the candidate's on the same trials. */
  noise?: { trials: number; mismatches: number; pairs?: Pairs };
  latencyMs?: { legacyP95: number; candidateP95: number; bounds?: P95Bounds };
  /** Of the same triggers on both sides. */
  costUsd?: { legacy: number; candidate: number; pairs?: CostPairs };
  /** Why trials were not compared, and how candidates failed; said with the criteria that they breach. */
  causes?: Cause[];
  /** Who was not compared: per group of triggers, how many were not and how many were. */
  drops?: DropGroup[];
  coverage?: Coverage;
  /** Versions of models that took the place of others among these trials. */
  modelChanges?: ModelChange[];
}

/** Limits that people set; see `DEFAULT_POLICY` in gate.ts for what holds without them. */
export interface Policy {
  minTrials?: number;
  minDays?: number;
  maxMismatchRate?: number;
  /** One-sided, for every bound; 0.95 means wrong in at most one of twenty flows. */
  confidence?: number;
  maxErrorRate?: number;
  p95Ratio?: number;
  costRatio?: number;
  maxNotRunRate?: number;
  /** How much more often candidate may differ from legacy than legacy differs from itself. */
  noiseMargin?: number;
  /** Share of what the input schema and the flow's graph name that the trials must have seen. */
  minCoverage?: number;
}

type Silent = "noiseMargin" | "costRatio" | "minCoverage";

export type CompletePolicy = Required<Omit<Policy, Silent>> & Pick<Policy, Silent>;

export interface Reason {
  criterion: string;
  /** What the limit is held against: a bound for rates, the number itself otherwise. */
  observed: number | null;
  limit: number | null;
  /** Trials or triggers the observation rests on. */
  n: number | null;
  status: "pass" | "fail" | "undecided";
  detail: string;
}

/** @returns undefined when the criterion does not apply. */
export type Criterion = (evidence: Evidence, policy: CompletePolicy) => Reason | undefined;

export function missing(criterion: string, limit: number | null, field: string): Reason {
  const detail = `evidence.${field} is missing`;
  return { criterion, observed: null, limit, n: null, status: "undecided", detail };
}

/** Trials in which both sides answered: only these can show that the answers are equal. */
export function comparedTrials({
  trials = 0,
  candidateErrors = 0,
  bothFailed = 0,
}: Evidence): number {
  return Math.max(0, trials - candidateErrors - bothFailed);
}

export const minTrials: Criterion = (evidence, policy) => {
  const criterion = "min_trials";
  const limit = policy.minTrials;
  if (evidence.trials === undefined) return missing(criterion, limit, "trials");
  const n = comparedTrials(evidence);
  const enough = n >= limit && n > 0;
  const detail = enough
    ? `${n} trials in which both sides answered`
    : `${Math.max(1, limit - n)} more trials in which both sides answer are needed`;
  return { criterion, observed: n, limit, n, status: enough ? "pass" : "undecided", detail };
};

export const minDays: Criterion = ({ days }, { minDays: limit }) => {
  if (days === undefined) return missing("min_days", limit, "days");
  const enough = days >= limit;
  const detail = enough
    ? `${Number(days.toFixed(2))} days of trials`
    : `${round(limit - days)} more days are needed`;
  const status = enough ? "pass" : "undecided";
  return { criterion: "min_days", observed: days, limit, n: null, status, detail };
};

export const effectDifferences = none(
  "effect_differences",
  "effectDifferences",
  "trials whose writes differ",
);
export const contractViolations = none(
  "contract_violations",
  "contractViolations",
  "contract violations",
);
export const openBugs = none("open_bugs", "openBugs", "open divergences of the kind candidate bug");

function none(
  criterion: string,
  field: "effectDifferences" | "contractViolations" | "openBugs",
  what: string,
): Criterion {
  return (evidence) => {
    const observed = evidence[field];
    if (observed === undefined) return missing(criterion, 0, field);
    const status = observed === 0 ? "pass" : "fail";
    const n = evidence.trials ?? null;
    return { criterion, observed, limit: 0, n, status, detail: `${observed} ${what}` };
  };
}

/** Triggers that were dropped may be the difficult ones, so a clean rest proves little. */
export const notRunRate: Criterion = (
  { answered, notRun, trials = 0, causes },
  { maxNotRunRate: limit },
) => {
  const criterion = "not_run_rate";
  if (answered === undefined) return missing(criterion, limit, "answered");
  if (notRun === undefined) return missing(criterion, limit, "notRun");
  const n = answered;
  const undecided = (detail: string): Reason => ({
    criterion,
    observed: null,
    limit,
    n,
    status: "undecided",
    detail,
  });
  if (n === 0) return undecided("no triggers");
  if (notRun + trials > n) {
    return undecided(
      `${trials} trials and ${notRun} not run do not fit into ${n} answered triggers`,
    );
  }
  const observed = notRun / n;
  const told = `${notRun} of ${n} answered triggers were never compared`;
  const status = observed <= limit ? "pass" : "fail";
  const detail = status === "pass" ? told : `${told}${mostly(causes, UNCOMPARED)}`;
  return { criterion, observed, limit, n, status, detail };
};

export function round(value: number): number {
  return Number(value.toPrecision(3));
}
