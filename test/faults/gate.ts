/** Migrations as dice: a candidate with known faults, a gate that is asked after every trial. */
import { seeded } from "../../fixtures/seeded.ts";
import { type Evidence, evaluateGate, type Policy } from "../../harness/gate.ts";

/** How often things happen in one trial of a migration. */
export interface Candidate {
  mismatch: number;
  error: number;
  /** Legacy against itself, in every trial; `mismatch` is then what only the candidate shows. */
  noise?: number;
}

export interface Migrations {
  opened: number;
  /** Trials until the gate opened, of half of those that opened; null when none did. */
  median: number | null;
}

interface Seen {
  mismatches: number;
  errors: number;
  noise: number;
}

/**
 * Lets `runs` migrations go on for `trials` trials each and asks the gate after every one of them.
 *
 * With equal counts of everything that speaks against a candidate, a gate that is open stays open as
 * clean trials come in: so the fewest trials for each set of counts are looked for once.
 */
export function migrate(
  candidate: Candidate,
  { runs, trials, policy, seed }: { runs: number; trials: number; policy: Policy; seed: number },
): Migrations {
  const random = seeded(seed);
  const known = new Map<string, number>();
  const opensAt = (seen: Seen) => {
    const key = `${seen.mismatches} ${seen.errors} ${seen.noise}`;
    const found = known.get(key) ?? fewest(seen, candidate, trials, policy);
    known.set(key, found);
    return found;
  };
  const opened = Array.from({ length: runs }, () =>
    openedAfter(random, candidate, trials, opensAt),
  );
  const lengths = opened.filter((length) => length !== null).sort((left, right) => left - right);
  return { opened: lengths.length, median: lengths[lengths.length >> 1] ?? null };
}

function openedAfter(
  random: () => number,
  candidate: Candidate,
  trials: number,
  opensAt: (seen: Seen) => number,
): number | null {
  const seen: Seen = { mismatches: 0, errors: 0, noise: 0 };
  let atLeast = opensAt(seen);
  for (let trial = 1; trial <= trials; trial++) {
    const before = seen.mismatches + seen.errors + seen.noise;
    if (random() < candidate.error) seen.errors++;
    else if (random() < candidate.mismatch) seen.mismatches++;
    else if (random() < (candidate.noise ?? 0)) seen.noise++;
    if (seen.mismatches + seen.errors + seen.noise !== before) atLeast = opensAt(seen);
    if (trial >= atLeast) return trial;
  }
  return null;
}

function fewest(seen: Seen, candidate: Candidate, trials: number, policy: Policy): number {
  const opens = (n: number) =>
    evaluateGate(evidenceOf(seen, candidate, n), policy).decision === "open";
  if (!opens(trials)) return Number.POSITIVE_INFINITY;
  let low = seen.mismatches + seen.errors + seen.noise - 1;
  let high = trials;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (opens(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function evidenceOf(
  { mismatches, errors, noise }: Seen,
  candidate: Candidate,
  n: number,
): Evidence {
  const compared = Math.max(0, n - errors);
  const only = { onlyCandidate: mismatches, onlyNoise: noise, both: 0 };
  const pairs = { ...only, neither: Math.max(0, compared - mismatches - noise) };
  return {
    trials: n,
    mismatches,
    ignored: 0,
    candidateErrors: errors,
    bothFailed: 0,
    effectDifferences: 0,
    contractViolations: 0,
    openBugs: 0,
    answered: n,
    notRun: 0,
    days: 30,
    latencyMs: { legacyP95: 100, candidateP95: 90 },
    ...(candidate.noise !== undefined && {
      noise: { trials: compared, mismatches: noise, pairs },
    }),
  };
}

/** A quarter over the limit is the hardest to tell from a good one. */
export const WORSE: readonly (readonly [string, Candidate, Policy])[] = [
  ["differs a quarter more often than the limit", { mismatch: 0.0125, error: 0 }, {}],
  ["differs twice as often as the limit", { mismatch: 0.02, error: 0 }, {}],
  ["fails a quarter more often than the limit", { mismatch: 0, error: 0.0125 }, {}],
  [
    "is noisier than legacy by more than the margin",
    { mismatch: 0.06, error: 0, noise: 0.03 },
    { noiseMargin: 0.025, maxMismatchRate: 0.5 },
  ],
];
