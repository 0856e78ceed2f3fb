/** Five hundred migrations with each kind of bad candidate, and five hundred with a good one. */
import { describe, expect, test } from "vitest";
import { migrate, WORSE } from "../gate.ts";

const RUNS = 500;

describe("a gate that is asked after every one of 10,000 trials", () => {
  test.each(WORSE)(
    "opens in at most one of twenty migrations whose candidate %s",
    (what, worse, policy) => {
      const { opened } = migrate(worse, { runs: RUNS, trials: 10_000, policy, seed: 20_261_121 });
      console.log(`${opened} of ${RUNS} opened: ${what}`);
      expect(opened).toBeLessThanOrEqual(RUNS * 0.05);
    },
  );

  test("opens for a good candidate, half of them within 600 trials", () => {
    const good = { mismatch: 0.0005, error: 0.0005 };
    const story = { runs: RUNS, trials: 10_000, policy: {}, seed: 20_261_121 };
    const { opened, median } = migrate(good, story);
    console.log(`${opened} of ${RUNS} opened for a good candidate, half of them within ${median}`);
    expect(opened).toBe(RUNS);
    expect(median).toBeLessThanOrEqual(600);
  });
});
