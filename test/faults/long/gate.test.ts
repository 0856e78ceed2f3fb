/** Five hundred migrations with each kind of bad candidate, and five hundred with a good one. */
import { describe, expect, test } from "vitest";
import { migrate, WORSE } from "../gate.ts";

const RUNS = 500;

describe("a gate that is asked after every trial", () => {
  test.each(WORSE)(
    "opens in at most one of twenty migrations whose candidate %s",
    (what, worse, policy) => {
      // Noise has two counts to look up instead of one: fewer trials take as long.
      const trials = worse.noise === undefined ? 10_000 : 2_000;
      const { opened } = migrate(worse, { runs: RUNS, trials, policy, seed: 20_261_121 });
      console.log(`${opened} of ${RUNS} opened: ${what}`);
      expect(opened).toBeLessThanOrEqual(RUNS * 0.05);
    },
  );

  test("opens in about one of twenty at most for a candidate that differs as often as the limit", () => {
    const atLimit = { mismatch: 0.01, error: 0 };
    const story = { runs: 2_000, trials: 10_000, policy: {}, seed: 20_261_121 };
    const { opened } = migrate(atLimit, story);
    console.log(`${opened} of 2000 opened at the limit itself`);
    // 2,000 runs at a true chance of 5 % give at most 123 with 99 % certainty.
    expect(opened).toBeLessThanOrEqual(123);
  });

  test("opens for a good candidate, half of them within 600 trials", () => {
    const good = { mismatch: 0.0005, error: 0.0005 };
    const story = { runs: RUNS, trials: 10_000, policy: {}, seed: 20_261_121 };
    const { opened, median } = migrate(good, story);
    console.log(`${opened} of ${RUNS} opened for a good candidate, half of them within ${median}`);
    expect(opened).toBe(RUNS);
    expect(median).toBeLessThanOrEqual(600);
  });
});
