/** The comparison at length. */
import { expect, test } from "vitest";
import { fuzzCompare } from "../compare-fuzz.ts";
import { cleanShadow, seedDivergences } from "../divergences.ts";
import { SEEDS } from "../documents.ts";

test("1,000,000 fuzzed pairs: reflexive, a mirror of themselves, explained by deep-diff's edits, no prototype changed", () => {
  const { differing, explained } = fuzzCompare(1_000_000, 50_000);

  expect(differing).toBeGreaterThan(400_000);
  expect(explained).toBeGreaterThan(60_000);
}, 1_200_000);

test("of 2,000 seeded divergences at least 99.5 % are found and grouped by what went wrong", () => {
  const { seeded, rightlyGrouped, groups } = seedDivergences(2_000);

  expect(rightlyGrouped / seeded).toBeGreaterThanOrEqual(0.995);
  expect(groups).toBe(SEEDS.length + 4);
});

test("of 2,000 trials that differ by noise alone at most 0.2 % alarm", () => {
  const { trials, alarms } = cleanShadow(2_000);

  expect(alarms / trials).toBeLessThanOrEqual(0.002);
});
