/**
 * Faults C of the catalogue: what a database can do. Answers go on as if nothing had happened, and
 * afterwards every one of them is judged, once.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { loadConfig } from "../../harness/config.ts";
import { books } from "../../harness/store/books.ts";
import type { Database } from "../../harness/store/database.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { enforceRetention } from "../../harness/store/retention.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { proxyTo, type TcpProxy } from "../app/proxy.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { fillHistory } from "../bench/history.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";
import { wrongTallies } from "../tallies.ts";

const SOON = { timeout: 60_000, interval: 100 };

let fresh: TestDatabase;
let proxy: TcpProxy;
let harness: Harness;
let answered = 0;
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  const url = new URL(String(fresh.url));
  proxy = await proxyTo(url.hostname, Number(url.port));
  await proxy.open();
  url.host = `127.0.0.1:${proxy.port}`;
  const config = { ...(await loadConfig(CONFIG_FILE)), dataDir: fresh.dataDir };
  harness = openHarness({ ...config, databaseUrl: url.href });
  await answer(10);
  await harness.settle();
});
afterEach(() => {
  vi.useRealTimers();
  proxy.toxic = {};
});
afterAll(async () => {
  await harness.close();
  await proxy.close();
  await fresh.drop();
});

async function answer(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const { outcome } = await harness.live.answer("add", { n });
    expect(outcome).toEqual({ status: "returned", value: { sum: n + 1 } });
  }
  answered += count;
}

/** Everything that was answered is judged, nothing is lost and nothing counted twice. */
async function allJudged(): Promise<void> {
  await vi.waitFor(async () => {
    const seen = await books(fresh.db);
    expect(seen).toMatchObject({ answered, open: 0, unexplained: 0, gaps: {} });
    expect(seen.verdicts).toEqual({ match: answered });
  }, SOON);
  const [row] = await fresh.db.query<{ runs: number }>(
    "select count(*)::integer as runs from twintrack.runs where side = 'candidate'",
  );
  expect(row?.runs).toBe(answered);
  expect(await wrongTallies(fresh.db)).toEqual([]);
}

const problem = (pattern: RegExp) =>
  vi.waitFor(() => expect(harness.status().database.problem).toMatch(pattern), SOON);

