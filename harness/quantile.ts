/**
 * Bounds on a quantile from order statistics, without a guess at the distribution, at every look.
 *
 * A value lies above the quantile q with probability 1 - q, so the anytime-valid bounds on a rate
 * say how many values may lie above it: Howard & Ramdas, "Sequential estimation of quantiles",
 * Bernoulli 28 (2022).
 */
import { anytimeLowerBound, logEvidenceBelow } from "./statistics.ts";

/** Ranks among the values in falling order, from 0; null when so few values bound nothing. */
export interface QuantileRanks {
  /** The value of this rank is at least the quantile. */
  most: number | null;
  /** The value of this rank is at most the quantile. */
  least: number | null;
}

export function quantileRanks(quantile: number, n: number, confidence: number): QuantileRanks {
  const above = 1 - quantile;
  const threshold = -Math.log(1 - confidence);
  const tooFew = (events: number) => logEvidenceBelow(events, n, above) < threshold;
  const tooMany = (events: number) => anytimeLowerBound(events, n, confidence) > above;
  const most = firstOf(n, tooFew) - 1;
  const least = firstOf(n, tooMany) - 1;
  return {
    most: n > 0 && most >= 0 ? most : null,
    least: n > 0 && least >= 0 && least < n ? least : null,
  };
}

/** The smallest count in [0, n] for which a rising predicate holds; n + 1 when none does. */
function firstOf(n: number, holds: (count: number) => boolean): number {
  let low = -1;
  let high = n + 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
