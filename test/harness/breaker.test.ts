import { expect, test } from "vitest";
import { type Breaker, openBreaker } from "../../harness/breaker.ts";

function breakerAt(start = 0) {
  const clock = { now: start };
  return { clock, breaker: openBreaker(() => clock.now) };
}

/** Notes `count` trials, of which every `every`-th fails. */
function noted(breaker: Breaker, count: number, every: number): void {
  for (let trial = 1; trial <= count; trial++) breaker.note("f", trial % every === 0);
}

test("a flow that fails now and then is always run", () => {
  const { breaker } = breakerAt();
  noted(breaker, 1_000, 3);
  expect(breaker.admits("f")).toBe(true);
});

test("a few first failures say nothing yet", () => {
  const { breaker } = breakerAt();
  noted(breaker, 19, 1);
  expect(breaker.admits("f")).toBe(true);
});

test("a flow that fails every second time is not run for half a minute, and others are", () => {
  const { breaker, clock } = breakerAt();
  noted(breaker, 20, 2);
  expect(breaker.admits("f")).toBe(false);
  expect(breaker.admits("other")).toBe(true);
  clock.now = 29_999;
  expect(breaker.admits("f")).toBe(false);
});

test("after the wait one trial probes: its success opens the way, its failure starts the wait again", () => {
  const { breaker, clock } = breakerAt();
  noted(breaker, 20, 1);
  clock.now = 30_000;
  expect([breaker.admits("f"), breaker.admits("f")]).toEqual([true, false]);
  breaker.note("f", true);
  clock.now = 59_999;
  expect(breaker.admits("f")).toBe(false);
  clock.now = 60_000;
  expect(breaker.admits("f")).toBe(true);
  breaker.note("f", false);
  expect([breaker.admits("f"), breaker.admits("f")]).toEqual([true, true]);
});

test("when the probe does not end, the next trial probes at once", () => {
  const { breaker, clock } = breakerAt();
  noted(breaker, 20, 1);
  clock.now = 30_000;
  expect(breaker.admits("f")).toBe(true);
  breaker.giveUp("f");
  expect([breaker.admits("f"), breaker.admits("f")]).toEqual([true, false]);
});
