/** The whole way of a trigger: answer, spool, store, shadow process, verdict; and every way the shadow can fail. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { resolveConfig } from "../../harness/config.ts";
import { books } from "../../harness/store/books.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { openHarness } from "../../harness/twintrack.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS, freshDatabase } from "../database.ts";

interface TrialRow {
  flow: string;
  verdict: string;
  reason: string | null;
  noise: string | null;
  effects: number;
}

async function trialsOf(app: App, flow: string): Promise<TrialRow[]> {
  const db = await app.harness.database();
  return db.query<TrialRow>(
    `select flow, verdict, reason, noise_verdict as noise, effect_differences as effects
     from twintrack.trials where flow = $1 order by seq`,
    [flow],
  );
}

/** Answers one trigger and waits until everything about it is judged. */
async function judged(app: App, flow: string, input: unknown = { n: 1 }) {
  const answer = await app.harness.live.answer(flow, input);
  await app.harness.settle();
  const rows = await trialsOf(app, flow);
  return { answer, trial: rows.at(-1) };
}

describe.each(BACKENDS)("a dual run on %s", (backend) => {
  let app: App;
  beforeAll(async () => {
    app = await startApp(backend);
  });
  afterAll(() => app.close());

  test("gives the caller legacy's answer and a match to the books", async () => {
    const { answer, trial } = await judged(app, "add");
    expect(answer).toMatchObject({
      side: "legacy",
      outcome: { status: "returned", value: { sum: 2 } },
    });
    expect(trial).toMatchObject({ verdict: "match" });
  });

  test("makes each write once: the candidate and the second legacy run are answered from the record", async () => {
    const before = app.effects().length;
    const { answer, trial } = await judged(app, "pay", { n: 3 });
    expect(answer.outcome).toEqual({ status: "returned", value: { receipt: "R-300-EUR" } });
    expect(trial).toMatchObject({ verdict: "match", noise: "match", effects: 0 });
    expect(app.effects().slice(before)).toEqual([{ tool: "charge", cents: 300, role: "live" }]);
  });

  test("notes which parts of the flow and of its input the compared trials have seen", async () => {
    const db = await app.harness.database();
    const marks = () =>
      db.query<{ mark: string; trials: number }>(
        "select mark, trials from twintrack.coverage where flow = 'pay' order by mark",
      );
    const before = await marks();
    await judged(app, "pay", { n: 4 });
    const told = ["step paid taken", "step price taken", "tool shop.charge", "tool shop.quote"];
    expect((await marks()).map(({ mark }) => mark)).toEqual(told);
    for (const { mark, trials } of await marks())
      expect(trials).toBe((before.find((one) => one.mark === mark)?.trials ?? 0) + 1);
  });

  test("refuses a write that legacy did not make and reports it as a difference", async () => {
    const before = app.effects().length;
    const { trial } = await judged(app, "paysTwice", { n: 5 });
    expect(trial).toMatchObject({ verdict: "mismatch", effects: 1 });
    expect(app.effects().slice(before)).toHaveLength(1);
    const db = await app.harness.database();
    const rows = await db.query<{ difference: string }>(
      "select difference from twintrack.differences where flow = 'paysTwice'",
    );
    expect(rows.map((row) => JSON.parse(row.difference) as object)).toMatchObject([
      { kind: "effect", path: "/effects/shop.charge", detail: "duplicated" },
    ]);
  });

  test("passes legacy's own failure on and says that only legacy failed", async () => {
    const { answer, trial } = await judged(app, "fails");
    expect(answer.outcome).toEqual({
      status: "threw",
      error: { name: "TypeError", message: "legacy is broken" },
    });
    expect(trial).toMatchObject({ verdict: "mismatch" });
  });

  test("books an answer that timed out as not compared: its record of calls is not whole", async () => {
    const { answer, trial } = await judged(app, "slow");
    expect(answer.outcome).toEqual({ status: "timed_out", afterMs: 50 });
    expect(trial).toMatchObject({ verdict: "not_run", reason: "timeout" });
  });

  test("does nothing beside the answer in stage legacy, and books it", async () => {
    const { trial } = await judged(app, "legacyOnly");
    expect(trial).toMatchObject({ verdict: "not_run", reason: "stage" });
  });

  test("lets a flow without a legacy side be answered by the candidate", async () => {
    const { answer } = await judged(app, "typedOnly");
    expect(answer).toMatchObject({
      side: "candidate",
      outcome: { status: "returned", value: { sum: 2 } },
    });
  });

  test("balances its books after all of that", async () => {
    const balance = await books(await app.harness.database());
    const verdicts = Object.values(balance.verdicts).reduce((sum, count) => sum + count, 0);
    expect(balance).toMatchObject({ open: 0, unexplained: 0, answered: verdicts });
    expect(balance.answered).toBe(app.harness.live.counts().answered);
  });
});

test("an answer that cannot be recorded reaches its caller, and is a gap with its cause", async () => {
  const fresh = await freshDatabase("postgres");
  // Each character takes six in JSON: together more than a text may have.
  const huge = "\u0001".repeat(90_000_000);
  const legacy = () => (input: { n: number }) => (input.n === 1 ? huge : "small");
  const config = resolveConfig({ flows: { huge: { legacy, stage: "shadow" } } });
  const harness = openHarness({ ...config, dataDir: fresh.dataDir, databaseUrl: fresh.url });
  try {
    // To try to write it blocks for seconds: a connection that is just being made would time out.
    await harness.database();
    const { outcome } = await harness.live.answer("huge", { n: 1 });
    expect(outcome.status === "returned" && outcome.value === huge).toBe(true);
    await harness.live.answer("huge", { n: 2 });
    await vi.waitFor(
      async () => {
        const { answered, gaps, unexplained } = await books(fresh.db);
        expect({ answered, gaps, unexplained }).toEqual({
          answered: 2,
          gaps: { unrecordable: 1 },
          unexplained: 0,
        });
      },
      { timeout: 60_000, interval: 100 },
    );
  } finally {
    await harness.close();
    await fresh.drop();
  }
});

test("a trial that is being judged when the harness closes is given back and judged later", async () => {
  const app = await startApp();
  const db = openPostgres({ url: app.config.databaseUrl ?? "" });
  try {
    await app.harness.database();
    await app.harness.live.answer("loops", { n: 1 });
    const state = async () => {
      const [row] = await db.query<{ state: string }>(
        "select state::text from twintrack_jobs.job where name = 'trials'",
      );
      return row?.state;
    };
    await vi.waitUntil(async () => (await state()) === "active", { timeout: 20_000 });
    await app.harness.close();
    expect(await state()).toBe("created");
    expect(await books(db)).toMatchObject({ answered: 1, open: 1, unexplained: 0 });
  } finally {
    await db.close();
    await app.close();
  }
});