/** A connection of the test's own, past the proxy. */
async function beside<T>(work: (db: Database) => Promise<T>): Promise<T> {
  const db = openPostgres({ url: String(fresh.url) });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

test("C1: a database that goes away is told although nobody asks for anything", async () => {
  const { cut } = proxy;
  const before = cut();
  await vi.waitFor(() => expect(harness.status().database).toMatchObject({ ready: true }), SOON);
  await proxy.close();
  await vi.waitFor(() => expect(harness.status().database.ready).toBe(false), SOON);
  expect(harness.status().database.problem).toContain(`127.0.0.1:${proxy.port}`);
  expect(cut()).toBeGreaterThan(before);
  await proxy.open();
  await vi.waitFor(() => expect(harness.status().database.ready).toBe(true), SOON);
});

test("C1: a database that is down", async () => {
  await proxy.close();
  await answer(40);
  await problem(/does not answer/);
  expect(proxy.cut()).toBeGreaterThan(0);
  await proxy.open();
  await allJudged();
});

test("C2: a database that takes everything and answers nothing", async () => {
  const thawed = Promise.withResolvers<void>();
  let held = 0;
  proxy.toxic = {
    meet: async (chunk) => {
      held += chunk.length;
      await thawed.promise;
    },
  };
  await answer(40);
  await vi.waitUntil(() => held > 0, SOON);
  thawed.resolve();
  proxy.toxic = {};
  await allJudged();
});

test("C3: a database that is slow, and whose answers come in pieces", async () => {
  let pieces = 0;
  proxy.toxic = {
    sliceBytes: 7,
    meet: async () => {
      pieces++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
  await answer(20);
  await allJudged();
  expect(pieces).toBeGreaterThan(20);
});

/** Cuts the connection when the client says `text`; with `after` only once the server has it. */
function cutAt(text: string, times: number, when: "before" | "after"): () => number {
  let cuts = 0;
  const marked = new WeakSet<object>();
  proxy.toxic = {
    meet(chunk, to, connection) {
      if (to === "client") {
        if (marked.has(connection)) connection.reset();
        return;
      }
      if (cuts >= times || !chunk.includes(text)) return;
      cuts++;
      if (when === "before") connection.reset();
      else marked.add(connection);
    },
  };
  return () => cuts;
}

test("C4: a connection that is reset in the middle of a transaction", async () => {
  const cuts = [
    cutAt("insert into twintrack.runs", 2, "before"),
    cutAt("update twintrack.trials t set verdict", 2, "before"),
  ];
  for (const count of cuts) {
    await answer(20);
    if (count() === 0) cutAt("insert into twintrack.runs", 2, "before");
  }
  await allJudged();
  expect(proxy.cut()).toBeGreaterThan(0);
});

test("C5: a commit that happened, and whose acknowledgement is lost", async () => {
  const cuts = cutAt("commit", 4, "after");
  await answer(40);
  await allJudged();
  expect(cuts()).toBeGreaterThanOrEqual(2);
});

test("C6: a database that ends every session", async () => {
  await answer(20);
  const ended = await beside((db) =>
    db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    ),
  );
  expect(ended.length).toBeGreaterThan(0);
  await answer(20);
  await allJudged();
});

test("C7: a report that keeps its connections busy holds up neither shipping nor judging", async () => {
  const desk = await harness.database();
  let ended = 0;
  const slow = Promise.allSettled(
    Array.from({ length: 4 }, () => desk.query("select pg_sleep(9)", []).finally(() => ended++)),
  );
  const asleep = "from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'";
  await vi.waitUntil(async () => (await fresh.db.query(`select 1 ${asleep}`)).length === 4, SOON);
  await answer(20);
  await harness.settle();
  expect(await books(fresh.db)).toMatchObject({ answered, open: 0, unexplained: 0 });
  expect(ended).toBe(0);
  await fresh.db.query(`select pg_cancel_backend(pid) ${asleep}`);
  await slow;
});

test("C8: a deadlock, which the database ends by giving one side up", async () => {
  await answer(5);
  await harness.settle();
  await beside((db) =>
    db.transaction(async (query) => {
      // Ours is not the one that is given up.
      await query("set local deadlock_timeout = '60s'");
      await query("lock table twintrack.runs in access exclusive mode");
      await answer(20);
      await vi.waitUntil(async () => {
        const waiting = await fresh.db.query(
          "select 1 from pg_locks where relation = 'twintrack.runs'::regclass and not granted",
        );
        return waiting.length > 0;
      }, SOON);
      await query("lock table twintrack.trials in access exclusive mode");
    }),
  );
  await allJudged();
  await vi.waitFor(async () => {
    const [row] = await fresh.db.query<{ deadlocks: number }>(
      "select deadlocks::integer from pg_stat_database where datname = current_database()",
    );
    expect(row?.deadlocks).toBeGreaterThan(0);
  }, SOON);
});

async function endSessions(db: Database): Promise<void> {
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`,
  );
}

test("C9: a database that has become read-only", async () => {
  const name = new URL(String(fresh.url)).pathname.slice(1);
  await beside(async (db) => {
    await db.query(`alter database ${name} set default_transaction_read_only = on`);
    await endSessions(db);
  });
  await answer(20);
  await problem(/read-only/);
  await beside(async (db) => {
    await db.query("set default_transaction_read_only = off");
    await db.query(`alter database ${name} reset default_transaction_read_only`, []);
    await endSessions(db);
  }).catch(() => undefined);
  await allJudged();
});

test("C10: a database whose disk is full", async () => {
  await fresh.db.query(`
    create sequence twintrack.refusals;
    create function twintrack.full() returns trigger language plpgsql as $$
      begin
        perform nextval('twintrack.refusals');
        raise exception 'could not extend file: No space left on device' using errcode = '53100';
      end $$;
    create trigger full_disk before insert on twintrack.trials execute function twintrack.full()`);
  await answer(20);
  await problem(/No space left on device/);
  await fresh.db.query("drop trigger full_disk on twintrack.trials");
  await allJudged();
  const [row] = await fresh.db.query<{ refusals: number }>(
    "select last_value::integer as refusals from twintrack.refusals",
  );
  expect(row?.refusals).toBeGreaterThan(0);
});

test("C13: comparisons beyond number: the books still agree with the rows, and old weeks give their room back", async () => {
  const many = 60_000;
  const month = await freshDatabase("postgres");
  const config = { ...(await loadConfig(CONFIG_FILE)), dataDir: month.dataDir };
  const crowded = openHarness({ ...config, databaseUrl: String(month.url) });
  try {
    await fillHistory(month.db, many);
    const bytes = await bytesOf(month.db);
    expect(bytes).toBeGreaterThan(many * 1_000);
    for (let n = 0; n < 5; n++) await crowded.live.answer("add", { n });
    await crowded.settle();
    const before = await books(month.db);
    expect(before).toMatchObject({ answered: many + 5, open: 0, unexplained: 0, gaps: {} });
    expect(Object.values(before.verdicts).reduce((sum, count) => sum + count)).toBe(many + 5);
    expect(await wrongTallies(month.db)).toEqual([]);
    const trialsBefore = new Date(Date.now() - 10 * 86_400_000);
    const { trials } = await enforceRetention(month.db, {
      trialsBefore,
      payloadsBefore: undefined,
    });
    expect(trials).toBeGreaterThan(many / 2);
    // Rows that are deleted one by one leave their room to a later vacuum; tables that are dropped do not.
    expect(await bytesOf(month.db)).toBeLessThan(bytes * 0.7);
    expect(await books(month.db)).toEqual(before);
    expect(await wrongTallies(month.db)).toEqual([]);
  } finally {
    await crowded.close();
    await month.drop();
  }
});

async function bytesOf(db: Database): Promise<number> {
  const [row] = await db.query<{ bytes: number }>(
    `select sum(pg_total_relation_size(oid))::bigint as bytes from pg_class
     where relnamespace = 'twintrack'::regnamespace and relkind = 'r'`,
  );
  return row?.bytes ?? 0;
}

test.each([-1, 1])("C14, E10: a clock that is off by %i hours", async (hours) => {
  const shifted = Date.now() + hours * 3_600_000;
  vi.useFakeTimers({ toFake: ["Date"], now: shifted });
  expect(Date.now()).toBeCloseTo(shifted, -3);
  await answer(20);
  await allJudged();
  const [row] = await fresh.db.query<{ slowest: number }>(
    "select max(duration_ms) as slowest from twintrack.runs",
  );
  // Durations are of a clock that only goes on.
  expect(row?.slowest).toBeLessThan(60_000);
});
