/** The Python process and our client of it under fire, in the short form of every test run. */
import { expect, test } from "vitest";
import { expectClientSurvives } from "./client-fuzz.ts";
import { seedOfRun } from "./kill.ts";
import { killInMidCall, orphansOfKilledParents } from "./python.ts";

test("five thousand damaged frames from the process leave every call answered", async () => {
  await expectClientSurvives(5_000, seedOfRun());
});

test("D1: a process that is killed in mid call five times is back each time, and no call is repeated", async () => {
  const { lost, executed } = await killInMidCall(5);
  expect(lost).toEqual(Array(5).fill("PYTHON_LOST"));
  expect(executed).toBe(5);
});

test("D14: of three parents that are killed no process is left", async () => {
  expect(await orphansOfKilledParents(3)).toEqual([]);
});
