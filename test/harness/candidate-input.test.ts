/** A candidate that is wrong, or wants another input, while legacy answers: no caller notices. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { resolveConfig } from "../../harness/config.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const legacy = () => (given: object) => Object.keys(given).length;
const narrow = (name: string) =>
  flow(name, { version: "1", input: z.object({ id: z.string() }), output: z.number() }).returns(
    () => 1,
  );

let fresh: TestDatabase;
let harness: Harness;
const folder = mkdtempSync(join(tmpdir(), "twintrack-input-"));
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  const misspelt = (() => Promise.resolve(undefined)) as never;
  harness = openHarness(
    resolveConfig({
      dataDir: folder,
      database: { url: fresh.url ?? "" },
      flows: {
        before: { legacy, candidate: misspelt, stage: "legacy" },
        misspelt: { legacy, candidate: misspelt, stage: "shadow" },
        narrow: { legacy, candidate: narrow("narrow"), stage: "shadow" },
        narrowAfter: { legacy, candidate: narrow("narrowAfter"), stage: "cutover" },
        guarded: { legacy, candidate: narrow("guarded"), input: z.object({ id: z.string() }) },
      },
    }),
  );
});
afterAll(async () => {
  await harness.close();
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function judged(name: string) {
  const { outcome, trialId } = await harness.live.answer(name, { id: 7 });
  await harness.settle();
  const [trial] = await fresh.db.query(
    "select verdict, reason from twintrack.trials where id = $1",
    [trialId],
  );
  return { outcome, ...trial };
}

const answered = { outcome: { status: "returned", value: 1 } };

test.each(["before", "misspelt", "narrow"])("legacy answers its caller (%s)", async (name) => {
  expect(await judged(name)).toMatchObject(answered);
});

test("a candidate that is no flow makes its trials incomparable, and says why", async () => {
  expect(await judged("misspelt")).toMatchObject({
    verdict: "incomparable",
    reason: expect.stringContaining("gives undefined, not a typed flow"),
  });
});

test("a candidate that refuses what legacy takes has failed", async () => {
  expect(await judged("narrow")).toMatchObject({ verdict: "candidate_error" });
});

test("a candidate that answers refuses at the door what it does not take", async () => {
  const refused = { code: "INPUT_INVALID" };
  await expect(harness.live.answer("narrowAfter", { id: 7 })).rejects.toMatchObject(refused);
});

test("a flow that says what its input is refuses any other for both sides", async () => {
  const refused = { code: "INPUT_INVALID" };
  await expect(harness.live.answer("guarded", { id: 7 })).rejects.toMatchObject(refused);
});
