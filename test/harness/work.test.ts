/** Several `twintrack work` processes on one Postgres. */
import { randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { loadConfig } from "../../harness/config.ts";
import { privacyOf } from "../../harness/privacy/privacy.ts";
import { openShadowWorker, shadowTimeoutsMs } from "../../harness/shadow.ts";
import { openShadowHost } from "../../harness/shadow-host.ts";
import { books } from "../../harness/store/books.ts";
import { openJobs, type TrialJobs } from "../../harness/store/jobs.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { document, type Serving, startWork } from "../app/command.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

/** Processes on several machines have one key; each folder would else make its own. */
const KEY = randomBytes(32).toString("base64");

let fresh: TestDatabase;
let answering: Harness;
beforeAll(async () => {
  vi.stubEnv("TWINTRACK_KEY", KEY);
  fresh = await freshDatabase("postgres");
  const config = await loadConfig(CONFIG_FILE);
  answering = openHarness(
    { ...config, dataDir: fresh.dataDir, databaseUrl: fresh.url },
    { judges: false },
  );
  await answering.database();
});
beforeEach(() => fresh.db.query("truncate twintrack.trials, twintrack.runs cascade"));
afterAll(async () => {
  vi.unstubAllEnvs();
  await answering.close();
  await fresh.drop();
});

const WAIT = { timeout: 60_000, interval: 50 };

/** Each on a machine of its own, as far as files go. */
const environment = () => ({
  TWINTRACK_DATABASE_URL: fresh.url ?? "",
  TWINTRACK_DATA_DIR: `${fresh.dataDir}/w`,
  TWINTRACK_KEY: KEY,
});

function work(): Promise<Serving> {
  return startWork(environment());
}

async function answered(flow: string, inputs: readonly JsonValue[]): Promise<void> {
  for (const input of inputs) await answering.live.answer(flow, input);
  await answering.settle();
}

function inputs(count: number): JsonValue[] {
  return Array.from({ length: count }, (_, n) => ({ n }));
}

async function openCount(): Promise<number> {
  return (await books(fresh.db)).open;
}

async function endedWith(worker: Serving): Promise<number> {
  expect(await worker.end()).toBe(0);
  return Number(/judged (\d+) trials/.exec(worker.said())?.[1]);
}

test("two workers share the load, and each trial is judged once", async () => {
  const workers = await Promise.all([work(), work()]);
  await answered("takesLong", inputs(60));
  await vi.waitUntil(async () => (await openCount()) === 0, WAIT);
  const judged = await Promise.all(workers.map(endedWith));
  expect(judged[0]).toBeGreaterThan(0);
  expect(judged[1]).toBeGreaterThan(0);
  expect(judged.reduce((sum, count) => sum + count)).toBe(60);
  const runs = await fresh.db.query("select 1 from twintrack.runs where side = 'candidate'");
  expect(runs).toHaveLength(60);
});

test("the trials of a worker that is killed are judged by another within 30 seconds", async () => {
  const doomed = await work();
  await answered("takesLong", inputs(30));
  const active = async () => {
    const jobs = "select 1 from twintrack_jobs.job where name = 'trials' and state = 'active'";
    return (await fresh.db.query(jobs)).length;
  };
  await vi.waitUntil(async () => (await active()) > 0, WAIT);
  await doomed.end("SIGKILL");
  const killedAt = performance.now();
  expect(await active()).toBeGreaterThan(0);
  const heir = await work();
  await vi.waitUntil(async () => (await openCount()) === 0, WAIT);
  expect(performance.now() - killedAt).toBeLessThan(30_000);
  await endedWith(heir);
  // `{ n: 1 }` is the one that the candidate gets right.
  expect((await books(fresh.db)).verdicts).toEqual({ match: 1, mismatch: 29 });
});

test("a drain that goes on for days keeps nothing of what it judged", async () => {
  await answered("add", inputs(40));
  const config = await loadConfig(CONFIG_FILE);
  const [jobs, host] = [
    await openJobs(fresh.db),
    openShadowHost({ ...config, dataDir: fresh.dataDir }),
  ];
  const taken: number[] = [];
  const watched: TrialJobs = {
    ...jobs,
    async take(most) {
      const batch = await jobs.take(most);
      taken.push(batch.length);
      return batch;
    },
  };
  const worker = openShadowWorker({
    db: fresh.db,
    jobs: watched,
    host,
    privacy: privacyOf(config),
    timeoutsMs: shadowTimeoutsMs(config),
  });
  const stop = new AbortController();
  try {
    expect(await worker.drain(stop.signal)).toBe(40);
  } finally {
    await host.close();
    await jobs.close();
  }
  expect(taken.filter((count) => count > 0).length).toBeGreaterThan(1);
  expect(getEventListeners(stop.signal, "abort")).toEqual([]);
});

test("a worker that has not the key refuses to start: it would only spoil what others can judge", async () => {
  await answered("add", inputs(1));
  const { code, error } = await document(["work", "--config", CONFIG_FILE], {
    env: { ...environment(), TWINTRACK_KEY: randomBytes(32).toString("base64") },
  });
  expect(error).toMatchObject({
    code: "KEY_UNKNOWN",
    hint: expect.stringContaining("TWINTRACK_KEY"),
  });
  expect(code).toBe(5);
  expect(await openCount()).toBe(1);
});

test("a worker starts when the newest payload is gone, as retention leaves it", async () => {
  await answered("add", inputs(2));
  const emptied = await fresh.db.query(
    `update twintrack.runs set payload = '' where trial_id =
       (select id from twintrack.trials order by received_at desc, seq desc limit 1) returning 1`,
  );
  expect(emptied).toHaveLength(1);
  const worker = await work();
  await vi.waitUntil(async () => (await openCount()) === 0, WAIT);
  await endedWith(worker);
  expect((await books(fresh.db)).verdicts).toEqual({ match: 1, incomparable: 1 });
});

test("on the embedded database `work` says why it cannot, and what to set", async () => {
  const { code, error } = await document(["work", "--config", CONFIG_FILE], {
    env: { TWINTRACK_DATA_DIR: fresh.dataDir, TWINTRACK_DATABASE_URL: "" },
  });
  expect(code).toBe(2);
  expect(error.message).toContain("belongs to one process");
  expect(error.hint).toContain("TWINTRACK_DATABASE_URL");
});
