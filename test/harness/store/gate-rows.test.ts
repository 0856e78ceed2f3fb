/** What the gate is told of a flow beyond its counts: aggregated in SQL, the same on both stores. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { gateRows } from "../../../harness/store/gate-rows.ts";
import { type JudgedTrial, settle } from "../../../harness/store/judgements.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../../database.ts";

const FLOW = "pay";
const AMOUNT = "v1:00000000000000aa";

interface Story {
  verdict?: string;
  reason?: string;
  noiseVerdict?: string | null;
  /** Which comparisons have an unexplained difference. */
  differs?: ("candidate" | "noise")[];
  durationMs?: number;
  /** Of the other side. */
  candidateMs?: number;
  source?: string;
  bytes?: number;
  hour?: number;
  hash?: string;
}

describe.each(BACKENDS)("the gate's rows on %s", (backend) => {
  let fresh: TestDatabase;
  let seq = 0;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
  });
  afterAll(() => fresh.drop());
  beforeEach(async () => {
    await fresh.db.query(
      `truncate twintrack.trials, twintrack.runs, twintrack.divergences, twintrack.differences,
         twintrack.decisions, twintrack.coverage`,
    );
    await fresh.db.query(
      "insert into twintrack.divergences (flow, fingerprint, title, kind, path) values ($1, $2, '-', 'value', '/')",
      [FLOW, AMOUNT],
    );
  });

  async function seen(count: number, story: Story): Promise<void> {
    for (let index = 0; index < count; index++) await seenOnce(story);
  }

  async function seenOnce({ hash = "h1", ...story }: Story): Promise<void> {
    const id = `t${++seq}`;
    const { verdict = "match", reason = null, noiseVerdict = null, source = "http" } = story;
    const at = new Date(Date.UTC(2026, 0, 1, story.hour ?? 0) + seq).toISOString();
    await fresh.db.query(
      `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative,
         received_at, verdict, reason, noise_verdict, flow_hash, judged_at, answer_status, answer_ms, answer_bytes,
         legacy_ms, candidate_ms)
       values ($1, $2::uuid, $3, $4, $1, $5, 'shadow', 'legacy', $6::timestamptz, $7, $8, $9, $10, now(),
         'returned', $11::double precision, $12::integer, $11::double precision, $13::double precision)`,
      [
        ...[id, randomUUID(), seq, FLOW, source, at, verdict, reason, noiseVerdict, hash],
        ...[story.durationMs ?? 10, story.bytes ?? 10],
        verdict === "not_run" ? null : (story.candidateMs ?? 8),
      ],
    );
    for (const compared of story.differs ?? []) {
      await fresh.db.query(
        `insert into twintrack.differences (trial_id, compared, ordinal, flow, fingerprint, difference,
           received_at, stage, verdict, noise_verdict)
         values ($1, $2, 0, $3, $4, '{}', $5::timestamptz, 'shadow', $6, $7)`,
        [id, compared, FLOW, AMOUNT, at, verdict, noiseVerdict],
      );
    }
  }

  const rows = () => gateRows(fresh.db, FLOW, 0.95);

  test("count pairs of the trials that show both comparisons, and no others", async () => {
    const differs = { verdict: "mismatch", noiseVerdict: "match", differs: ["candidate"] } as const;
    await seen(1, { ...differs, differs: ["candidate"] });
    await seen(2, { noiseVerdict: "mismatch", differs: ["noise"] });
    await seen(3, { ...differs, noiseVerdict: "mismatch", differs: ["candidate", "noise"] });
    await seen(4, { noiseVerdict: "ignored" });
    await seen(1, { verdict: "mismatch", differs: ["candidate"] });
    await seen(1, { verdict: "candidate_error", noiseVerdict: "match" });
    expect((await rows()).pairs).toEqual({ onlyCandidate: 1, onlyNoise: 2, both: 3, neither: 4 });
  });

  test("take what a decision explains out of both comparisons alike", async () => {
    const both = { noiseVerdict: "mismatch", differs: ["candidate", "noise"] } as const;
    await seen(2, { verdict: "mismatch", ...both, differs: ["candidate", "noise"] });
    await fresh.db.query(
      `insert into twintrack.decisions (flow, fingerprint, decision, who, why)
       values ($1, $2, 'noise', 'ann', 'a test')`,
      [FLOW, AMOUNT],
    );
    expect((await rows()).pairs).toEqual({ onlyCandidate: 0, onlyNoise: 0, both: 0, neither: 2 });
  });

  test("bound each side's p95 by durations that were measured", async () => {
    for (let ms = 1; ms <= 200; ms++) await seen(1, { durationMs: ms, candidateMs: ms / 2 });
    const { p95Bounds } = await rows();
    expect(p95Bounds?.legacyLeast).toBeLessThan(190);
    expect(p95Bounds?.legacyMost).toBeGreaterThan(190);
    expect(p95Bounds?.candidateLeast).toBeLessThan(95);
    expect(p95Bounds?.candidateMost).toBeGreaterThan(95);
    expect(Number.isInteger(p95Bounds?.legacyMost)).toBe(true);
  });

  test("bound nothing by a few durations", async () => {
    await seen(10, {});
    expect((await rows()).p95Bounds).toMatchObject({ legacyMost: null, candidateMost: null });
  });

  test("divide what was dropped and what was compared by the same features", async () => {
    await seen(8, { durationMs: 5, bytes: 10 });
    await seen(4, {
      verdict: "not_run",
      reason: "shed",
      durationMs: 900,
      bytes: 5_000,
      source: "queue",
      hour: 13,
    });
    const { drops = [] } = await rows();
    const of = (feature: string) =>
      drops
        .filter((group) => group.feature === feature)
        .map(({ group, notRun, compared }) => [group, notRun, compared]);
    expect(of("source")).toEqual([
      ["http", 0, 8],
      ["queue", 4, 0],
    ]);
    expect(of("hour")).toEqual([
      ["0 to 6 UTC", 0, 8],
      ["12 to 18 UTC", 4, 0],
    ]);
    // What took equally long, or is of one size, is not torn apart.
    const quarters = [
      ["quarter 3 of 4", 0, 8],
      ["quarter 4 of 4", 4, 0],
    ];
    expect(of("duration")).toEqual(quarters);
    expect(of("size")).toEqual(quarters);
    expect(of("status")).toEqual([["returned", 4, 8]]);
  });

  test("call neither a sample nor a run that was cut off a drop", async () => {
    await seen(2, {});
    for (const reason of ["sampled", "timeout", "cancelled", "side_missing"])
      await seen(1, { verdict: "not_run", reason });
    expect((await rows()).drops).toEqual([]);
    await seen(1, { verdict: "not_run", reason: "breaker" });
    const { drops = [] } = await rows();
    expect(drops.filter(({ feature }) => feature === "source")).toEqual([
      { feature: "source", group: "http", notRun: 1, compared: 2 },
    ]);
  });

  test("tell the coverage of the newest version, and keep count over many trials", async () => {
    const judged = (id: string, hash: string, isSeen: boolean): JudgedTrial => ({
      ...{ id, flow: FLOW, verdict: "match", reason: null, noiseVerdict: null, flowHash: hash },
      ...{
        truncated: false,
        effectDifferences: 0,
        contractViolations: 0,
        trace: null,
        runs: [],
        alignment: null,
        rules: null,
      },
      ...{ legacyTools: [], differences: [], divergences: [] },
      coverage: [
        { mark: "step a taken", seen: true },
        { mark: "step a skipped", seen: isSeen },
      ],
    });
    await seen(1, { hash: "old" });
    await seen(3, { hash: "new" });
    await fresh.db.query("update twintrack.trials set verdict = null, judged_at = null");
    const ids = [seq - 3, seq - 2, seq - 1, seq].map((n) => `t${n}`);
    const [old, first, second, third] = ids as [string, string, string, string];
    await settle(fresh.db, [judged(old, "old", true), judged(first, "new", false)]);
    expect((await rows()).coverage).toMatchObject({
      seen: 1,
      total: 2,
      unseen: ["step a skipped"],
    });
    await settle(fresh.db, [judged(second, "new", false), judged(third, "new", true)]);
    expect((await rows()).coverage).toEqual({ seen: 2, total: 2, unseen: [] });
    const counts = await fresh.db.query<{ trials: number }>(
      "select trials from twintrack.coverage where flow_hash = 'new' order by mark",
    );
    expect(counts.map(({ trials }) => trials)).toEqual([1, 3]);
  });
});
