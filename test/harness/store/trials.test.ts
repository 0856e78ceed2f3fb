import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Frame, type FrameHeader, trialIdOf } from "../../../harness/frame.ts";
import { books } from "../../../harness/store/books.ts";
import type { Database } from "../../../harness/store/database.ts";
import { openJobs, type TrialJobs } from "../../../harness/store/jobs.ts";
import { type JudgedTrial, settle } from "../../../harness/store/judgements.ts";
import { closeLost, ingest, openTrials, recordGaps } from "../../../harness/store/trials.ts";
import { frameOf, PAYLOAD } from "../../app/frame.ts";
import { PRIVACY } from "../../app/privacy.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../../database.ts";
import { wrongTallies } from "../../tallies.ts";

const frame = (epoch: string, seq: number, more: Partial<FrameHeader> = {}): Frame =>
  frameOf({ header: { epoch, seq, durationMs: 1.5, ...more } });

function judgement(id: string, more: Partial<JudgedTrial> = {}): JudgedTrial {
  const fingerprint = "v1:0123456789abcdef";
  return {
    id,
    flow: "add",
    verdict: "mismatch",
    reason: null,
    noiseVerdict: null,
    flowHash: "h1",
    truncated: false,
    effectDifferences: 0,
    contractViolations: 0,
    trace: null,
    alignment: null,
    rules: null,
    runs: [{ side: "candidate", status: "returned", durationMs: 1, payload: Buffer.from("{}") }],
    legacyTools: ["billing.refund"],
    differences: [
      {
        compared: "candidate",
        fingerprint,
        difference: '{"kind":"value","path":"/n"}',
        rule: null,
      },
    ],
    divergences: [{ fingerprint, title: "n differs", kind: "value", path: "/n" }],
    ...more,
  };
}

/** pg-boss looks for stopped hearts every few seconds. */
const WAIT = { timeout: 30_000, interval: 100 };

async function jobCount(db: Database): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    "select count(*)::int as count from twintrack_jobs.job where name = 'trials'",
  );
  return row?.count ?? 0;
}

