/** Criteria that hold candidate's time and cost against legacy's: not the ratio, but its bound. */
import {
  type Criterion,
  comparedTrials,
  type Evidence,
  missing,
  type Reason,
  round,
} from "./criterion.ts";

/** Between which values the two p95s surely lie, each with half of the error chance; null: unknown. */
export interface P95Bounds {
  legacyLeast: number | null;
  legacyMost: number | null;
  candidateLeast: number | null;
  candidateMost: number | null;
}

/** Sums over `n` trials whose cost is known on both sides, beside the two totals. */
export interface CostPairs {
  n: number;
  legacySquares: number;
  candidateSquares: number;
  products: number;
}

/** Of fewer trials the 95th percentile is the slowest one: it says nothing. */
const MIN_P95_TRIALS = 20;

export const p95Ratio: Criterion = (evidence, { p95Ratio: limit }) => {
  const { legacyP95, candidateP95, bounds } = evidence.latencyMs ?? {};
  const criterion = "p95_ratio";
  // A p95 of 0 ms is a clock that was not read.
  if (!legacyP95 || !candidateP95) return untimed(criterion, limit, evidence);
  const ratio = candidateP95 / legacyP95;
  const detail = `p95 ${round(candidateP95)} ms against ${round(legacyP95)} ms`;
  if (bounds)
    return boundedReason({ criterion, limit, n: comparedTrials(evidence) }, bounds, detail);
  const { trials = 0 } = evidence;
  if (trials < MIN_P95_TRIALS) {
    const why = `${detail}; a p95 needs ${MIN_P95_TRIALS} trials`;
    return { criterion, observed: ratio, limit, n: trials, status: "undecided", detail: why };
  }
  return pointReason(criterion, ratio, limit, evidence, detail);
};

/** Of trials that both sides answered a time is known; without any, none can be. */
function untimed(criterion: string, limit: number, evidence: Evidence): Reason {
  const reason = missing(criterion, limit, "latencyMs");
  if (evidence.trials === undefined || comparedTrials(evidence) > 0) return reason;
  return { ...reason, detail: "there is no trial yet in which both sides answered" };
}

/** The ratio lies in this range when each p95 lies in its own (Bonferroni). */
function boundedReason(
  where: { criterion: string; limit: number; n: number },
  { legacyLeast, legacyMost, candidateLeast, candidateMost }: P95Bounds,
  detail: string,
): Reason {
  const most = legacyLeast && candidateMost !== null ? candidateMost / legacyLeast : null;
  const least = legacyMost && candidateLeast !== null ? candidateLeast / legacyMost : null;
  return intervalReason(where, { least, most }, detail);
}

/** `limit` is held against the upper end; only a lower end above it is a failure. */
function intervalReason(
  { criterion, limit, n }: { criterion: string; limit: number; n: number },
  { least, most }: { least: number | null; most: number | null },
  detail: string,
): Reason {
  const reason = { criterion, observed: most, limit, n };
  const atMost = most === null ? "not bounded by so few trials" : `at most ${round(most)} times`;
  const atLeast = least === null ? "" : `, at least ${round(least)} times`;
  const status =
    most !== null && most <= limit
      ? "pass"
      : least !== null && least > limit
        ? "fail"
        : "undecided";
  return { ...reason, status, detail: `${detail}; ${atMost}${atLeast}` };
}

const DEFAULT_COST_RATIO = 1.2;

export const costRatio: Criterion = (evidence, policy) => {
  if (evidence.costUsd === undefined && policy.costRatio === undefined) return undefined;
  const limit = policy.costRatio ?? DEFAULT_COST_RATIO;
  const { legacy, candidate, pairs } = evidence.costUsd ?? {};
  const criterion = "cost_ratio";
  if (legacy === undefined || candidate === undefined) return missing(criterion, limit, "costUsd");
  if (candidate === 0) {
    return pointReason(criterion, 0, limit, evidence, "candidate costs nothing");
  }
  const detail = `${money(candidate)} against ${money(legacy)}`;
  if (legacy <= 0) {
    return { criterion, observed: null, limit, n: evidence.trials ?? null, status: "fail", detail };
  }
  if (!pairs) return pointReason(criterion, candidate / legacy, limit, evidence, detail);
  const bounds = costBounds({ legacy, candidate, ...pairs }, policy.confidence);
  return intervalReason({ criterion, limit, n: pairs.n }, bounds, detail);
};

function pointReason(
  criterion: string,
  observed: number,
  limit: number,
  evidence: Evidence,
  detail: string,
): Reason {
  const n = evidence.trials ?? null;
  return { criterion, observed, limit, n, status: observed <= limit ? "pass" : "fail", detail };
}

/** Below this the mean of skewed costs is not normal enough for the bound. */
const MIN_COST_TRIALS = 30;
/** Makes the sequence narrowest at about 300 trials. */
const RHO_SQUARED = 0.03;

/**
 * Bounds on candidate's mean cost over legacy's, paired by trial.
 *
 * A ratio r is too small while the mean of (candidate - r · legacy) is surely above zero, and too
 * large while it is surely below. Costs have no upper end, so no bound is exact; this one holds at
 * every look as n grows: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit
 * theory and asymptotic confidence sequences", Annals of Statistics 52 (2024), one-sided form.
 */
export function costBounds(
  sums: { legacy: number; candidate: number } & CostPairs,
  confidence: number,
): { least: number | null; most: number | null } {
  const { n, legacy, candidate, legacySquares, candidateSquares, products } = sums;
  if (n < MIN_COST_TRIALS) return { least: null, most: null };
  const scaled = n * RHO_SQUARED + 1;
  const look = Math.log1p(Math.sqrt(scaled) / (2 * (1 - confidence)));
  const width = Math.sqrt(((2 * scaled) / (n * n * RHO_SQUARED)) * look);
  const excess = (ratio: number, sign: 1 | -1) => {
    const mean = (candidate - ratio * legacy) / n;
    const squares = candidateSquares - 2 * ratio * products + ratio * ratio * legacySquares;
    const deviation = Math.sqrt(Math.max(0, squares / n - mean * mean));
    return mean + sign * width * deviation;
  };
  const point = candidate / legacy;
  return {
    most: edge(point, MOST_RATIO, (ratio) => excess(ratio, 1) <= 0),
    least: edge(0, point, (ratio) => excess(ratio, -1) <= 0) ?? 0,
  };
}

const MOST_RATIO = 1_000_000;

/** Where a predicate begins to hold between two ratios; null when it does not at the upper one. */
function edge(low: number, high: number, holds: (ratio: number) => boolean): number | null {
  if (!holds(high)) return null;
  let [from, to] = [low, high];
  for (let round = 0; round < 100; round++) {
    const middle = (from + to) / 2;
    if (holds(middle)) to = middle;
    else from = middle;
  }
  return to;
}

function money(usd: number): string {
  return `${Number(usd.toPrecision(3))} USD`;
}
