import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, expect, test, vi } from "vitest";
import { startLimit } from "../../adapter/expiry.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** Timers that keep this process alive. */
function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

test("limits of one length share a timer, and each ends when its own time is over", () => {
  vi.useFakeTimers();
  const ended: string[] = [];
  startLimit(100, () => ended.push("first"));
  vi.advanceTimersByTime(60);
  startLimit(100, () => ended.push("second"));
  expect(vi.getTimerCount()).toBe(1);

  vi.advanceTimersByTime(40);
  expect(ended).toEqual(["first"]);
  vi.advanceTimersByTime(59);
  expect(ended).toEqual(["first"]);
  vi.advanceTimersByTime(1);
  expect(ended).toEqual(["first", "second"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a limit that was stopped never ends, and does not hasten the next of its length", () => {
  vi.useFakeTimers();
  const ended: string[] = [];
  const stop = startLimit(200, () => ended.push("stopped"));
  vi.advanceTimersByTime(150);
  stop();
  startLimit(200, () => ended.push("next"));

  vi.advanceTimersByTime(199);
  expect(ended).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ended).toEqual(["next"]);
});

test("of limits that were stopped one timer remains, whatever their lengths", () => {
  vi.useFakeTimers();
  const stops = [301, 302, 303].map((durationMs) => startLimit(durationMs, () => undefined));
  for (const stop of stops) stop();

  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(303);
  expect(vi.getTimerCount()).toBe(0);
});

test("a limit keeps the process alive until it is stopped, and so does the next of its length", () => {
  const before = activeTimers();
  for (const _ of ["first", "next"]) {
    const stop = startLimit(3_600_000, () => undefined);
    expect(activeTimers()).toBe(before + 1);
    stop();
    expect(activeTimers()).toBe(before);
  }
});

test("a limit longer than a timer can count does not end at once", () => {
  vi.useFakeTimers();
  const expire = vi.fn();
  startLimit(2 ** 40, expire);
  vi.advanceTimersByTime(1_000);

  expect(expire).not.toHaveBeenCalled();
});

test("of two runs whose limits share a timer, each ends in its own context", async () => {
  const run = new AsyncLocalStorage<string>();
  const contextAtEnd = (name: string) =>
    new Promise((resolve) => {
      run.run(name, () => startLimit(5, () => resolve(run.getStore())));
    });

  expect(await Promise.all(["one", "other"].map(contextAtEnd))).toEqual(["one", "other"]);
});