describe.each(BACKENDS)("trials on %s", (backend) => {
  let fresh: TestDatabase;
  let jobs: TrialJobs;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
    jobs = await openJobs(fresh.db);
  });
  afterAll(async () => {
    await jobs.close();
    await fresh.drop();
  });

  afterEach(async () => expect(await wrongTallies(fresh.db)).toEqual([]));

  const emptied = async () => {
    await fresh.db.query(
      "truncate twintrack.trials, twintrack.gaps, twintrack.divergences, twintrack.differences, twintrack.runs",
    );
    // Not truncated: pg-boss may be looking at it just now.
    await fresh.db.query("delete from twintrack_jobs.job");
    return fresh.db;
  };

  test("a frame that is shipped twice is one trial", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    expect(await ingest(db, jobs, [frame(epoch, 1), frame(epoch, 2)])).toBe(2);
    expect(await ingest(db, jobs, [frame(epoch, 2), frame(epoch, 3)])).toBe(1);
    expect(await books(db)).toMatchObject({ answered: 3, open: 3, unexplained: 0 });
  });

  test("text that Postgres cannot hold is held as near as it can", async () => {
    const epoch = randomUUID();
    const triggerId = "NUL \0, half a pair \ud83d, a whole one \u{1f600}, a path \\u0000";
    expect(await ingest(fresh.db, jobs, [frame(epoch, 1, { triggerId })])).toBe(1);
    const [trial] = await openTrials(fresh.db, [trialIdOf(frame(epoch, 1).header)]);
    expect(trial?.triggerId).toBe(
      "NUL \ufffd, half a pair \ufffd, a whole one \u{1f600}, a path \\u0000",
    );
    const id = trial?.id ?? "";
    const reason = "broken \udc00";
    const steps = [{ name: "\0", relation: "same" as const, legacyMs: 1, candidateMs: 1 }];
    const alignment = { firstDivergent: null, steps };
    expect(await settle(fresh.db, [judgement(id, { reason, alignment })])).toBe(1);
    expect(
      await fresh.db.query("select reason, steps from twintrack.trials where id = $1", [id]),
    ).toEqual([{ reason: "broken \ufffd", steps: [{ ...steps[0], name: "\ufffd" }] }]);
  });

  test("names that are one as Postgres holds them are counted as one", async () => {
    const { header } = frame(randomUUID(), 1, { flow: "alike" });
    await ingest(fresh.db, jobs, [frame(header.epoch, 1, { flow: "alike" })]);
    const names = ["a\0", "a\ud800"];
    const coverage = names.map((mark) => ({ mark, seen: true }));
    const more = { flow: "alike", legacyTools: names, coverage };
    expect(await settle(fresh.db, [judgement(trialIdOf(header), more)])).toBe(1);
    expect(
      await fresh.db.query(
        `select mark, tool, trials from twintrack.coverage join twintrack.legacy_tools using (flow) where flow = 'alike'`,
      ),
    ).toEqual([{ mark: "a\ufffd", tool: "a\ufffd", trials: 2 }]);
  });

  test("an open trial has a job, and carries the exact bytes of the run that answered", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    const id = trialIdOf(frame(epoch, 1).header);
    await ingest(db, jobs, [frame(epoch, 1)]);
    const [job] = await jobs.take(10);
    expect(job).toMatchObject({ trialId: id, retries: 0 });
    const [trial] = await openTrials(db, [id]);
    expect(trial).toMatchObject({ flow: "add", triggerId: "t1", authoritative: "legacy" });
    const place = `${id}/legacy`;
    const opened = PRIVACY.vault.open(trial?.payload ?? new Uint8Array(), place);
    expect(opened.toString()).toBe(JSON.stringify(PAYLOAD));
  });

  test("a job is one worker's until it is given back", async () => {
    const db = await emptied();
    await ingest(db, jobs, [frame(randomUUID(), 1)]);
    const taken = await jobs.take(10);
    expect(taken).toHaveLength(1);
    expect(await jobs.take(10)).toHaveLength(0);
    await jobs.giveBack(taken);
    expect(await jobs.take(10)).toHaveLength(1);
  });

  test("a trial that is closed has no job, and a transaction that fails closes neither", async () => {
    const db = await emptied();
    const one = frame(randomUUID(), 1);
    await ingest(db, jobs, [one]);
    const taken = await jobs.take(10);
    const judged = [judgement(trialIdOf(one.header))];
    const refused = settle(db, judged, async (query) => {
      await jobs.end(query, taken);
      throw new Error("the worker lost its database");
    });
    await expect(refused).rejects.toThrow("lost its database");
    expect(await jobCount(db)).toBe(1);
    expect(await settle(db, judged, (query) => jobs.end(query, taken))).toBe(1);
    expect(await jobCount(db)).toBe(0);
  });

  test("the jobs of a worker whose heart stopped come back; over the third that dies the trial gets a verdict", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    await ingest(db, jobs, [frame(epoch, 1), frame(epoch, 2)]);
    expect(await jobs.take(10)).toHaveLength(2);
    await db.query(
      `update twintrack_jobs.job set heartbeat_on = now() - interval '1 minute',
         retry_count = case when data->>'trial' = $1 then retry_limit else 0 end`,
      [trialIdOf(frame(epoch, 1).header)],
    );
    const back = await vi.waitUntil(async () => (await jobs.take(10)).at(0), WAIT);
    expect(back).toMatchObject({ trialId: trialIdOf(frame(epoch, 2).header), retries: 1 });
    expect(await closeLost(db, jobs)).toBe(1);
    expect(await books(db)).toMatchObject({ verdicts: { candidate_error: 1 }, open: 1 });
  });

  test("E12: of two judgements of one trial the first counts and the second leaves no trace", async () => {
    const db = await emptied();
    const one = frame(randomUUID(), 1);
    await ingest(db, jobs, [one]);
    const id = trialIdOf(one.header);
    expect(await settle(db, [judgement(id)])).toBe(1);
    expect(await settle(db, [judgement(id, { verdict: "match", differences: [] })])).toBe(0);
    const rows = await db.query(
      "select verdict, (select count(*)::int from twintrack.differences) as differences from twintrack.trials",
    );
    expect(rows).toEqual([{ verdict: "mismatch", differences: 1 }]);
  });

  test("the books show a number that never arrived, and whether its cause is known", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    await ingest(db, jobs, [frame(epoch, 1), frame(epoch, 4)]);
    expect(await books(db)).toMatchObject({ answered: 4, unexplained: 2 });
    await recordGaps(db, [{ epoch, fromSeq: 2, toSeq: 3, cause: "spool full" }]);
    expect(await books(db)).toMatchObject({
      answered: 4,
      unexplained: 0,
      gaps: { "spool full": 2 },
    });
  });

  test("a trigger that was not to be compared is booked with its reason and has no job", async () => {
    const db = await emptied();
    await ingest(db, jobs, [frame(randomUUID(), 1, { notRun: "sampled" })]);
    expect(await jobs.take(10)).toEqual([]);
    expect(await books(db)).toMatchObject({ answered: 1, open: 0, verdicts: { not_run: 1 } });
  });

  test("a failed transaction leaves nothing behind and the next one works", async () => {
    const db = await emptied();
    await expect(
      db.transaction(async (query) => {
        await query(
          "insert into twintrack.gaps (epoch, from_seq, to_seq, cause) values ($1::uuid, 1, 1, 'x')",
          [randomUUID()],
        );
        await query("select 1 / 0");
      }),
    ).rejects.toThrow(/division by zero/);
    expect(await db.query("select * from twintrack.gaps")).toEqual([]);
  });

  test("two transactions at once do not mix their statements", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    const each = Array.from({ length: 20 }, (_, index) =>
      db.transaction(async (query) => {
        await query(
          "insert into twintrack.gaps (epoch, from_seq, to_seq, cause) values ($1::uuid, $2, $2, 'x')",
          [epoch, index],
        );
        if (index % 2 === 1) throw new Error("given up");
      }),
    );
    await Promise.allSettled(each);
    const rows = await db.query<{ seq: number }>(
      "select from_seq as seq from twintrack.gaps order by 1",
    );
    expect(rows.map((row) => row.seq)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  });
});
