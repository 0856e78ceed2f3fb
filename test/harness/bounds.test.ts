/** Bounds on paired differences, on quantiles and on cost ratios, against what is known of them. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../fixtures/seeded.ts";
import { hypergeometricTail } from "../../harness/drop.ts";
import { pairedLowerBound, pairedUpperBound } from "../../harness/paired.ts";
import { quantileRanks } from "../../harness/quantile.ts";
import { costBounds } from "../../harness/ratio.ts";

const pairs = (onlyCandidate: number, onlyNoise: number, n: number) => ({
  onlyCandidate,
  onlyNoise,
  both: 0,
  neither: n - onlyCandidate - onlyNoise,
});

describe("the bound on a paired difference", () => {
  test("says nothing without a pair", () => {
    expect(pairedUpperBound(pairs(0, 0, 0), 0.95)).toBeCloseTo(1, 9);
    expect(pairedLowerBound(pairs(0, 0, 0), 0.95)).toBeCloseTo(-1, 9);
  });

  test("lies on its side of what was seen, and nearer with more trials", () => {
    for (const [up, down] of [
      [0, 0],
      [5, 5],
      [3, 9],
      [20, 4],
    ] as const) {
      const at = (n: number) => pairedUpperBound(pairs((up * n) / 100, (down * n) / 100, n), 0.95);
      expect(at(100)).toBeGreaterThan((up - down) / 100);
      expect(at(1_000)).toBeLessThan(at(100));
      expect(at(10_000)).toBeLessThan(at(1_000));
      expect(pairedLowerBound(pairs(up, down, 100), 0.95)).toBeLessThan((up - down) / 100);
    }
  });

  test("is raised by a pair that speaks against the candidate, and by no other", () => {
    for (const [up, down, n] of [
      [0, 0, 50],
      [2, 5, 200],
      [30, 10, 400],
    ] as const) {
      const before = pairedUpperBound(pairs(up, down, n), 0.95);
      expect(pairedUpperBound(pairs(up + 1, down, n + 1), 0.95)).toBeGreaterThan(before);
      expect(pairedUpperBound(pairs(up, down + 1, n + 1), 0.95)).toBeLessThan(before);
    }
  });

  test("needs fewer trials than two separate bounds, where both differ for one reason", () => {
    // 10 % of the trials differ on both sides alike; unpaired, that variance is paid for twice.
    const shared = { onlyCandidate: 0, onlyNoise: 0, both: 60, neither: 540 };
    expect(pairedUpperBound(shared, 0.95)).toBeLessThan(0.01);
  });

  test("is passed by the true difference at any of 400 looks in at most 5 % of 400 runs", () => {
    const random = seeded(20_261_121);
    let missed = 0;
    for (let run = 0; run < 400; run++) if (everBelowTruth(random)) missed++;
    // 400 runs at a true chance of 5 % give at most 31 with 99 % certainty.
    expect(missed).toBeLessThanOrEqual(31);
  });
});

/** 4 % only the candidate, 2 % only legacy itself: the true difference is 0.02. */
function everBelowTruth(random: () => number): boolean {
  const seen = { onlyCandidate: 0, onlyNoise: 0, both: 0, neither: 0 };
  for (let look = 1; look <= 400; look++) {
    const drawn = random();
    if (drawn < 0.04) seen.onlyCandidate++;
    else if (drawn < 0.06) seen.onlyNoise++;
    else seen.neither++;
    if (look % 8 === 0 && pairedUpperBound(seen, 0.95) < 0.02) return true;
  }
  return false;
}

describe("the ranks that bound a p95", () => {
  test("do not exist for so few values that the largest may lie below it", () => {
    expect(quantileRanks(0.95, 0, 0.975)).toEqual({ most: null, least: null });
    expect(quantileRanks(0.95, 71, 0.975).most).toBeNull(); // 0.95^71 > 0.025
    expect(quantileRanks(0.95, 80, 0.975).most).toBe(0);
  });

  test("enclose the p95 and close in on it", () => {
    for (const n of [200, 2_000, 20_000]) {
      const { most, least } = quantileRanks(0.95, n, 0.975);
      expect(most).toBeLessThan(n * 0.05);
      expect(least).toBeGreaterThan(n * 0.05);
    }
    const width = (n: number) => {
      const { most, least } = quantileRanks(0.95, n, 0.975);
      return ((least ?? n) - (most ?? 0)) / n;
    };
    expect(width(20_000)).toBeLessThan(width(2_000) / 2);
  });

  test("enclose the p95 of a heavy tail in at least 95 % of 300 samples", () => {
    const random = seeded(7);
    const trueP95 = 0.05 ** (-1 / 1.5);
    let missed = 0;
    for (let run = 0; run < 300; run++) {
      const sample = Array.from({ length: 400 }, () => (1 - random()) ** (-1 / 1.5));
      sample.sort((left, right) => right - left);
      const { most, least } = quantileRanks(0.95, sample.length, 0.975);
      const isBelow = most !== null && (sample[most] ?? 0) < trueP95;
      const isAbove = least !== null && (sample[least] ?? 0) > trueP95;
      if (isBelow || isAbove) missed++;
    }
    expect(missed).toBeLessThanOrEqual(15);
  });
});

describe("the bounds on a cost ratio", () => {
  const sums = (rows: readonly (readonly [number, number])[]) => {
    const sum = (of: (legacy: number, candidate: number) => number) =>
      rows.reduce((total, [legacy, candidate]) => total + of(legacy, candidate), 0);
    return {
      n: rows.length,
      legacy: sum((legacy) => legacy),
      candidate: sum((_, candidate) => candidate),
      legacySquares: sum((legacy) => legacy * legacy),
      candidateSquares: sum((_, candidate) => candidate * candidate),
      products: sum((legacy, candidate) => legacy * candidate),
    };
  };

  test("are not told of fewer than thirty trials", () => {
    expect(costBounds(sums(Array(29).fill([1, 1])), 0.95)).toEqual({ least: null, most: null });
  });

  test("are the ratio itself where every trial costs the same multiple", () => {
    const rows = Array.from({ length: 50 }, (_, index) => [index + 1, (index + 1) * 0.8] as const);
    const { least, most } = costBounds(sums(rows), 0.95);
    expect([least, most]).toEqual([expect.closeTo(0.8, 6), expect.closeTo(0.8, 6)]);
  });

  test("enclose the true ratio of skewed costs in at least 95 % of 300 samples", () => {
    const random = seeded(99);
    const skewed = () => -Math.log(1 - random());
    let missed = 0;
    for (let run = 0; run < 300; run++) {
      const rows = Array.from({ length: 300 }, () => [skewed(), 1.1 * skewed()] as const);
      const { least, most } = costBounds(sums(rows), 0.95);
      if ((most ?? 9) < 1.1 || (least ?? 0) > 1.1) missed++;
    }
    expect(missed).toBeLessThanOrEqual(15);
  });
});

test("Fisher's tail is that of the lady tasting tea", () => {
  // Fisher, "The Design of Experiments" (1935): all four of eight cups right, and three or more.
  expect(hypergeometricTail(4, 4, 4, 8)).toBeCloseTo(1 / 70, 12);
  expect(hypergeometricTail(3, 4, 4, 8)).toBeCloseTo(17 / 70, 12);
  expect(hypergeometricTail(0, 4, 4, 8)).toBeCloseTo(1, 12);
});
