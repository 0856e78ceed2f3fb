/** How often legacy disagrees with itself. */
import { lowerBound, upperBound } from "../statistics.ts";

export interface NoiseRate {
  /** In [0, 1]; with its exact two-sided 95 % interval. */
  rate: number;
  lower: number;
  upper: number;
}

/** @returns null without trials: no measurement is not a rate of zero. */
export function noiseRate({ trials, noisy }: { trials: number; noisy: number }): NoiseRate | null {
  if (trials <= 0) return null;
  return {
    rate: noisy / trials,
    lower: lowerBound(noisy, trials, 0.975),
    upper: upperBound(noisy, trials, 0.975),
  };
}
