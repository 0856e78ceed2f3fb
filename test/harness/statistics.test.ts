import { describe, expect, test } from "vitest";
import {
  anytimeLowerBound,
  anytimeUpperBound,
  betaQuantile,
  logBetaCdf,
  logEvidenceBelow,
  logGamma,
  lowerBound,
  upperBound,
} from "../../harness/statistics.ts";

describe("against published values", () => {
  test.each([
    [0.5, 0.5723649429247001],
    [1, 0],
    [5, 3.1780538303479458],
    [100, 359.1342053695754],
  ])("logGamma(%d)", (x, expected) => {
    expect(logGamma(x)).toBeCloseTo(expected, 11);
  });

  // I_x(a, b) in closed form: a binomial tail, and the arcsine law.
  test.each([
    [0.3, 2, 3, 0.3483],
    [0.5, 10, 10, 0.5],
    [0.25, 0.5, 0.5, 1 / 3],
    [0.9, 5, 1, 0.59049],
  ])("the beta distribution at %d with shape %d, %d", (x, a, b, expected) => {
    expect(Math.exp(logBetaCdf(x, a, b))).toBeCloseTo(expected, 12);
  });

  test("the quantile of the uniform distribution is the probability itself", () => {
    expect(betaQuantile(0.37, 1, 1)).toBeCloseTo(0.37, 12);
  });

  /** Smallest n whose 95 % bound is within the limit: standard zero-failure and k-failure tables. */
  test.each([
    [0.05, [59, 93, 124, 153, 208]],
    [0.02, [149, 236, 313, 386, 523]],
    [0.01, [299, 473, 628, 773, 1049]],
    [0.005, [598, 947, 1258, 1549, 2100]],
    [0.001, [2995, 4742, 6294, 7752, 10511]],
  ])("the smallest samples that prove a rate of %d", (limit, sizes) => {
    [0, 1, 2, 3, 5].forEach((events, index) => {
      const n = sizes[index] as number;
      expect(upperBound(events, n, 0.95)).toBeLessThanOrEqual(limit);
      expect(upperBound(events, n - 1, 0.95)).toBeGreaterThan(limit);
    });
  });

  // Clopper-Pearson two-sided 95 % for 10 of 100 is [0.0490, 0.1762] in every textbook table.
  test("the two-sided interval for 10 of 100", () => {
    expect(lowerBound(10, 100, 0.975)).toBeCloseTo(0.0490047, 6);
    expect(upperBound(10, 100, 0.975)).toBeCloseTo(0.1762226, 6);
  });
});

describe("bounds at the edges", () => {
  test("nothing seen says nothing", () => {
    expect([upperBound(0, 0, 0.95), lowerBound(0, 0, 0.95)]).toEqual([1, 0]);
    expect([anytimeUpperBound(0, 0, 0.95), anytimeLowerBound(0, 0, 0.95)]).toEqual([1, 0]);
  });

  test("all events leave 1 possible, none leaves 0 possible", () => {
    expect([upperBound(5, 5, 0.95), anytimeUpperBound(5, 5, 0.95)]).toEqual([1, 1]);
    expect([lowerBound(0, 5, 0.95), anytimeLowerBound(0, 5, 0.95)]).toEqual([0, 0]);
  });

  test("a million trials are no numerical trouble", () => {
    expect(upperBound(1_000, 1e6, 0.95)).toBeCloseTo(0.0010538, 6);
    expect(anytimeUpperBound(1_000, 1e6, 0.95)).toBeGreaterThan(0.001);
    expect(anytimeUpperBound(1_000, 1e6, 0.95)).toBeLessThan(0.0012);
    expect(anytimeLowerBound(1_000, 1e6, 0.95)).toBeGreaterThan(0.0008);
  });
});

describe("the bound that holds at every look", () => {
  test("a spotless record costs 309 trials at 1 % instead of 299", () => {
    expect(anytimeUpperBound(0, 309, 0.95)).toBeLessThanOrEqual(0.01);
    expect(anytimeUpperBound(0, 308, 0.95)).toBeGreaterThan(0.01);
  });

  test("it is never tighter than the bound for a single look", () => {
    for (const n of [10, 100, 1_000]) {
      for (const events of [0, 1, 3, 10]) {
        expect(anytimeUpperBound(events, n, 0.95)).toBeGreaterThanOrEqual(
          upperBound(events, n, 0.95),
        );
        expect(anytimeLowerBound(events, n, 0.95)).toBeLessThanOrEqual(lowerBound(events, n, 0.95));
      }
    }
  });

  test("more events never lower it and more clean trials never raise it", () => {
    for (let events = 0; events < 20; events++) {
      expect(anytimeUpperBound(events + 1, 200, 0.95)).toBeGreaterThan(
        anytimeUpperBound(events, 200, 0.95),
      );
      expect(anytimeUpperBound(events, 201, 0.95)).toBeLessThan(
        anytimeUpperBound(events, 200, 0.95),
      );
    }
  });

  test("the evidence against a rate grows with the rate, so that there is one bound", () => {
    for (const events of [0, 1, 7]) {
      let previous = Number.NEGATIVE_INFINITY;
      for (let p = events / 500 + 0.0005; p < 0.5; p += 0.005) {
        const evidence = logEvidenceBelow(events, 500, p);
        expect(evidence).toBeGreaterThan(previous);
        previous = evidence;
      }
    }
  });

  /** Exact, no simulation: one step multiplies the e-value by at most 1 on average. */
  test("at a true rate of p no step raises the expected e-value", () => {
    for (const p of [0.01, 0.05, 0.3]) {
      for (const [events, n] of [
        [0, 0],
        [0, 20],
        [1, 20],
        [5, 40],
      ] as const) {
        const now = n === 0 ? 0 : logEvidenceBelow(events, n, p);
        const hit = Math.exp(logEvidenceBelow(events + 1, n + 1, p) - now);
        const miss = Math.exp(logEvidenceBelow(events, n + 1, p) - now);
        expect(p * hit + (1 - p) * miss).toBeCloseTo(1, 9);
      }
    }
  });
});
