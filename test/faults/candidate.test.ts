/** Faults A of the catalogue: what a candidate can do wrong. Each costs a verdict and nothing else. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { books } from "../../harness/store/books.ts";
import { type App, startApp } from "../app/start.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());
/** Whatever happened: every answer is accounted for, and the next trial is judged as ever. */
afterEach(async () => {
  expect(await judged("add", [{ n: 1 }])).toMatchObject([{ verdict: "match" }]);
  const { answered, open, verdicts, unexplained } = await books(await app.harness.database());
  const counted = Object.values(verdicts).reduce((sum, count) => sum + count, 0);
  expect({ open, unexplained, counted }).toEqual({ open: 0, unexplained: 0, counted: answered });
  expect(answered).toBe(app.harness.live.counts().answered);
});

interface Trial {
  verdict: string;
  reason: string | null;
}

async function judged(flow: string, inputs: readonly JsonValue[]): Promise<Trial[]> {
  const ids: string[] = [];
  for (const input of inputs) {
    const { trialId, side, outcome } = await app.harness.live.answer(flow, input);
    expect(side).toBe("legacy");
    expect(outcome).toEqual({ status: "returned", value: { sum: (input as { n: number }).n + 1 } });
    ids.push(trialId);
  }
  await app.harness.settle();
  const db = await app.harness.database();
  const rows = await db.query<Trial & { id: string }>(
    "select id, verdict, reason from twintrack.trials where id = any($1::text[])",
    [ids],
  );
  return ids.map((id) => rows.find((row) => row.id === id) ?? { verdict: "lost", reason: id });
}

const times = (count: number, n = 1) => Array.from({ length: count }, () => ({ n }));
const verdicts = (trials: readonly Trial[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(trials, ({ verdict }) => verdict)).map(([verdict, group]) => [
      verdict,
      group?.length,
    ]),
  );

test("A1: a candidate that throws a hundred times is an error while its breaker lets it run, and counted ever after", async () => {
  const trials = await judged("throws", times(100));
  const { candidate_error: failed = 0, not_run: left = 0 } = verdicts(trials);
  expect(failed).toBeGreaterThanOrEqual(20);
  expect(failed + left).toBe(100);
  expect(new Set(trials.slice(-10).map(({ reason }) => reason))).toEqual(new Set(["breaker"]));
});

test.each([
  ["A2", "rejectsUnheard", /match|candidate_error/],
  ["A3", "throwsLater", /match|candidate_error/],
  ["A4", "hangs", /candidate_timeout/],
  ["A5", "loops", /candidate_timeout/],
  ["A6", "leaks", /candidate_error|candidate_timeout/],
  ["A7", "returnsMuch", /incomparable/],
  ["A10", "exits", /candidate_error/],
  ["A10", "moves", /candidate_error/],
  ["A11", "mutatesInput", /match/],
  ["A12", "patches", /candidate_error/],
  ["A12", "pollutes", /candidate_error/],
  ["A13", "floods", /match/],
  ["A14", "opensFiles", /candidate_error/],
] as const)("%s: a candidate that %s costs its verdict", async (_fault, flow, verdict) => {
  const [trial] = await judged(flow, [{ n: 1 }]);
  expect(trial?.verdict).toMatch(verdict);
});

test.each([
  ["returnsCycle", "candidate_error"],
  ["throwingGetter", "candidate_error"],
  ["trapped", "candidate_error"],
  // A function is no data: what is left is an empty object.
  ["throwingToJSON", "mismatch"],
])("A8: an answer that has no JSON form (%s) is never equal", async (flow, verdict) => {
  expect(await judged(flow, [{ n: 1 }])).toMatchObject([{ verdict }]);
});

test("A12: who changes a prototype is named, and runs beside it are judged as ever", async () => {
  const beside = Array.from({ length: 8 }, () => app.harness.live.answer("add", { n: 1 }));
  const [guilty] = await judged("patches", [{ n: 1 }]);
  expect(guilty?.reason).toContain("a run changed Array.prototype.map");
  const ids = (await Promise.all(beside)).map(({ trialId }) => trialId);
  const db = await app.harness.database();
  const rows = await db.query<Trial>(
    "select distinct verdict from twintrack.trials where id = any($1::text[])",
    [ids],
  );
  expect(rows).toEqual([{ verdict: "match" }]);
});

test("A12: what a candidate changes after its verdict is not taken for the work of code that is loaded next", async () => {
  await judged("exits", [{ n: 1 }]); // The next process has loaded nothing.
  expect(await judged("patchesLater", [{ n: 1 }])).toMatchObject([{ verdict: "match" }]);
  const { pid } = app.harness.status().shadow;
  expect(await judged("mutatesInput", [{ n: 1 }])).toMatchObject([{ verdict: "match" }]);
  expect(app.harness.status().shadow.pid).not.toBe(pid);
});

test("A15: a legacy stream without an end costs its reverse shadow the verdict", async () => {
  const { side, outcome, trialId } = await app.harness.live.answer("endless", { n: 1 });
  expect({ side, outcome }).toEqual({
    side: "candidate",
    outcome: { status: "returned", value: { sum: 2 } },
  });
  await app.harness.settle();
  const db = await app.harness.database();
  const [trial] = await db.query<Trial>("select verdict from twintrack.trials where id = $1", [
    trialId,
  ]);
  expect(trial).toEqual({ verdict: "mismatch" });
});

test("A17: a candidate that fails three times of five is not run for a while, and counted", async () => {
  const inputs = Array.from({ length: 60 }, (_, n) => ({ n }));
  const counts = verdicts(await judged("sometimesThrows", inputs));
  expect(counts.candidate_error).toBeGreaterThanOrEqual(10);
  expect(counts.not_run).toBeGreaterThan(0);
});

test("A18: legacy's own failure is the caller's answer, whatever the candidate does", async () => {
  const { outcome, trialId } = await app.harness.live.answer("fails", { n: 1 });
  expect(outcome).toMatchObject({
    status: "threw",
    error: { name: "TypeError", message: "legacy is broken" },
  });
  await app.harness.settle();
  const db = await app.harness.database();
  const [trial] = await db.query<Trial>("select verdict from twintrack.trials where id = $1", [
    trialId,
  ]);
  expect(trial).toEqual({ verdict: "mismatch" });
});

test("A19: an answer that its caller cancels is booked, and not compared", async () => {
  const { outcome, trialId } = await app.harness.live.answer(
    "slow",
    { n: 1 },
    { signal: AbortSignal.timeout(10) },
  );
  expect(outcome.status).not.toBe("returned");
  await app.harness.settle();
  const db = await app.harness.database();
  const [trial] = await db.query<Trial>(
    "select verdict, reason from twintrack.trials where id = $1",
    [trialId],
  );
  expect(trial?.verdict).toBe("not_run");
  expect(trial?.reason).toMatch(/cancelled|timeout/);
});

test("A20: a candidate that starts Twintrack itself is refused, and nothing nests", async () => {
  const [trial] = await judged("startsAnother", [{ n: 1 }]);
  expect(trial?.verdict).toBe("candidate_error");
});
