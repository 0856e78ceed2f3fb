/** Shipping and judging in a thread of its own. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import { loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { books } from "../../harness/store/books.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { gone } from "../adapter/python-process.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { BACKENDS, type Backend, freshPlace } from "../database.ts";

const WAIT = { timeout: 30_000, interval: 20 };

const opened: (() => Promise<void>)[] = [];
const threads: Worker[] = [];
const noteThread = (thread: Worker) => threads.push(thread);
process.on("worker", noteThread);
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  threads.splice(0);
});

async function carried(
  backend: Backend,
  change: (config: ResolvedConfig) => ResolvedConfig = (config) => config,
): Promise<Harness> {
  const { url: databaseUrl, dataDir, drop } = await freshPlace(backend);
  const config = change({ ...(await loadConfig(CONFIG_FILE)), dataDir, databaseUrl });
  const harness = openHarness(config, { inThread: true });
  opened.push(drop, () => harness.close());
  return harness;
}

/** The thread that ships and judges is the last that was started. */
async function carrierThread(harness: Harness): Promise<Worker> {
  await harness.database();
  const thread = threads.at(-1);
  if (!thread) throw new Error("No thread was started");
  return thread;
}

async function answered(harness: Harness, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await harness.live.answer("add", { n });
}

test.each(BACKENDS)("on %s a thread ships and judges what this one answers", async (backend) => {
  const harness = await carried(backend);
  await answered(harness, 12);
  await harness.settle();
  expect(await books(await harness.database())).toMatchObject({
    answered: 12,
    open: 0,
    verdicts: { match: 12 },
    unexplained: 0,
  });
  expect(harness.status().shadow).toMatchObject({ judged: 12, pid: expect.any(Number) });
});

test.each(BACKENDS)(
  "on %s a thread that ends by itself is replaced with its shadow process, and every trial still gets its verdict",
  async (backend) => {
    const harness = await carried(backend);
    const thread = await carrierThread(harness);
    await answered(harness, 5);
    await harness.settle();
    const { pid = 0 } = harness.status().shadow;
    await thread.terminate();
    await answered(harness, 5);
    await vi.waitUntil(async () => {
      const { answered, open } = await books(await harness.database());
      return answered === 10 && open === 0;
    }, WAIT);
    expect(await carrierThread(harness)).not.toBe(thread);
    await gone(pid);
    await vi.waitUntil(() => harness.status().database.ready, WAIT);
    expect(harness.status().shadow.pid).not.toBe(pid);
  },
);

test("a thread that breaks is replaced once", async () => {
  const harness = await carried("postgres");
  const broken = await carrierThread(harness);
  const exited = new Promise((resolve) => broken.once("exit", resolve));
  const failed = new Promise((resolve) => broken.once("error", resolve));
  broken.postMessage(null); // No question: nothing in the thread is prepared for it.
  expect(await failed).toBeInstanceOf(TypeError);
  await exited;
  await answered(harness, 3);
  await harness.settle().catch(() => harness.settle()); // The first may have met the broken one.
  expect(await books(await harness.database())).toMatchObject({ answered: 3, open: 0 });
  expect(threads.slice(threads.indexOf(broken) + 1)).toHaveLength(1);
});

test("a harness whose thread is lost closes all the same", async () => {
  const harness = await carried("postgres");
  const thread = await carrierThread(harness);
  const exited = new Promise((resolve) => thread.once("exit", resolve));
  void thread.terminate();
  await exited;
  await expect(harness.close()).resolves.toBeUndefined();
});

test("frames that a lost thread held are shipped by the next one", async () => {
  const harness = await carried("postgres");
  const db = await harness.database();
  const thread = await carrierThread(harness);
  // The disk takes nothing, and shipping comes to a table that somebody else has locked.
  const spoolFolder = join(harness.config.dataDir, "spool");
  rmSync(spoolFolder, { recursive: true, force: true });
  writeFileSync(spoolFolder, "not a folder");
  await db.transaction(async (query) => {
    await query("lock table twintrack.trials in access exclusive mode");
    await answered(harness, 7);
    await vi.waitUntil(async () => {
      const waiting = await db.query(
        `select 1 from pg_stat_activity where wait_event_type = 'Lock'
           and query like 'insert into twintrack.trials%' and datname = current_database()`,
      );
      return waiting.length > 0;
    }, WAIT);
    await thread.terminate();
  });
  await vi.waitUntil(async () => (await books(db)).answered === 7, WAIT);
  expect(await books(db)).toMatchObject({ gaps: {}, unexplained: 0 });
  expect(await carrierThread(harness)).not.toBe(thread);
});
