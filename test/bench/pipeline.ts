/**
 * G13: comparing two answers and keeping the result, against doing it naively.
 *
 * Ours opens the sealed answer, judges the pair with its tool calls, seals what is kept, and writes
 * as many trials at a time as a worker does, one batch while the next is judged; both answers rest
 * whole. The base parses both answers, asks deep-diff and awaits one insert for each pair, with both
 * answers and the edits as jsonb. Both write to the same Postgres. Half of the pairs differ in one
 * value. Running the candidate is in neither.
 */
import { randomUUID } from "node:crypto";
import deepDiff from "deep-diff";
import type { JsonObject } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { decodePayload, type Frame, trialIdOf } from "../../harness/frame.ts";
import { judgeRuns } from "../../harness/judgement.ts";
import { openPrivacy, runPlace } from "../../harness/privacy/privacy.ts";
import { protectTrial } from "../../harness/privacy/protect.ts";
import type { Database } from "../../harness/store/database.ts";
import { type JudgedTrial, settle } from "../../harness/store/judgements.ts";
import { migrate } from "../../harness/store/migrate.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { ingest } from "../../harness/store/trials.ts";
import { frameOf } from "../app/frame.ts";
import { startPostgres } from "../postgres.ts";
import { type Comparison, interleave } from "./measure.ts";

const ROUNDS = 9;
const WARM_UP_ROUNDS = 2;
const PAIRS = 640;
const BATCH = 64;
const SIZES = [
  ["2 KB", 2_000],
  ["10 KB", 10_000],
] as const;

const PRIVACY = openPrivacy(
  { dataDir: "/dev/null", privacy: {} },
  { TWINTRACK_KEY: "dHdpbnRyYWNrIHRlc3RzIHVzZSB0aGlzIGtleSAhISE=" },
);

interface Pair {
  frame: Frame;
  legacy: string;
  candidate: string;
  calls: ToolCall[];
}

function answerOf(n: number, bytes: number, total: number): string {
  const line = (m: number) => ({
    sku: `SKU-${n}-${m}`,
    quantity: m % 5,
    note: "as ordered, in its own box",
  });
  const lines = Array.from({ length: Math.ceil(bytes / 75) }, (_, m) => line(m));
  return JSON.stringify({ id: `A-${n}`, total, lines });
}

function pairOf(n: number, bytes: number, epoch: string): Pair {
  const legacy = answerOf(n, bytes, 100);
  const candidate = answerOf(n, bytes, n % 2 === 0 ? 100 : 101);
  const calls: ToolCall[] = ["shop.find", "shop.charge"].map((tool, index) => ({
    ...{ tool, args: { id: n, index }, effect: index === 0 ? "read" : "write", occurrence: 0 },
    ...{
      outcome: { status: "returned", value: { ok: true } },
      startedAtMs: index,
      durationMs: 1,
      served: "live",
    },
  }));
  const outcome = { status: "returned" as const, value: JSON.parse(legacy) as JsonObject };
  const frame = frameOf({
    header: { epoch, seq: n + 1, flow: "bench", receivedAt: new Date().toISOString() },
    payload: { input: { n }, outcome, calls },
    vault: PRIVACY.vault,
  });
  return { frame, legacy, candidate, calls };
}

function judged({ frame, candidate, calls }: Pair): JudgedTrial {
  const id = trialIdOf(frame.header);
  const { outcome, calls: made } = decodePayload(
    PRIVACY.vault.open(frame.payload, runPlace(id, "legacy")),
  );
  const value = JSON.parse(candidate) as JsonObject;
  const other = { outcome: { status: "returned" as const, value }, calls };
  const judgement = judgeRuns(
    { flow: "bench", config: { legacy: () => undefined }, rules: [], mask: PRIVACY.mask },
    { legacy: { outcome, calls: made }, candidate: other, noise: undefined },
  );
  const payload = Buffer.from(JSON.stringify({ outcome: other.outcome }));
  const trial: JudgedTrial = {
    ...{
      id,
      ...judgement,
      flowHash: "h",
      contractViolations: 0,
      legacyTools: ["shop.find"],
      coverage: [],
    },
    runs: [{ side: "candidate", status: "returned", durationMs: 1, payload }],
  };
  return protectTrial(trial, PRIVACY);
}

/** As in a worker, whose trials are judged by another process, what is written goes on meanwhile. */
async function judgedEach(pairs: readonly Pair[]): Promise<JudgedTrial[]> {
  const trials: JudgedTrial[] = [];
  for (const pair of pairs) {
    trials.push(judged(pair));
    await new Promise(setImmediate);
  }
  return trials;
}

/** Milliseconds for one pair. Shipping, which the base has not, comes before the clock starts. */
async function ours(db: Database, bytes: number): Promise<number> {
  const epoch = randomUUID();
  const pairs = Array.from({ length: PAIRS }, (_, n) => pairOf(n, bytes, epoch));
  await ingest(
    db,
    { add: async () => undefined },
    pairs.map(({ frame }) => frame),
  );
  const startedMs = performance.now();
  let settled = 0;
  let writing = Promise.resolve(0);
  for (let at = 0; at < PAIRS; at += BATCH) {
    const batch = await judgedEach(pairs.slice(at, at + BATCH));
    settled += await writing;
    writing = settle(db, batch);
  }
  settled += await writing;
  const tookMs = performance.now() - startedMs;
  if (settled !== PAIRS) throw new Error(`${settled} of ${PAIRS} trials were settled`);
  return tookMs / PAIRS;
}

async function naive(db: Database, bytes: number): Promise<number> {
  const pairs = Array.from({ length: PAIRS }, (_, n) =>
    pairOf(n, bytes, "00000000-0000-4000-8000-000000000000"),
  );
  const startedMs = performance.now();
  for (const { legacy, candidate } of pairs) {
    const edits = deepDiff.diff(JSON.parse(legacy), JSON.parse(candidate)) ?? [];
    await db.query(
      "insert into naive (legacy, candidate, edits) values ($1::jsonb, $2::jsonb, $3::jsonb)",
      [legacy, candidate, JSON.stringify(edits)],
    );
  }
  return (performance.now() - startedMs) / PAIRS;
}

export async function pipeline(): Promise<Comparison[]> {
  await using stack = new AsyncDisposableStack();
  const postgres = await startPostgres();
  stack.defer(postgres.stop);
  const db = openPostgres({ url: postgres.url, maxConnections: 1 });
  stack.defer(() => db.close());
  await migrate(db);
  await db.query(
    "create table naive (id bigserial primary key, legacy jsonb, candidate jsonb, edits jsonb)",
  );
  const results: Comparison[] = [];
  for (const [name, bytes] of SIZES) {
    const cases = {
      ours: () => ours(db, bytes),
      base: () => naive(db, bytes),
      again: () => naive(db, bytes),
    };
    await interleave(cases, WARM_UP_ROUNDS);
    const found = await interleave(cases, ROUNDS);
    results.push({
      metric: `${name}, both kept, ms per pair`,
      base: { name: "parse, deep-diff, insert", rounds: found.base, again: found.again },
      ours: { name: "judge and settle", rounds: found.ours },
      inverted: true,
      goal: { kind: "atLeast", ratio: 4 },
    });
  }
  return results;
}
