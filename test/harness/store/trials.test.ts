import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FrameHeader } from "../../../harness/frame.ts";
import {
  decodeFrames,
  encodeFrame,
  type Frame,
  type FramePayload,
  trialIdOf,
} from "../../../harness/frame.ts";
import { books } from "../../../harness/store/books.ts";
import { type JudgedTrial, settle } from "../../../harness/store/judgements.ts";
import {
  claim,
  giveUpLost,
  ingest,
  recordGaps,
  releaseAllLeases,
} from "../../../harness/store/trials.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../../database.ts";

const payload: FramePayload = {
  input: { n: 1 },
  outcome: { status: "returned", value: { n: 2 } },
  lossy: false,
  calls: [],
};

function frame(epoch: string, seq: number, more: Partial<FrameHeader> = {}): Frame {
  const header: FrameHeader = {
    epoch,
    seq,
    flow: "add",
    triggerId: `t${seq}`,
    source: "library",
    receivedAt: new Date(1_760_000_000_000 + seq).toISOString(),
    stage: "shadow",
    authoritative: "legacy",
    noiseWanted: false,
    status: "returned",
    durationMs: 1.5,
    ...more,
  };
  const [decoded] = decodeFrames(encodeFrame(header, payload)).frames;
  if (!decoded) throw new Error("the frame does not decode");
  return decoded;
}

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

describe.each(BACKENDS)("trials on %s", (backend) => {
  let fresh: TestDatabase;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
  });
  afterAll(() => fresh.drop());

  const emptied = async () => {
    await fresh.db.query(
      "truncate twintrack.trials, twintrack.gaps, twintrack.divergences, twintrack.differences, twintrack.runs",
    );
    return fresh.db;
  };

  test("a frame that is shipped twice is one trial", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    expect(await ingest(db, [frame(epoch, 1), frame(epoch, 2)])).toBe(2);
    expect(await ingest(db, [frame(epoch, 2), frame(epoch, 3)])).toBe(1);
    expect(await books(db)).toMatchObject({ answered: 3, open: 3, unexplained: 0 });
  });

  test("a claimed trial carries the exact bytes of the run that answered", async () => {
    const db = await emptied();
    const epoch = randomUUID();
    await ingest(db, [frame(epoch, 1)]);
    const [trial] = await claim(db, 10, 60_000);
    expect(trial).toMatchObject({
      id: `${epoch}.1`,
      flow: "add",
      triggerId: "t1",
      authoritative: "legacy",
      attempts: 1,
    });
    expect(Buffer.from(trial?.payload ?? []).toString()).toBe(JSON.stringify(payload));
  });

  test("a trial is leased to one worker until the lease ends", async () => {
    const db = await emptied();
    await ingest(db, [frame(randomUUID(), 1)]);
    expect(await claim(db, 10, 60_000)).toHaveLength(1);
    expect(await claim(db, 10, 60_000)).toHaveLength(0);
    await releaseAllLeases(db);
    expect(await claim(db, 10, -1)).toHaveLength(1);
    expect(await claim(db, 10, 60_000)).toHaveLength(1);
  });

  test("a trial that was tried three times in vain gets a verdict instead of staying open", async () => {
    const db = await emptied();
    await ingest(db, [frame(randomUUID(), 1)]);
    for (let attempt = 0; attempt < 3; attempt++) await claim(db, 10, -1);
    expect(await claim(db, 10, -1)).toHaveLength(0);
    expect(await giveUpLost(db)).toBe(1);
    expect((await books(db)).verdicts).toEqual({ candidate_error: 1 });
  });

  test("of two judgements of one trial the first counts and the second leaves no trace", async () => {
    const db = await emptied();
    const one = frame(randomUUID(), 1);
    await ingest(db, [one]);
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
    await ingest(db, [frame(epoch, 1), frame(epoch, 4)]);
    expect(await books(db)).toMatchObject({ answered: 4, unexplained: 2 });
    await recordGaps(db, [{ epoch, fromSeq: 2, toSeq: 3, cause: "spool full" }]);
    expect(await books(db)).toMatchObject({
      answered: 4,
      unexplained: 0,
      gaps: { "spool full": 2 },
    });
  });

  test("a trigger that was not to be compared is booked with its reason and never claimed", async () => {
    const db = await emptied();
    await ingest(db, [frame(randomUUID(), 1, { notRun: "sampled" })]);
    expect(await claim(db, 10, 60_000)).toEqual([]);
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
