/** Fifty kills on each store and stage, and ten thousand candidates that try to write. */
import { describe, expect, test } from "vitest";
import { BACKENDS } from "../../database.ts";
import { expectNoCandidateWrites, expectNothingLost, killUnderLoad, seedOfRun } from "../kill.ts";

describe.each(BACKENDS)("a server on %s that is killed fifty times under load", (backend) => {
  test("has a record of every answer it gave, judges each, and makes no effect twice", async () => {
    const story = await killUnderLoad({ backend, stage: "shadow", kills: 50, seed: seedOfRun() });
    expectNothingLost(story);
    expect(new Set(story.trials.values())).toEqual(new Set(["match"]));
  });

  test("writes nothing twice after a cutover, though callers repeat what was cut off", async () => {
    const story = await killUnderLoad({ backend, stage: "cutover", kills: 50, seed: seedOfRun() });
    expectNothingLost(story);
    expect(story.repeated).toBeGreaterThan(0);
  });
});

test("ten thousand candidates that try to write a second time write nothing", async () => {
  await expectNoCandidateWrites(10_000);
});
