/** 200,000 damaged frames to the real bridge. `npm run test:faults` */
import { test } from "vitest";
import { expectBridgeSurvives } from "../bridge-fuzz.ts";
import { seedOfRun } from "../kill.ts";

test("two hundred thousand damaged frames leave the Python bridge alive, small and answering", async () => {
  await expectBridgeSurvives(200_000, seedOfRun());
});
