/** Five kills in the middle of traffic, one of a server that starts, and a thousand candidates that try to write. */
import { describe, expect, test } from "vitest";
import { expectNoCandidateWrites, expectNothingLost, killUnderLoad, seedOfRun } from "./kill.ts";

describe("a server that is killed under load", () => {
  test("E3, E4, F8: has a record of every answer it gave, judges each, and makes no effect twice", async () => {
    const seed = seedOfRun();
    const story = await killUnderLoad({ backend: "pglite", stage: "shadow", kills: 3, seed });
    expectNothingLost(story);
    expect(new Set(story.trials.values())).toEqual(new Set(["match"]));
  }, 180_000);

  test("writes nothing twice after a cutover, though callers repeat what was cut off", async () => {
    const seed = seedOfRun();
    const story = await killUnderLoad({ backend: "pglite", stage: "cutover", kills: 2, seed });
    expectNothingLost(story);
    expect(story.repeated).toBeGreaterThan(0);
  }, 180_000);
});

test("H1: a thousand candidates that try to write a second time write nothing", async () => {
  await expectNoCandidateWrites(1_000);
}, 120_000);
