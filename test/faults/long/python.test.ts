/** Two hundred kills of the Python process and of its parent, and 200,000 damaged frames from it. */
import { expect, test } from "vitest";
import { expectClientSurvives } from "../client-fuzz.ts";
import { seedOfRun } from "../kill.ts";
import { killInMidCall, orphansOfKilledParents } from "../python.ts";

test("two hundred thousand damaged frames from the process leave every call answered", async () => {
  await expectClientSurvives(200_000, seedOfRun());
});

test("D1: a process that is killed in mid call 200 times is back each time, and no call is repeated", async () => {
  const { lost, executed } = await killInMidCall(200);
  expect(lost).toEqual(Array(200).fill("PYTHON_LOST"));
  expect(executed).toBe(200);
});

test("D14: of 200 parents that are killed no process is left", async () => {
  expect(await orphansOfKilledParents(200)).toEqual([]);
});
