/**
 * Exact and anytime-valid bounds on a rate.
 *
 * Checked in tests against published tables. Clopper & Pearson, Biometrika 26 (1934); mixture
 * e-processes: Ramdas, Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe
 * anytime-valid inference", Statistical Science 38 (2023).
 */

/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7, n = 9; error below 1e-13). */
export function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  const shifted = x - 1;
  let sum = 0.9999999999998099;
  coefficients.forEach((coefficient, index) => {
    sum += coefficient / (shifted + index + 1);
  });
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Logarithm of the regularised incomplete beta function: the chance that Beta(a, b) is below x. */
export function logBetaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return Number.NEGATIVE_INFINITY;
  if (x >= 1) return 0;
  // The fraction converges fast on this side of the mean; on the other, the complement does.
  if (x < (a + 1) / (a + b + 2)) return logFront(x, a, b) + Math.log(continuedFraction(x, a, b));
  return Math.log1p(-Math.exp(logFront(1 - x, b, a)) * continuedFraction(1 - x, b, a));
}

function logFront(x: number, a: number, b: number): number {
  return a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b) - Math.log(a);
}

/** Lentz's evaluation of the fraction DLMF 8.17.22, https://dlmf.nist.gov/8.17#v */
function continuedFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guarded = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guarded(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / guarded(1 + term * d);
      c = guarded(1 + term / c);
      change = c * d;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return fraction;
}

/** The x below which Beta(a, b) lies with this probability. */
export function betaQuantile(probability: number, a: number, b: number): number {
  return bisect((x) => Math.exp(logBetaCdf(x, a, b)) >= probability, 0, 1);
}

/** The smallest x in [low, high] for which a rising predicate holds, to the last digit. */
function bisect(holds: (x: number) => boolean, low: number, high: number): number {
  let from = low;
  let to = high;
  for (let round = 0; round < 200 && to > from; round++) {
    const middle = (from + to) / 2;
    if (middle <= from || middle >= to) break;
    if (holds(middle)) to = middle;
    else from = middle;
  }
  return to;
}

/** One-sided exact (Clopper-Pearson) upper bound on a rate, for a sample size fixed beforehand. */
export function upperBound(events: number, trials: number, confidence: number): number {
  if (trials <= 0 || events >= trials) return 1;
  return betaQuantile(confidence, events + 1, trials - events);
}

/** One-sided exact lower bound on a rate, for a sample size fixed beforehand. */
export function lowerBound(events: number, trials: number, confidence: number): number {
  if (trials <= 0 || events <= 0) return 0;
  return 1 - betaQuantile(confidence, trials - events + 1, events);
}

/**
 * The bet, chosen for few extra trials: at a limit of 1 % it needs 309 spotless trials where a
 * single look needs 299, and 862 with one event where a single look needs 473.
 */
const SPOTLESS = 0.8;
/** The rest of the bet on (0, p) has a density falling like 1/√q. */
const SHAPE = 0.5;

/**
 * Upper bound on a rate that holds at every look at once, however often one looks.
 *
 * For each rate p the e-process bets that the true rate is below p: four fifths on zero, the
 * rest spread over (0, p). Under a true rate of p or more it is a supermartingale, so it exceeds
 * 1/(1 - confidence) ever with at most that chance (Ville). The bound is the largest p it spares.
 */
export function anytimeUpperBound(events: number, trials: number, confidence: number): number {
  if (trials <= 0 || events >= trials) return 1;
  const threshold = -Math.log(1 - confidence);
  return bisect((p) => logEvidenceBelow(events, trials, p) >= threshold, events / trials, 1);
}

/** Logarithm of the e-value against "the rate is at least p". */
export function logEvidenceBelow(events: number, trials: number, p: number): number {
  const misses = trials - events;
  const likelihood = (events > 0 ? events * Math.log(p) : 0) + misses * Math.log1p(-p);
  const spread =
    Math.log(1 - SPOTLESS) +
    Math.log(SHAPE) -
    SHAPE * Math.log(p) +
    logBeta(events + SHAPE, misses + 1) +
    logBetaCdf(p, events + SHAPE, misses + 1) -
    likelihood;
  const spotless = events === 0 ? Math.log(SPOTLESS) - likelihood : Number.NEGATIVE_INFINITY;
  return logSum(spread, spotless);
}

/** Lower bound that holds at every look: the mirrored bet, spread evenly over (p, 1). */
export function anytimeLowerBound(events: number, trials: number, confidence: number): number {
  if (trials <= 0 || events <= 0) return 0;
  const misses = trials - events;
  const threshold = -Math.log(1 - confidence);
  const evidenceAbove = (p: number) =>
    logBeta(events + 1, misses + 1) +
    logBetaCdf(1 - p, misses + 1, events + 1) -
    Math.log1p(-p) -
    events * Math.log(p) -
    (misses > 0 ? misses * Math.log1p(-p) : 0);
  return bisect((p) => evidenceAbove(p) < threshold, 0, events / trials);
}

function logSum(left: number, right: number): number {
  const most = Math.max(left, right);
  return most === Number.NEGATIVE_INFINITY
    ? most
    : most + Math.log(Math.exp(left - most) + Math.exp(right - most));
}
