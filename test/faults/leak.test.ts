/** No secret rests anywhere; the long form has ten times as many. */
import { expect, test } from "vitest";
import { leaksOf } from "./leak.ts";

test("of 1,000 canaries of 32 kinds none is in any byte that was written or told", async () => {
  const { found, searched, sent } = await leaksOf(1_000, "on", 1);
  expect(found).toEqual([]);
  expect(sent).toBe(1_000);
  expect(searched).toBeGreaterThan(500_000);
});

test("with privacy off the same search finds them: it looks where they are", async () => {
  const { leaked, sent } = await leaksOf(48, "off", 0);
  expect(leaked).toBe(sent);
});
