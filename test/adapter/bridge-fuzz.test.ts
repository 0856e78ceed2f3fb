import { test } from "vitest";
import { expectBridgeSurvives } from "../faults/bridge-fuzz.ts";

test("two thousand damaged frames leave the Python bridge alive, small and answering", async () => {
  await expectBridgeSurvives(2_000, 20_261_121);
});
