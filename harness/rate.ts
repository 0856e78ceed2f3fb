/** Criteria that hold a bound on a rate against a limit: mismatches, candidate errors, noise. */
import { FAILED, mostly } from "./cause.ts";
import {
  type CompletePolicy,
  type Criterion,
  comparedTrials,
  type Evidence,
  missing,
  type Reason,
} from "./criterion.ts";
import { type Pairs, pairedLowerBound, pairedTrials, pairedUpperBound } from "./paired.ts";
import { anytimeLowerBound, anytimeUpperBound, upperBound } from "./statistics.ts";

export const mismatchRate: Criterion = (evidence, policy) => {
  const { trials, mismatches, ignored = 0 } = evidence;
  const criterion = "mismatch_rate";
  const limit = policy.maxMismatchRate;
  if (trials === undefined) return missing(criterion, limit, "trials");
  if (mismatches === undefined) return missing(criterion, limit, "mismatches");
  const n = comparedTrials(evidence);
  if (mismatches + ignored > n) {
    const detail = `${mismatches} mismatches and ${ignored} ignored do not fit into ${n} compared trials`;
    return { criterion, observed: null, limit, n, status: "undecided", detail };
  }
  return rateReason(criterion, "mismatches", mismatches, n, limit, policy.confidence);
};

export const errorRate: Criterion = ({ trials, candidateErrors, causes }, policy) => {
  const criterion = "error_rate";
  const limit = policy.maxErrorRate;
  if (trials === undefined) return missing(criterion, limit, "trials");
  if (candidateErrors === undefined) return missing(criterion, limit, "candidateErrors");
  if (candidateErrors > trials) {
    const detail = `${candidateErrors} candidate errors do not fit into ${trials} trials`;
    return { criterion, observed: null, limit, n: trials, status: "undecided", detail };
  }
  const reason = rateReason(
    criterion,
    "candidate errors",
    candidateErrors,
    trials,
    limit,
    policy.confidence,
  );
  if (reason.status === "pass") return reason;
  return { ...reason, detail: reason.detail + mostly(causes, FAILED) };
};

/** Passes when the upper bound is within the limit, fails when even the lower bound is above it. */
function rateReason(
  criterion: string,
  events: string,
  count: number,
  n: number,
  limit: number,
  confidence: number,
): Reason {
  if (n === 0) {
    return { criterion, observed: null, limit, n, status: "undecided", detail: "no trials" };
  }
  const observed = anytimeUpperBound(count, n, confidence);
  const least = anytimeLowerBound(count, n, confidence);
  const status = observed <= limit ? "pass" : least > limit ? "fail" : "undecided";
  const exact = upperBound(count, n, confidence);
  const detail =
    `${count} ${events} in ${n} (${percent(count / n)}); at most ${percent(observed)} with ` +
    `${percent(confidence)} confidence at every look, ${percent(exact)} for a single look`;
  return {
    criterion,
    observed,
    limit,
    n,
    status,
    detail: detail + wish(status, count, n, limit, confidence),
  };
}

function wish(status: string, count: number, n: number, limit: number, confidence: number): string {
  if (status !== "undecided" || limit <= 0) return "";
  const enough = (more: number) => anytimeUpperBound(count, n + more, confidence) <= limit;
  let more = 1;
  while (!enough(more) && more < 1e7) more *= 2;
  let short = more / 2;
  while (more - short > Math.max(1, more / 100)) {
    const middle = Math.floor((more + short) / 2);
    if (enough(middle)) more = middle;
    else short = middle;
  }
  return `; about ${Math.ceil(more)} more without another one are needed`;
}

/**
 * Non-inferiority: how much more often candidate differs from legacy than legacy from itself.
 *
 * Both comparisons share one legacy run, so where the same trials show both, their pairs are
 * counted: what differs for the same reason on both sides then costs no trials.
 */
export const noise: Criterion = (evidence, policy) => {
  const criterion = "noise";
  const limit = policy.noiseMargin ?? null;
  const measured = evidence.noise;
  const n = measured?.trials ?? 0;
  if (!measured || n === 0) {
    return limit === null ? undefined : missing(criterion, limit, "noise");
  }
  if (!(measured.mismatches <= n)) {
    const detail = `${measured.mismatches} noise mismatches do not fit into ${n} noise trials`;
    return { criterion, observed: null, limit, n, status: "undecided", detail };
  }
  const { pairs, mismatches } = measured;
  if (pairs === undefined) return unpairedReason(evidence, policy, { trials: n, mismatches });
  if (pairedTrials(pairs) > n) {
    const detail = `${pairedTrials(pairs)} pairs do not fit into ${n} noise trials`;
    return { criterion, observed: null, limit, n, status: "undecided", detail };
  }
  return pairedReason(pairs, policy);
};

function pairedReason(pairs: Pairs, { confidence, noiseMargin }: CompletePolicy): Reason {
  const n = pairedTrials(pairs);
  const observed = pairedUpperBound(pairs, confidence);
  const least = pairedLowerBound(pairs, confidence);
  const detail =
    `of ${n} trials with a second run of legacy, ${pairs.onlyCandidate} differ only in the candidate, ` +
    `${pairs.onlyNoise} only in legacy itself; candidate at most ${percent(Math.max(0, observed))} more often`;
  return marginReason({ observed, least, n, detail }, noiseMargin);
}

/** Within the margin, surely outside of it, or not known yet; without a margin only shown. */
function marginReason(
  { observed, least, n, detail }: { observed: number; least: number; n: number; detail: string },
  limit: number | undefined,
): Reason {
  const reason = { criterion: "noise", observed, n, detail };
  if (limit === undefined) {
    return { ...reason, limit: null, status: "pass", detail: `${detail}; no noiseMargin is set` };
  }
  if (n === 0) return { ...reason, limit, status: "undecided", detail: "no trials" };
  const status = observed <= limit ? "pass" : least > limit ? "fail" : "undecided";
  return { ...reason, limit, status };
}

/** Of different trials: half of the error chance goes to each side of the subtraction (Bonferroni). */
function unpairedReason(
  evidence: Evidence,
  policy: CompletePolicy,
  measured: { trials: number; mismatches: number },
): Reason {
  const compared = comparedTrials(evidence);
  const mismatches = evidence.mismatches ?? compared;
  const confidence = 1 - (1 - policy.confidence) / 2;
  const { trials: n } = measured;
  const own = [
    anytimeLowerBound(measured.mismatches, n, confidence),
    anytimeUpperBound(measured.mismatches, n, confidence),
  ] as const;
  const observed = anytimeUpperBound(mismatches, compared, confidence) - own[0];
  const least = anytimeLowerBound(mismatches, compared, confidence) - own[1];
  const detail =
    `legacy differs from itself in ${measured.mismatches} of ${n} ` +
    `(${percent(measured.mismatches / n)}); candidate at most ${percent(Math.max(0, observed))} more often`;
  const limit = policy.noiseMargin;
  if (compared === 0 && limit !== undefined)
    return { criterion: "noise", observed, limit, n, status: "undecided", detail: "no trials" };
  return marginReason({ observed, least, n, detail }, limit);
}

export function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(3))} %`;
}
