/** Short forms of what `npm run test:faults` does at length. */
import { expect, test } from "vitest";
import { fuzzCompare } from "./compare-fuzz.ts";
import { cleanShadow, seedDivergences } from "./divergences.ts";
import { SEEDS } from "./documents.ts";

test("50,000 fuzzed pairs: reflexive, a mirror of themselves, explained by deep-diff's edits, no prototype changed", () => {
  const { differing, explained } = fuzzCompare(50_000);

  expect(differing).toBeGreaterThan(20_000);
  expect(explained).toBeGreaterThan(3_000);
}, 60_000);

test("of 240 seeded divergences all are found and grouped by what went wrong", () => {
  const { seeded, rightlyGrouped, groups } = seedDivergences(240);

  expect(rightlyGrouped / seeded).toBeGreaterThanOrEqual(0.995);
  expect(groups).toBe(SEEDS.length + 4);
});

test("of 200 trials that differ by noise alone none alarms, by rules proposed from legacy against itself", () => {
  const { alarms, rules } = cleanShadow(200);

  expect(rules.map(({ path }) => path).sort()).toEqual([
    "/at",
    "/greeting",
    "/items/*/lineId",
    "/runId",
    "/sources/*/score",
    "/tags",
    "/tookMs",
  ]);
  expect(alarms).toBe(0);
});
