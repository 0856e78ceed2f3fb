/** What moves a flow without a person: a breach takes it back, an open gate takes it on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import {
  type FlowConfig,
  loadConfig,
  type ResolvedConfig,
  resolveConfig,
} from "../../harness/config.ts";
import { openSides } from "../../harness/side.ts";
import { changeStage, readStages } from "../../harness/stage.ts";
import { watchStages } from "../../harness/stage-watch.ts";
import type { Database } from "../../harness/store/database.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../database.ts";

const NOW = new Date("2026-05-10T12:00:00Z");

interface Told {
  verdict: string;
  authoritative?: "legacy" | "candidate";
  status?: string;
  minutesAgo?: number;
  stage?: string;
}

describe.each(BACKENDS)("a look at the stages on %s", (backend) => {
  let fresh: TestDatabase;
  let base: ResolvedConfig;
  let seq = 0;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
    base = { ...(await loadConfig(CONFIG_FILE)), dataDir: fresh.dataDir };
  });
  afterAll(() => fresh.drop());
  beforeEach(() =>
    fresh.db.query(
      `truncate twintrack.flows, twintrack.stage_changes, twintrack.trials, twintrack.runs, twintrack.differences`,
    ),
  );

  const configured = (change: Partial<FlowConfig>): ResolvedConfig => ({
    ...base,
    flows: { pay: { ...base.flows.pay, ...change } },
  });
  const demoting = () => configured({ gate: { autoDemote: { windowHours: 2, cooldownHours: 6 } } });

  async function seen(count: number, told: Told): Promise<void> {
    const { verdict, authoritative = "candidate", status = "returned" } = told;
    const at = new Date(NOW.getTime() - (told.minutesAgo ?? 5) * 60_000);
    const from = seq + 1;
    seq += count;
    await fresh.db.query(
      `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative,
         received_at, verdict, judged_at, flow_hash, legacy_ms, candidate_ms)
       select 'w' || n, gen_random_uuid(), n, 'pay', 'w' || n, 'http', $3, $4, $5::timestamptz, $6,
         now(), 'h', 5, 5 from generate_series($1::integer, $2::integer) n`,
      [from, seq, told.stage ?? "canary", authoritative, at, verdict],
    );
    await fresh.db.query(
      `insert into twintrack.runs (trial_id, side, status, duration_ms, payload)
       select 'w' || n, side, case side when $3 then $4 else 'returned' end, 5, ''
       from generate_series($1::integer, $2::integer) n, unnest(array['legacy', 'candidate']) side`,
      [from, seq, authoritative, status],
    );
  }

  async function put(stage: "shadow" | "canary" | "cutover", hoursAgo = 1): Promise<void> {
    const at = { flow: "pay", who: "ann", why: "a test", override: true };
    const start = { stage: "legacy", canaryPercent: 0, version: 0 } as const;
    const shadow = await changeStage(fresh.db, start, { ...at, to: "shadow" });
    if (stage !== "shadow")
      await changeStage(fresh.db, shadow, { ...at, to: stage, canaryPercent: 5 });
    await fresh.db.query("update twintrack.stage_changes set at = $1::timestamptz", [
      new Date(NOW.getTime() - hoursAgo * 3_600_000),
    ]);
  }

  const look = (config = demoting(), db: Database = fresh.db) => watchStages(db, config, NOW);
  const changes = () =>
    fresh.db.query<Record<string, unknown>>(
      "select from_stage, to_stage, who, why, automatic, evidence from twintrack.stage_changes order by id",
    );

  test.each(["canary", "cutover"] as const)(
    "takes a flow whose candidate fails where callers see it from %s back to shadow, with the evidence",
    async (stage) => {
      await put(stage);
      await seen(40, { verdict: "match" });
      await seen(8, { verdict: "candidate_error", status: "threw" });
      expect(await look()).toMatchObject([{ flow: "pay", from: stage, to: "shadow" }]);
      expect((await readStages(fresh.db)).get("pay")).toMatchObject({ stage: "shadow" });
      expect((await changes()).at(-1)).toMatchObject({
        ...{ from_stage: stage, to_stage: "shadow", who: "twintrack", automatic: true },
        why: expect.stringContaining("answer_errors: 8 candidate errors in 48"),
        evidence: { decision: "closed" },
      });
    },
  );

  test("leaves a flow alone whose trials are clean, or too few to tell", async () => {
    await put("canary");
    expect(await look()).toEqual([]);
    await seen(50, { verdict: "match" });
    expect(await look()).toEqual([]);
  });

  test.each<[string, Told]>([
    ["came before the window", { verdict: "candidate_error", status: "threw", minutesAgo: 121 }],
    [
      "came while the flow was in shadow",
      { verdict: "candidate_error", stage: "shadow", authoritative: "legacy" },
    ],
    ["hit both sides alike", { verdict: "both_failed_same", status: "threw" }],
  ])("does not hold against the candidate what %s", async (_, told) => {
    await put("canary", 30);
    await seen(30, told);
    expect(await look()).toEqual([]);
  });

  test("does nothing without autoDemote", async () => {
    await put("cutover");
    await seen(30, { verdict: "candidate_error", status: "threw" });
    expect(await look(configured({}))).toEqual([]);
    expect(await look(configured({ gate: { autoDemote: false } }))).toEqual([]);
  });

  test("does not demote a flow that has no legacy to go back to", async () => {
    await put("cutover");
    await seen(30, { verdict: "candidate_error", status: "threw" });
    const { legacy: _gone, ...typed } = base.flows.pay ?? {};
    const config = { ...base, flows: { pay: { ...typed, gate: { autoDemote: true } } } };
    expect(await look(config)).toEqual([]);
  });

  test("refuses promotion until it has cooled down, except to whoever overrides", async () => {
    await put("canary");
    await seen(30, { verdict: "candidate_error", status: "threw" });
    await look();
    const sides = openSides(demoting());
    const desk = { config: demoting(), db: fresh.db, sides };
    const cutover = (more: object) =>
      STORE_COMMANDS.cutover?.(desk, { flow: "pay", who: "ann", why: "-", percent: 5, ...more });
    await expect(cutover({})).rejects.toMatchObject({
      code: "STAGE_REFUSED",
      message: expect.stringContaining("cools down until"),
    });
    expect(await cutover({ override: true })).toMatchObject({ data: { to: "canary" } });
    await sides.close();
  });

  describe("with autoPromote", () => {
    const gate = {
      minTrials: 50,
      minDays: 0,
      maxMismatchRate: 0.2,
      maxErrorRate: 0.2,
      p95Ratio: 9,
    };
    const ladder = [
      { stage: "canary", percent: 5, holdHours: 0 },
      { stage: "canary", percent: 50, holdHours: 24 },
    ] as const;
    const promoting = () =>
      configured({
        ladder,
        gate: { ...gate, autoPromote: { to: "canary", percent: 50 } },
      });

    test("takes a flow whose gate is open one step up, and no further than allowed", async () => {
      await put("shadow");
      expect(await look(promoting())).toEqual([]);
      await seen(100, { verdict: "match", authoritative: "legacy" });
      expect(await look(promoting())).toMatchObject([{ from: "shadow", to: "canary" }]);
      expect(await look(promoting())).toMatchObject([{ from: "canary", to: "canary" }]);
      expect(await look(promoting())).toEqual([]);
      expect((await readStages(fresh.db)).get("pay")).toMatchObject({ canaryPercent: 50 });
      expect((await changes()).at(-1)).toMatchObject({ who: "twintrack", automatic: true });
    });

    test("holds a step as long as the ladder says, and cuts over only when the policy names it", async () => {
      await put("canary", 23);
      await fresh.db.query("update twintrack.flows set canary_percent = 50");
      await seen(100, { verdict: "match", authoritative: "legacy" });
      const further = configured({ ladder, gate: { ...gate, autoPromote: { to: "cutover" } } });
      expect(await look(further)).toEqual([]);
      await fresh.db.query("update twintrack.stage_changes set at = at - interval '2 hours'");
      expect(await look(promoting())).toEqual([]);
      expect(await look(further)).toMatchObject([{ from: "canary", to: "cutover" }]);
    });
  });

  test("is a limit that a configuration can get wrong only loudly", () => {
    const wrong = (gate: object) => () =>
      resolveConfig({ flows: { pay: { legacy: () => null, gate } } } as never);
    expect(wrong({ autoDemote: { window: 1 } })).toThrow(/autoDemote/);
    expect(wrong({ autoPromote: { to: "retired" } })).toThrow(/autoPromote/);
    expect(wrong({ autoDemote: true, minTrials: 3 })).not.toThrow();
  });
});

test("of four processes that see the same breach one demotes", async () => {
  const fresh = await freshDatabase("postgres");
  const rivals = Array.from({ length: 4 }, () => openPostgres({ url: fresh.url ?? "" }));
  try {
    const loaded = await loadConfig(CONFIG_FILE);
    const flow = { ...loaded.flows.pay, gate: { autoDemote: true } };
    const config = { ...loaded, dataDir: fresh.dataDir, flows: { pay: flow } };
    await fresh.db.query("insert into twintrack.flows (name, stage) values ('pay', 'cutover')");
    await fresh.db.query(
      `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative,
         received_at, verdict, judged_at)
       select 'x' || n, gen_random_uuid(), n, 'pay', 'x', 'http', 'cutover', 'candidate', $1::timestamptz,
         'candidate_error', now() from generate_series(1, 30) n`,
      [NOW],
    );
    const moves = await Promise.all(rivals.map((db) => watchStages(db, config, NOW)));
    expect(moves.flat()).toHaveLength(1);
    const rows = await fresh.db.query("select id from twintrack.stage_changes");
    expect(rows).toHaveLength(1);
  } finally {
    for (const rival of rivals) await rival.close();
    await fresh.drop();
  }
});
