/**
 * G12: trials written in batches of a hundred, against one at a time, on both databases.
 *
 * A trial is what arrives (its row, its run, its job) and what is judged of it (its verdict, the other
 * run, one difference). Both ways write the same rows through the same code; one at a time, every
 * statement is a transaction of its own.
 */
import { randomUUID } from "node:crypto";
import { type Frame, trialIdOf } from "../../harness/frame.ts";
import type { Database } from "../../harness/store/database.ts";
import { openJobs, type TrialJobs } from "../../harness/store/jobs.ts";
import { type JudgedTrial, settle } from "../../harness/store/judgements.ts";
import { migrate } from "../../harness/store/migrate.ts";
import { openPglite } from "../../harness/store/pglite.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { ingest } from "../../harness/store/trials.ts";
import { frameOf } from "../app/frame.ts";
import { startPostgres } from "../postgres.ts";
import { type Comparison, interleave } from "./measure.ts";

const ROUNDS = 7;
const WARM_UP_ROUNDS = 1;
const TRIALS = 200;

function frames(epoch: string): Frame[] {
  return Array.from({ length: TRIALS }, (_, n) => {
    const header = { epoch, seq: n + 1, flow: "bench", receivedAt: new Date().toISOString() };
    const value = { text: "x".repeat(2_000) };
    const payload = { input: { n }, outcome: { status: "returned" as const, value } };
    return frameOf({ header, payload });
  });
}

function judged({ header }: Frame): JudgedTrial {
  const fingerprint = "v1:0123456789abcdef";
  return {
    ...{ id: trialIdOf(header), flow: "bench", verdict: "mismatch", reason: null },
    ...{ noiseVerdict: null, flowHash: "h", truncated: false, effectDifferences: 0 },
    ...{
      contractViolations: 0,
      trace: null,
      legacyTools: ["shop.find"],
      alignment: null,
      rules: null,
    },
    runs: [
      {
        side: "candidate",
        status: "returned",
        durationMs: 1,
        payload: Buffer.from(JSON.stringify({ text: "x".repeat(2_000) })),
      },
    ],
    differences: [
      {
        compared: "candidate",
        fingerprint,
        difference: '{"kind":"value","path":"/n"}',
        rule: null,
      },
    ],
    divergences: [{ fingerprint, title: "n differs", kind: "value", path: "/n" }],
  };
}

/** Trials per second. */
async function rate(db: Database, jobs: TrialJobs, batch: number): Promise<number> {
  const all = frames(randomUUID());
  const startedMs = performance.now();
  for (let at = 0; at < all.length; at += batch) {
    const some = all.slice(at, at + batch);
    await ingest(db, jobs, some);
    const taken = await jobs.take(batch);
    await settle(db, some.map(judged), (query) => jobs.end(query, taken));
  }
  return (all.length * 1_000) / (performance.now() - startedMs);
}

export async function writer(): Promise<Comparison[]> {
  await using stack = new AsyncDisposableStack();
  const postgres = await startPostgres();
  stack.defer(postgres.stop);
  const databases = [
    { name: "Postgres", db: openPostgres({ url: postgres.url }), ratio: 6 },
    { name: "PGlite", db: await openPglite(), ratio: 2 },
  ];
  const results: Comparison[] = [];
  for (const { name, db, ratio } of databases) {
    stack.defer(() => db.close());
    await migrate(db);
    const jobs = await openJobs(db);
    stack.defer(() => jobs.close());
    const cases = {
      ours: () => rate(db, jobs, 100),
      base: () => rate(db, jobs, 1),
      again: () => rate(db, jobs, 1),
    };
    await interleave(cases, WARM_UP_ROUNDS);
    const { ours, base, again } = await interleave(cases, ROUNDS);
    results.push({
      metric: `${name}: trials per second`,
      base: { name: "one at a time", rounds: base, again },
      ours: { name: "a hundred at a time", rounds: ours },
      moreIsBetter: true,
      goal: { kind: "atLeast", ratio },
    });
  }
  return results;
}
