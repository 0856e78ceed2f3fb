/** LangChain's own model client and a typed flow ask one model; who answers whom, and how often. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { privacyOf, runPlace } from "../../harness/privacy/privacy.ts";
import { buildReport } from "../../harness/report/report.ts";
import { renderText } from "../../harness/report/text.ts";
import { reportRows } from "../../harness/store/report-rows.ts";
import { type Completions, serveCompletions } from "../app/completions.ts";
import { type App, startApp } from "../app/start.ts";

const FILE = fileURLToPath(new URL("model.config.ts", import.meta.url));

let server: Completions;
let app: App;
/** What the model service appends to the name of what it was asked for. */
let release = "";
beforeAll(async () => {
  // Never the same answer twice: sides that agree have shared one.
  server = await serveCompletions(
    (_, number) => `capital ${number}`,
    (model) => `${model}${release}`,
  );
  vi.stubEnv("TWINTRACK_TEST_MODEL_URL", server.url);
  app = await startApp("postgres", FILE);
});
afterAll(async () => {
  await app.close();
  await server.close();
  vi.unstubAllEnvs();
});

async function judged(flow: string, country: string) {
  const before = server.asked.length;
  const { outcome } = await app.harness.live.answer(flow, { country });
  await app.harness.settle();
  const db = await app.harness.database();
  const [trial] = await db.query<{ id: string; verdict: string; payload: Uint8Array }>(
    `select t.id, t.verdict, r.payload from twintrack.trials t
     join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate'
     where t.flow = $1 order by t.received_at desc limit 1`,
    [flow],
  );
  const { vault } = privacyOf(app.config);
  const place = runPlace(trial?.id ?? "", "candidate");
  const run = JSON.parse(vault.open(trial?.payload ?? new Uint8Array(), place).toString("utf8"));
  return { outcome, verdict: trial?.verdict, run, asked: server.asked.length - before };
}

test("a question that both sides ask is asked once, and both get the one answer", async () => {
  const { outcome, verdict, run, asked } = await judged("same", "Portugal");
  expect(outcome).toMatchObject({ value: { capital: expect.stringMatching(/^capital \d+$/) } });
  expect(run.modelCalls).toMatchObject([
    { served: "recorded", outcome: { value: { usage: { totalTokens: 15 } } } },
  ]);
  expect({ verdict, asked, models: run.models }).toEqual({
    verdict: "match",
    asked: 1,
    models: "shared",
  });
});

test("a question of its own goes to the model, and the trial says so", async () => {
  const { verdict, run, asked } = await judged("other", "Spain");
  expect({ verdict, asked, models: run.models }).toEqual({
    verdict: "mismatch",
    asked: 2,
    models: "independent",
  });
});

test("a model of the Vercel AI SDK shares answers, and is asked, like any other", async () => {
  expect(await judged("vercelSame", "Norway")).toMatchObject({ verdict: "match", asked: 1 });
  const { verdict, asked, run } = await judged("vercelOther", "Norway");
  expect({ verdict, asked, models: run.models }).toEqual({
    verdict: "mismatch",
    asked: 2,
    models: "independent",
  });
  expect(run.modelCalls[0].outcome.value).toMatchObject({
    content: expect.stringMatching(/^capital \d+$/),
    usage: { inputTokens: 12, outputTokens: 3, totalTokens: 15 },
    finishReason: "stop",
    metadata: { model: "scripted-1" },
  });
});

test("a shared answer costs both sides, and is paid once", async () => {
  const db = await app.harness.database();
  const [same] = (await reportRows(db, app.config, "same")).flows;
  // 12 tokens for a dollar each in, 3 for two dollars each out.
  expect(same).toMatchObject({
    tokens: { legacy: 15, candidate: 15 },
    costUsd: { legacy: 18, candidate: 18, pairs: { n: 1 } },
    spentUsd: 0,
  });
  const [other] = (await reportRows(db, app.config, "other")).flows;
  expect(other).toMatchObject({ costUsd: { legacy: 18, candidate: 18 }, spentUsd: 18 });
  const rows = await reportRows(db, app.config);
  const report = renderText(buildReport(rows, "2026-01-01T00:00:00Z"), {
    color: false,
    width: 100,
  });
  expect(report).toContain(
    "model tokens legacy → candidate: 15 → 15; cost $18 → $18, and $18 for comparing",
  );
});

test("H8: which version of a model answered is in the record of the run that asked", async () => {
  const { run } = await judged("other", "Chile");
  expect(run.modelCalls[0]).toMatchObject({
    request: { model: "scripted-1" },
    outcome: { value: { metadata: { model: "scripted-1" } } },
  });
});

test("H8: a version that changes while trials are counted is named by report and gate", async () => {
  await judged("same", "Peru");
  release = "-2026-11-01";
  try {
    await judged("same", "Cuba");
  } finally {
    release = "";
  }
  const db = await app.harness.database();
  const rows = await reportRows(db, app.config, "same");
  const by = ["legacy", "candidate"];
  expect(rows.flows[0]?.models?.versions).toMatchObject([
    { asked: "scripted-1", answered: "scripted-1", by },
    { asked: "scripted-1", answered: "scripted-1-2026-11-01", by, trials: 1 },
  ]);
  const [flow] = buildReport(rows, "2026-01-01T00:00:00Z").flows;
  const reason = flow?.gate.reasons.find(({ criterion }) => criterion === "model_version");
  expect(reason).toMatchObject({ observed: 1, status: "pass" });
  expect(reason?.detail).toMatch(
    /^legacy and candidate: scripted-1-2026-11-01 answers since .*Z where scripted-1 did, in 1 trial;/,
  );
});

test("where models are recorded, a question of its own is refused and not paid", async () => {
  const { verdict, run, asked } = await judged("refused", "Italy");
  expect({ verdict, asked }).toEqual({ verdict: "candidate_error", asked: 1 });
  expect(run.modelCalls).toMatchObject([{ served: "refused" }]);
  expect(run.outcome).toMatchObject({ error: { code: "MODEL_UNRECORDED" } });
});

test("H7: the day's budget ends questions, and not answers from the record", async () => {
  expect(await judged("poor", "France")).toMatchObject({ verdict: "mismatch", asked: 2 });
  const { verdict, run, asked } = await judged("poor", "Malta");
  expect({ verdict, asked }).toEqual({ verdict: "candidate_error", asked: 1 });
  expect(run.outcome.error).toMatchObject({ code: "MODEL_UNRECORDED" });
});
