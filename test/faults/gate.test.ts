/** A hundred migrations with each kind of bad candidate, and a hundred with a good one. */
import { describe, expect, test } from "vitest";
import { migrate, WORSE } from "./gate.ts";

describe("a gate that is asked after every one of 700 trials", () => {
  test.each(WORSE)("seldom opens for a candidate that %s", (_, worse, policy) => {
    const { opened } = migrate(worse, { runs: 100, trials: 700, policy, seed: 4 });
    // 100 runs at a true chance of 5 % give at most 11 with 99 % certainty.
    expect(opened).toBeLessThanOrEqual(11);
  });

  test("opens for a candidate that differs once in two thousand trials, half of them within 600", () => {
    const good = { mismatch: 0.0005, error: 0.0005 };
    const { opened, median } = migrate(good, { runs: 100, trials: 3_000, policy: {}, seed: 5 });
    expect(opened).toBeGreaterThanOrEqual(95);
    expect(median).toBeLessThanOrEqual(600);
  });
});
