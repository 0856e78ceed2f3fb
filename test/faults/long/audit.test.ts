import { expect, test } from "vitest";
import { damagedChains } from "../audit.ts";

test("of 1,000 random edits, deletes, inserts, swaps and cut tails every one is found", async () => {
  const { damaged, missed } = await damagedChains(1_000, 17);
  expect(missed).toEqual([]);
  expect(damaged).toBe(1_000);
}, 300_000);
