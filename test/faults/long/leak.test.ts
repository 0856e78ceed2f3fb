import { expect, test } from "vitest";
import { leaksOf } from "../leak.ts";

test("of 10,000 canaries of 32 kinds none is in any byte that was written or told", async () => {
  const { found, searched, sent } = await leaksOf(10_000, "on", 5);
  expect(found).toEqual([]);
  expect(sent).toBe(10_000);
  expect(searched).toBeGreaterThan(5_000_000);
}, 600_000);
