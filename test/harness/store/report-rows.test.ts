/** What counts as evidence for a flow, and what a person's decision takes out of it. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ToolCall } from "../../../core/ledger.ts";
import type { Outcome } from "../../../core/outcome.ts";
import type { Desk } from "../../../harness/cli/commands.ts";
import { TRIAGE_COMMANDS } from "../../../harness/cli/triage.ts";
import type { Difference } from "../../../harness/compare/difference.ts";
import { type ResolvedConfig, resolveConfig } from "../../../harness/config.ts";
import { type Frame, type FrameHeader, trialIdOf } from "../../../harness/frame.ts";
import { evidenceOf } from "../../../harness/report/evidence.ts";
import { buildReport } from "../../../harness/report/report.ts";
import type { Decision } from "../../../harness/report/rows.ts";
import { readStages } from "../../../harness/stage.ts";
import type { Query } from "../../../harness/store/database.ts";
import { decide } from "../../../harness/store/divergences.ts";
import { type JudgedTrial, settle } from "../../../harness/store/judgements.ts";
import { evidenceRows, reportRows } from "../../../harness/store/report-rows.ts";
import { ingest, recordGaps } from "../../../harness/store/trials.ts";
import { frameOf } from "../../app/frame.ts";
import { PLAIN } from "../../app/privacy.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../../database.ts";
import { wrongTallies } from "../../tallies.ts";

const FLOW = "add";
const AMOUNT = "v1:00000000000000aa";
const NAME = "v1:00000000000000bb";
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);

const returned = (value: number | object): Outcome => ({
  status: "returned",
  value: value as never,
});

/** A trial as a test tells it; `day` counts from the start, and seq grows with every trial. */
interface Story {
  day?: number;
  hash?: string | null;
  verdict?: string;
  reason?: string;
  noiseVerdict?: string;
  differences?: Partial<JudgedTrial["differences"][number] & Difference>[];
  frame?: Partial<FrameHeader>;
  durationMs?: number;
  calls?: ToolCall[];
  trace?: { legacy: ToolCall[]; candidate: ToolCall[] };
  /** The version of the model that answered both sides. */
  model?: string;
}

let seq = 0;
const epoch = randomUUID();

function frameFor({ day = 0, frame = {}, calls = [], durationMs = 2 }: Story): Frame {
  const receivedAt = new Date(START_MS + day * DAY_MS + ++seq).toISOString();
  return frameOf({
    header: { epoch, seq, flow: FLOW, receivedAt, durationMs, ...frame },
    payload: { input: { n: seq }, outcome: returned(1), calls },
    vault: PLAIN.vault,
  });
}

function judgementOf(frame: Frame, story: Story): JudgedTrial {
  const { hash = "h1", verdict = "match", reason = null, noiseVerdict = null, trace } = story;
  const { differences = [] } = story;
  const rows = differences.map((given) => {
    const { fingerprint = AMOUNT, compared = "candidate", rule = null, ...difference } = given;
    return {
      compared,
      fingerprint,
      difference: JSON.stringify({ kind: "value", path: "/amount", ...difference }),
      rule,
    };
  });
  const models = [{ asked: "gpt-x", answered: story.model ?? "" }];
  const side = { inputTokens: 1, outputTokens: 1, usd: null, models };
  const usage = { legacy: side, candidate: { ...side, models }, spentUsd: 0 };
  return {
    ...(story.model !== undefined && { usage }),
    id: trialIdOf(frame.header),
    flow: FLOW,
    verdict,
    reason,
    noiseVerdict,
    flowHash: hash,
    truncated: false,
    effectDifferences: 0,
    contractViolations: 0,
    trace: trace ? Buffer.from(JSON.stringify(trace)) : null,
    alignment: null,
    rules: null,
    runs: [
      {
        side: frame.header.authoritative === "legacy" ? "candidate" : "legacy",
        status: "returned",
        durationMs: 1,
        payload: Buffer.from(JSON.stringify({ outcome: returned(2) })),
      },
    ],
    legacyTools: [],
    differences: rows,
    divergences: rows.map(({ fingerprint, difference }) => {
      const { kind, path } = JSON.parse(difference) as Difference;
      return { fingerprint, title: `${path} differs`, kind, path };
    }),
  };
}

