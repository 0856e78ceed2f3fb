/**
 * Bounds on how much more often one thing happens than another, both seen on the same trials.
 *
 * Of each trial only the sign of the difference counts: +1 only the first happened, -1 only the
 * second, 0 both or neither (McNemar's table). The bound is a bet against every mean at once:
 * Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86
 * (2024). It is exact for every n and holds at every look (Ville); nothing is approximated.
 */

export interface Pairs {
  /** Trials in which only the candidate differs from legacy. */
  onlyCandidate: number;
  /** Trials in which only legacy's second run differs from its first. */
  onlyNoise: number;
  both: number;
  neither: number;
}

export function pairedTrials({ onlyCandidate, onlyNoise, both, neither }: Pairs): number {
  return onlyCandidate + onlyNoise + both + neither;
}

/** Upper bound on the rate of `onlyCandidate` less the rate of `onlyNoise`, at every look at once. */
export function pairedUpperBound(pairs: Pairs, confidence: number): number {
  const threshold = -Math.log(1 - confidence);
  const signs = {
    up: pairs.onlyCandidate,
    down: pairs.onlyNoise,
    same: pairs.both + pairs.neither,
  };
  let low = -1;
  let high = 1;
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (logWealth(signs, middle) >= threshold) high = middle;
    else low = middle;
  }
  return high;
}

export function pairedLowerBound(pairs: Pairs, confidence: number): number {
  const { onlyCandidate, onlyNoise } = pairs;
  const swapped = { ...pairs, onlyCandidate: onlyNoise, onlyNoise: onlyCandidate };
  return -pairedUpperBound(swapped, confidence);
}

/** The shares of its wealth that the bet puts at risk, and how it is divided among them. */
const STAKES = [
  { share: 1, weight: 0.3 },
  ...Array.from({ length: 10 }, (_, index) => ({ share: 2 ** -(index + 1), weight: 0.07 })),
];

/**
 * Logarithm of the e-value against "the mean is at least m": each stake gains share · (m - d) / (1 - m)
 * on a trial of sign d, which no trial expects to gain while the mean is m or more.
 */
function logWealth({ up, down, same }: { up: number; down: number; same: number }, m: number) {
  const gains = STAKES.map(({ share, weight }) => {
    const lost = up === 0 ? 0 : up * Math.log1p(-share);
    const even = same === 0 ? 0 : same * Math.log1p((share * m) / (1 - m));
    const won = down === 0 ? 0 : down * Math.log1p((share * (1 + m)) / (1 - m));
    return Math.log(weight) + lost + even + won;
  });
  const most = Math.max(...gains);
  if (!Number.isFinite(most)) return most;
  return most + Math.log(gains.reduce((sum, gain) => sum + Math.exp(gain - most), 0));
}
