/** A Python chain on every trigger of its fixture. */
import { onTestFinished, test } from "vitest";
import { expectTriggersReplay, start } from "../../adapter/triage.ts";

test("every trigger of the triage fixture replays to the same outcome", async () => {
  const { chain } = start();
  onTestFinished(() => chain.close());
  await expectTriggersReplay(chain, 1, 360);
});