/** Nobody judges here: trials come judged. */
const NO_JOBS = { add: async () => undefined };

describe.each(BACKENDS)("evidence on %s", (backend) => {
  let fresh: TestDatabase;
  const config: ResolvedConfig = resolveConfig({ flows: { [FLOW]: { legacy: () => undefined } } });
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
  });
  afterAll(() => fresh.drop());
  beforeEach(() =>
    fresh.db.query(
      `truncate twintrack.trials, twintrack.runs, twintrack.gaps, twintrack.divergences,
         twintrack.differences, twintrack.decisions, twintrack.groupings`,
    ),
  );

  afterEach(async () => expect(await wrongTallies(fresh.db)).toEqual([]));

  /** Trials in the order they were received; `verdict: "open"` leaves one unjudged. */
  async function seen(...stories: Story[]): Promise<void> {
    const frames = stories.map(frameFor);
    await ingest(fresh.db, NO_JOBS, frames);
    const judged = frames.flatMap((frame, index) => {
      const story = stories[index] ?? {};
      const isClosed = story.verdict === "open" || frame.header.notRun !== undefined;
      return isClosed ? [] : [judgementOf(frame, story)];
    });
    await settle(fresh.db, judged);
  }

  async function rows() {
    const { flows, divergences, samples, lost } = await reportRows(fresh.db, config, FLOW);
    const [flow] = flows;
    if (!flow) throw new Error("no row for the flow");
    return { flow, divergences, samples, lost };
  }

  const decided = (decision: Decision["decision"], until: string | null = null) =>
    decide(fresh.db, FLOW, AMOUNT, { decision, who: "ann", why: "a test", owner: "ann", until });

  const mismatch: Story = { verdict: "mismatch", differences: [{}] };

  test("tells of a flow without trials what the store would say, without asking it", async () => {
    const asked: string[] = [];
    const query: Query = (sql, params) => {
      asked.push(sql);
      return fresh.db.query(sql, params);
    };
    const { flows } = await reportRows({ ...fresh.db, query }, config, FLOW);
    const { flow } = await evidenceRows(fresh.db, config, await readStages(fresh.db), FLOW);
    expect(flows).toEqual([flow]);
    expect(asked.filter((sql) => sql.includes("counted"))).toEqual([]);
    await seen({});
    await reportRows({ ...fresh.db, query }, config, FLOW);
    expect(asked.filter((sql) => sql.includes("counted")).length).toBeGreaterThan(5);
  });

  test("tells how a candidate failed, also where legacy could not be run beside it", async () => {
    const candidate = { name: "KeyError", message: "no passenger" };
    await seen(
      {
        verdict: "candidate_error",
        reason: "memory_unrecorded: checkpoint",
        differences: [{ kind: "error", path: "", candidate }],
      },
      { verdict: "candidate_error", reason: "SHADOW_LOST: it ended", hash: null },
    );
    const { flow } = await rows();
    const reasons = flow.causes?.map(({ reason }) => reason).sort();
    expect(reasons).toEqual(["KeyError: no passenger", "SHADOW_LOST: it ended"]);
  });

  test("tells why trials were not compared and how the candidate failed, and what mends it", async () => {
    const lost = (host: string): Story => ({
      verdict: "incomparable",
      reason: `PYTHON_UNAVAILABLE: it did not start; its last output:\nshop.tools cannot be imported: EgressRefused: A shadow run tried to connect ${host} outside of a tool; it was not done`,
      hash: null,
    });
    const threw = (id: number): Story => ({
      verdict: "candidate_error",
      differences: [
        { kind: "error", path: "", candidate: { name: "KeyError", message: `no order ${id}` } },
      ],
    });
    await seen(lost("127.0.0.1:5201"), lost("127.0.0.1:5202"), threw(1), threw(22), threw(333));
    await seen({ frame: { notRun: "shed" } });
    const { flow } = await rows();
    expect(flow.causes).toMatchObject([
      { verdict: "candidate_error", reason: "KeyError: no order 1", trials: 3 },
      { verdict: "incomparable", trials: 2 },
      { verdict: "not_run", reason: "shed", trials: 1 },
    ]);
    const [told] = buildReport(await reportRows(fresh.db, config, FLOW), "2026-05-01").flows;
    expect(told?.causes[1]?.remedy).toContain('egress: { hosts: ["127.0.0.1:520');
    const detailOf = (wanted: string) =>
      told?.gate.reasons.find(({ criterion }) => criterion === wanted)?.detail;
    expect(detailOf("not_run_rate")).toContain("EgressRefused: A shadow run tried to connect");
    expect(detailOf("error_rate")).toContain("mostly KeyError: no order 1 (3)");
  });

  test("tells with which version of a model a divergence comes", async () => {
    const old: Story = { model: "gpt-x-2026-08-01" };
    const next: Story = { model: "gpt-x-2026-11-01", day: 3 };
    await seen(
      ...Array(60).fill(old),
      { ...old, ...mismatch },
      ...Array(5).fill(next),
      ...Array(20).fill({ ...next, ...mismatch }),
      {},
      mismatch,
    );
    const { flow, divergences } = await rows();
    expect(flow.models).toMatchObject({
      trials: 86,
      versions: [
        { answered: "gpt-x-2026-08-01", by: ["legacy", "candidate"], trials: 61 },
        { answered: "gpt-x-2026-11-01", by: ["legacy", "candidate"], trials: 25 },
      ],
    });
    expect(divergences[0]).toMatchObject({ trials: 22, models: { trials: 21 } });
    const reply = await reportRows(fresh.db, config, FLOW);
    const [told] = buildReport(reply, "2026-05-01T00:00:00Z").flows;
    expect(told?.divergences[0]).toMatchObject({
      model: { answered: "gpt-x-2026-11-01", trials: 20, of: 25, otherTrials: 1, others: 61 },
      explanation: expect.stringContaining(
        "20 of 21 came with gpt-x-2026-11-01 (legacy and candidate, since 2026-01-04): 80 % of 25 trials with it, 1.64 % of 61 without.",
      ),
    });
    expect(told?.alarms).toEqual([
      expect.stringMatching(/gpt-x-2026-11-01 answers since 2026-01-04.*in 25 trials/),
    ]);
    const said = { flow: FLOW, fingerprint: AMOUNT, as: "unsure", who: "ann", why: "a test" };
    const desk = { config, db: fresh.db } as Desk; // Nobody opens a side to decide.
    const { data } = (await TRIAGE_COMMANDS.triage?.(desk, said)) ?? {};
    expect(data).toMatchObject({
      decision: "unsure",
      model: { answered: "gpt-x-2026-11-01", trials: 20, of: 25 },
      modelText: expect.stringContaining("20 of 21 came with gpt-x-2026-11-01"),
    });
  });

  test("of a flow without trials is nothing, and says so", async () => {
    const { flow, divergences } = await rows();
    expect(flow).toMatchObject({ sinceAt: null, days: 0, answered: 0, open: 0, verdicts: {} });
    expect(divergences).toEqual([]);
  });

  test("counts trials since the candidate's newest version was first seen, and no earlier one", async () => {
    await seen(
      { hash: "old", ...mismatch, day: 0 },
      { hash: "old", verdict: "candidate_error", day: 1 },
      { hash: "new", day: 2 },
      { hash: "new", day: 5 },
    );
    const { flow, divergences } = await rows();
    expect(flow).toMatchObject({ answered: 2, verdicts: { match: 2 }, unexplained: 0 });
    expect(flow.days).toBeCloseTo(3, 3);
    expect(divergences).toEqual([]);
  });

  test("counts a trial whose process died with the version it belongs to", async () => {
    await seen({ hash: "old" }, { hash: "new" }, { hash: null, verdict: "candidate_error" });
    expect((await rows()).flow.verdicts).toEqual({ match: 1, candidate_error: 1 });
  });

  test("leaves out what the breaker kept from the version before, and nothing else without a version", async () => {
    const kept = { verdict: "not_run", reason: "breaker", hash: null } as const;
    await seen(
      { hash: "old", verdict: "candidate_error" },
      kept,
      { ...kept, day: 1 },
      { hash: null, verdict: "candidate_error", day: 2 },
      { hash: "new", day: 2 },
      { ...kept, day: 3 },
    );
    const { flow } = await rows();
    expect(flow).toMatchObject({
      verdicts: { match: 1, candidate_error: 1 },
      notRun: { breaker: 1 },
    });
  });

  test("is taken only from stages in which both sides run", async () => {
    await seen(
      { frame: { stage: "legacy", notRun: "stage" } },
      { frame: { stage: "shadow" } },
      { frame: { stage: "canary" } },
      { frame: { stage: "cutover", authoritative: "candidate" }, hash: null },
      { frame: { stage: "retired", notRun: "stage" } },
    );
    expect((await rows()).flow).toMatchObject({ answered: 3, verdicts: { match: 3 } });
  });

  test("tells open trials and those that were never compared apart, with their reason", async () => {
    await seen(
      {},
      { verdict: "open" },
      { frame: { notRun: "sampled" } },
      { frame: { notRun: "sampled" } },
      { frame: { notRun: "paused" } },
    );
    const { flow } = await rows();
    expect(flow).toMatchObject({
      answered: 5,
      open: 1,
      verdicts: { match: 1 },
      notRun: { sampled: 2, paused: 1 },
    });
    expect(evidenceOf(flow, [], new Date().toISOString())).toMatchObject({ trials: 1, notRun: 3 });
  });

  test("counts a mismatch until a person explains its divergence", async () => {
    await seen(mismatch, mismatch, {});
    expect((await rows()).flow.unexplained).toBe(2);
    for (const decision of ["intended", "noise", "legacy_bug"] as const) {
      await decided("unsure");
      expect((await rows()).flow.unexplained).toBe(2);
      await decided(decision);
      const { flow, divergences } = await rows();
      expect(flow).toMatchObject({ unexplained: 0, verdicts: { mismatch: 2, match: 1 } });
      expect(divergences).toMatchObject([{ fingerprint: AMOUNT, decision: { decision } }]);
    }
  });

  test("is not changed by a decision that has expired", async () => {
    await seen(mismatch);
    await decided("intended", new Date(Date.now() + DAY_MS).toISOString());
    expect((await rows()).flow.unexplained).toBe(0);
    await decided("intended", new Date(Date.now() - 1_000).toISOString());
    const { flow, divergences } = await rows();
    expect(flow.unexplained).toBe(1);
    expect(divergences).toMatchObject([{ decision: { decision: "intended" } }]);
  });

  test("goes by the newest decision; a candidate bug covers nothing", async () => {
    await seen(mismatch);
    await decided("intended");
    await decided("candidate_bug");
    const { flow, divergences } = await rows();
    expect(flow.unexplained).toBe(1);
    const now = new Date().toISOString();
    expect(evidenceOf(flow, divergences, now)).toMatchObject({ mismatches: 1, openBugs: 1 });
  });

  test("keeps a trial with two divergences unexplained until both are decided", async () => {
    await seen({ verdict: "mismatch", differences: [{}, { fingerprint: NAME, path: "/name" }] });
    await decided("intended");
    expect((await rows()).flow.unexplained).toBe(1);
    await decide(fresh.db, FLOW, NAME, {
      decision: "noise",
      who: "bob",
      owner: "bob",
      why: "-",
      until: null,
    });
    expect((await rows()).flow.unexplained).toBe(0);
  });

  test("counts trials with other writes, and no value that only looks like one", async () => {
    const effect = { kind: "effect", path: "/effects/shop.charge" } as const;
    await seen(
      { verdict: "mismatch", differences: [effect, { ...effect, detail: "extra" }] },
      { verdict: "mismatch", differences: [{ fingerprint: NAME, legacy: { kind: "effect" } }] },
    );
    expect((await rows()).flow).toMatchObject({ unexplained: 2, effectDifferences: 1 });
    await decided("intended");
    expect((await rows()).flow).toMatchObject({ unexplained: 1, effectDifferences: 0 });
  });

  test("does not count a difference that a rule explains", async () => {
    await seen({ verdict: "ignored", differences: [{ rule: "/amount" }] });
    const { flow, divergences, samples } = await rows();
    expect(flow).toMatchObject({ unexplained: 0, verdicts: { ignored: 1 } });
    expect(divergences).toEqual([]);
    expect(samples).toEqual([]);
  });

  test("measures noise apart: how often legacy differs from itself, in all and per divergence", async () => {
    await seen(
      { ...mismatch, noiseVerdict: "match" },
      { noiseVerdict: "mismatch", differences: [{ compared: "noise" }] },
      { noiseVerdict: "both_failed_same" },
      {},
    );
    const { flow, divergences } = await rows();
    expect(flow).toMatchObject({ noise: { trials: 3, mismatches: 1 }, unexplained: 1 });
    expect(divergences).toMatchObject([{ fingerprint: AMOUNT, trials: 1, noiseTrials: 1 }]);
  });

  test("takes latency from answers, whichever side gave them", async () => {
    await seen(
      { durationMs: 10 },
      { durationMs: 20 },
      { durationMs: 9_000, frame: { status: "timed_out" } },
      { durationMs: 30, frame: { stage: "cutover", authoritative: "candidate" }, hash: null },
    );
    const { latencyMs } = (await rows()).flow;
    expect(latencyMs.legacy?.p50).toBe(10);
    expect(latencyMs.candidate?.p95).toBeCloseTo(25.65, 1);
  });

  test("shows at most three samples of a divergence, with both answers and both traces", async () => {
    const call: ToolCall = {
      tool: "shop.charge",
      args: { cents: 1 },
      effect: "write",
      occurrence: 0,
      outcome: returned(0),
      startedAtMs: 0,
      durationMs: 1,
      served: "live",
    };
    const trace = { legacy: [call], candidate: [{ ...call, args: { cents: 2 } }] };
    const differences = [{ fingerprint: NAME, path: "/name" }, {}];
    const both: Story = { verdict: "mismatch", differences, trace };
    await seen(both, mismatch, mismatch, mismatch);
    const { samples } = await rows();
    const amounts = samples.filter((sample) => sample.fingerprint === AMOUNT);
    expect(amounts).toHaveLength(3);
    expect(amounts[0]).toMatchObject({
      input: { n: expect.any(Number) },
      legacy: returned(1),
      candidate: returned(2),
      legacyCalls: trace.legacy,
      candidateCalls: trace.candidate,
      // Its own difference comes first.
      differences: [{ path: "/amount" }, { path: "/name" }],
    });
    expect(amounts[1]).toMatchObject({ legacyCalls: [], candidateCalls: [] });
  });

  test("knows a bug of the candidate however many divergences are more frequent", async () => {
    const frequent = Array.from({ length: 50 }, (_, n) => `v1:${String(n).padStart(16, "0")}`);
    const differences = frequent.map((fingerprint) => ({ fingerprint }));
    await seen(
      { verdict: "mismatch", differences },
      { verdict: "mismatch", differences },
      { verdict: "mismatch", differences: [{ fingerprint: NAME }] },
    );
    const fingerprints = async () =>
      (await rows()).divergences.map(({ fingerprint }) => fingerprint);
    expect(await fingerprints()).toEqual(frequent);
    const said = { who: "ann", why: "a test", owner: "ann", until: null };
    await decide(fresh.db, FLOW, NAME, { decision: "candidate_bug", ...said });
    expect(await fingerprints()).toEqual([...frequent, NAME]);
  });

  test("shows legacy as legacy after a cutover, when the candidate answered", async () => {
    const frame = { stage: "cutover", authoritative: "candidate" } as const;
    await seen({ ...mismatch, frame, hash: null });
    const [sample] = (await rows()).samples;
    expect(sample).toMatchObject({ legacy: returned(2), candidate: returned(1) });
    expect(sample?.input).toMatchObject({ n: expect.any(Number) });
  });

  test("counts as lost what never arrived, with a known cause or without", async () => {
    const first = seq + 1;
    await seen({});
    seq += 3;
    await seen({});
    await fresh.db.query("update twintrack.epochs set epoch = $1::uuid", [randomUUID()]);
    const known = randomUUID();
    await recordGaps(fresh.db, [{ epoch: known, fromSeq: 1, toSeq: 2, cause: "rejected" }]);
    // Everything before the first trial of this epoch is missing as well: its numbers start at 1.
    expect((await rows()).lost).toBe(first - 1 + 3 + 2);
  });
});
