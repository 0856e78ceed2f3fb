/** Trials lie in the week in which they were received, and old weeks go as whole tables. */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { trialIdOf } from "../../../harness/frame.ts";
import { books } from "../../../harness/store/books.ts";
import { gateRows } from "../../../harness/store/gate-rows.ts";
import { settle } from "../../../harness/store/judgements.ts";
import { openPostgres } from "../../../harness/store/postgres.ts";
import { enforceRetention } from "../../../harness/store/retention.ts";
import { ingest, insertRuns } from "../../../harness/store/trials.ts";
import { dropWeeks, makeWeeks } from "../../../harness/store/weeks.ts";
import { frameOf } from "../../app/frame.ts";
import { PLAIN } from "../../app/privacy.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../../database.ts";
import { wrongTallies } from "../../tallies.ts";

const DAY_MS = 86_400_000;
/** A Wednesday; its week is that of Monday the 7th. */
const START = new Date("2026-09-09T12:00:00Z");
const NO_JOBS = { add: async () => undefined };

const daysOn = (days: number) => new Date(START.getTime() + days * DAY_MS);

describe.each(BACKENDS)("weeks on %s", (backend) => {
  let fresh: TestDatabase;
  const epoch = randomUUID();
  let seq = 0;
  beforeEach(async () => {
    fresh = await freshDatabase(backend);
  });
  afterEach(async () => {
    expect(await wrongTallies(fresh.db)).toEqual([]);
    await fresh.drop();
  });

  const frameAt = (receivedAt: Date) =>
    frameOf({
      header: { epoch, seq: ++seq, triggerId: "t", receivedAt: receivedAt.toISOString() },
      vault: PLAIN.vault,
    });

  async function seen(receivedAt: Date, isJudged = true): Promise<string> {
    const frame = frameAt(receivedAt);
    await ingest(fresh.db, NO_JOBS, [frame]);
    const id = trialIdOf(frame.header);
    if (isJudged) {
      await settle(fresh.db, [
        {
          ...{ id, flow: "add", verdict: "match", reason: null, noiseVerdict: null, flowHash: "h" },
          ...{ truncated: false, effectDifferences: 0, contractViolations: 0, trace: null },
          ...{ alignment: null, rules: null, runs: [], legacyTools: [], divergences: [] },
          differences: [
            { compared: "candidate", fingerprint: "v1:1", difference: '{"path":"/a"}', rule: null },
          ],
        },
      ]);
    }
    return id;
  }

  const placesOf = async (id: string) =>
    (
      await fresh.db.query<{ place: string }>(
        `select tableoid::regclass::text as place from twintrack.trials where id = $1
         union all select tableoid::regclass::text from twintrack.runs where trial_id = $1
         union all select tableoid::regclass::text from twintrack.differences where trial_id = $1`,
        [id],
      )
    ).map(({ place }) => place);

  test("are made once, this one and the next", async () => {
    expect(await makeWeeks(fresh.db, START)).toEqual(["20260907", "20260914"]);
    expect(await makeWeeks(fresh.db, START)).toEqual([]);
    expect(await makeWeeks(fresh.db, new Date("2026-09-14T00:00:00Z"))).toEqual(["20260921"]);
  });

  test("take a trial with its runs and differences, and the default takes what has no week", async () => {
    await makeWeeks(fresh.db, START);
    const in20260907 = ["trials", "runs", "differences"].map(
      (name) => `twintrack.${name}_20260907`,
    );
    expect(await placesOf(await seen(new Date("2026-09-07T00:00:00Z")))).toEqual(in20260907);
    expect(await placesOf(await seen(new Date("2026-09-13T23:59:59.999Z")))).toEqual(in20260907);
    const elsewhere = await placesOf(await seen(new Date("2026-09-21T00:00:00Z")));
    expect(elsewhere).toEqual(in20260907.map((name) => name.replace("20260907", "default")));
  });

  test.each([
    { where: "a week", days: 0 },
    { where: "the default", days: 30 },
  ])(
    "refuse, in $where, a run without its trial, and let a trial's rows go with it",
    async ({ days }) => {
      await makeWeeks(fresh.db, START);
      const id = await seen(daysOn(days));
      const stray = `${id.slice(0, -1)}x`;
      const orphan = insertRuns(fresh.db.query, [[stray, "legacy", "returned", 1, Buffer.of()]]);
      await expect(orphan).rejects.toMatchObject({ code: "23503" });
      await fresh.db.query("delete from twintrack.trials where id = $1", [id]);
      expect(await placesOf(id)).toEqual([]);
    },
  );

  test("that cannot be made, because the default has taken their trials, are left", async () => {
    await seen(START);
    expect(await makeWeeks(fresh.db, START)).toEqual(["20260914"]);
    await seen(START);
    expect(await books(fresh.db)).toMatchObject({ verdicts: { match: 2 } });
  });

  test("tally what was dropped on arrival like everything else", async () => {
    await makeWeeks(fresh.db, START);
    const { header, payload } = frameAt(START);
    await ingest(fresh.db, NO_JOBS, [{ header: { ...header, notRun: "shed" }, payload }]);
    expect((await gateRows(fresh.db, "add")).drops).toContainEqual({
      ...{ feature: "source", group: "library", notRun: 1, compared: 0 },
    });
  });

  test("keep a frame that is shipped twice one trial", async () => {
    await makeWeeks(fresh.db, START);
    const frame = frameAt(START);
    expect(await ingest(fresh.db, NO_JOBS, [frame, frame])).toBe(1);
    expect(await ingest(fresh.db, NO_JOBS, [frame])).toBe(0);
  });

  test("go when all in them is old and judged; the books still balance", async () => {
    await makeWeeks(fresh.db, START, 4);
    const old = await seen(daysOn(0));
    const open = await seen(daysOn(7), false);
    await seen(daysOn(14));
    await seen(daysOn(15));
    const before = await books(fresh.db);
    expect(await dropWeeks(fresh.db, daysOn(4))).toBe(0);
    expect(await dropWeeks(fresh.db, daysOn(15))).toBe(1);
    expect(await placesOf(old)).toEqual([]);
    expect(await placesOf(open)).toHaveLength(2);
    const limits = { trialsBefore: daysOn(14.5), payloadsBefore: undefined };
    // The week that is not over gives its old rows.
    expect(await enforceRetention(fresh.db, limits)).toEqual({ trials: 1, payloads: 0 });
    expect(await books(fresh.db)).toEqual(before);
  });
});

test("weeks that somebody reads for long are left for the next time, and nobody waits behind", async () => {
  const fresh = await freshDatabase("postgres");
  const reader = openPostgres({ url: String(fresh.url) });
  try {
    await reader.transaction(async (query) => {
      await query("select count(*) from twintrack.trials");
      expect(await makeWeeks(fresh.db, START)).toEqual([]);
    });
    expect(await makeWeeks(fresh.db, START)).toHaveLength(2);
  } finally {
    await reader.close();
    await fresh.drop();
  }
});
