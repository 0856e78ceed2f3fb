/** From the spool to the store: each frame once, whatever happens on the way. */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { FrameHeader } from "../../harness/frame.ts";
import { openShipper } from "../../harness/shipper.ts";
import { openSpool, type Spool } from "../../harness/spool.ts";
import { books } from "../../harness/store/books.ts";
import { openJobs, type TrialJobs } from "../../harness/store/jobs.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { frameBytes } from "../app/frame.ts";
import { PRIVACY } from "../app/privacy.ts";
import { proxyTo } from "../app/proxy.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const { vault } = PRIVACY;

let fresh: TestDatabase;
let jobs: TrialJobs;
let folder: string;
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  jobs = await openJobs(fresh.db);
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-ship-"));
  await fresh.db.query("truncate twintrack.trials, twintrack.runs, twintrack.gaps cascade");
});
afterAll(async () => {
  await jobs.close();
  await fresh.drop();
});

function append(spool: Spool, epoch: string, seq: number, more: Partial<FrameHeader> = {}): void {
  const header = { epoch, seq, receivedAt: new Date().toISOString(), ...more };
  const payload = { input: seq, outcome: { status: "returned" as const, value: seq } };
  spool.append(frameBytes({ header, payload, vault }), seq);
}

test("every frame becomes one trial, and a finished file is removed", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  const shipper = openShipper({ db: fresh.db, jobs, spool, vault });
  for (let seq = 1; seq <= 250; seq++) append(spool, epoch, seq);
  expect(await shipper.ship()).toBe(250);
  expect(await shipper.ship()).toBe(0);
  spool.rotate();
  await shipper.ship();
  expect(readdirSync(folder)).toEqual([]);
  expect(await books(fresh.db)).toMatchObject({ answered: 250, open: 250, unexplained: 0 });
});

test("E6: a process that dies between insert and removal ships again, and nothing counts twice", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  append(spool, epoch, 1);
  append(spool, epoch, 2);
  await openShipper({ db: fresh.db, jobs, spool, vault }).ship();
  // A new shipper knows nothing of what was shipped, like a new process.
  expect(await openShipper({ db: fresh.db, jobs, spool, vault }).ship()).toBe(0);
  expect(await books(fresh.db)).toMatchObject({ answered: 2, open: 2 });
});

test("C11: a frame that the database refuses is a counted gap, and its neighbours pass", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  append(spool, epoch, 1);
  append(spool, epoch, 2, { authoritative: "poison" as never });
  append(spool, epoch, 3);
  expect(await openShipper({ db: fresh.db, jobs, spool, vault }).ship()).toBe(2);
  expect(await books(fresh.db)).toMatchObject({
    answered: 3,
    open: 2,
    gaps: { rejected: 1 },
    unexplained: 0,
  });
});

test("while the database is away nothing is lost, from disk or from memory", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  const away = openPostgres({ url: "postgres://nobody@127.0.0.1:1/none" });
  const failing = openShipper({ db: away, jobs, spool, vault });
  append(spool, epoch, 1);
  await expect(failing.ship()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  append(spool, epoch, 2);
  await expect(failing.ship()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await away.close();
  expect(await openShipper({ db: fresh.db, jobs, spool, vault }).ship()).toBe(2);
  rmSync(folder, { recursive: true, force: true });
});

test("frames that waited in memory wait on when the database is away as well", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder: "/dev/null/spool", epoch });
  append(spool, epoch, 1);
  expect(spool.problem()).toBeDefined();
  let isAway = true;
  const db = {
    ...fresh.db,
    transaction: ((work) => {
      if (isAway)
        return openPostgres({ url: "postgres://nobody@127.0.0.1:1/none" }).transaction(work);
      return fresh.db.transaction(work);
    }) as typeof fresh.db.transaction,
  };
  const shipper = openShipper({ db, jobs, spool, vault });
  await expect(shipper.ship()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  isAway = false;
  expect(await shipper.ship()).toBe(1);
});

/** A store that can be sent away and called back, by its connection alone. */
async function proxied() {
  const url = new URL(String(fresh.url));
  const proxy = await proxyTo(url.hostname, Number(url.port));
  url.host = `127.0.0.1:${proxy.port}`;
  const db = openPostgres({ url: url.href });
  return { proxy, db, close: () => Promise.all([db.close(), proxy.close()]) };
}

test("more frames than one statement can take come out of memory, each once", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder: "/dev/null/spool", epoch });
  for (let seq = 1; seq <= 6_000; seq++) append(spool, epoch, seq);
  expect(spool.problem()).toBeDefined();
  const shipper = openShipper({ db: fresh.db, jobs, spool, vault });
  expect(await shipper.ship()).toBe(6_000);
  expect(await shipper.ship()).toBe(0);
  expect(await books(fresh.db)).toMatchObject({ answered: 6_000, open: 6_000, unexplained: 0 });
});

test("memory stays bounded while the store is away as well; what it gave up is counted then", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder: "/dev/null/spool", epoch, memoryBytes: 4_000 });
  const { proxy, db, close } = await proxied();
  const shipper = openShipper({ db, jobs, spool, vault });
  for (let seq = 1; seq <= 100; seq++) {
    append(spool, epoch, seq);
    if (seq % 10 === 0) await expect(shipper.ship()).rejects.toThrow(/does not answer/);
  }
  expect(proxy.passed()).toBe(0);
  await proxy.open();
  const kept = await shipper.ship();
  // Two memories full at most: one that the shipper has taken, one that fills up again behind it.
  expect(kept + (await shipper.ship())).toBeLessThan(40);
  const { answered, open, gaps, unexplained } = await books(fresh.db);
  expect({ answered, unexplained }).toEqual({ answered: 100, unexplained: 0 });
  const lost = Object.values(gaps).reduce((sum, count) => sum + count, 0);
  expect(lost).toBeGreaterThan(0);
  expect(open + lost).toBe(100);
  await close();
});

test("two processes that adopt the file of a dead one ship it once and remove it", async () => {
  const dead = spawnSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).stdout.trim();
  const before = randomUUID();
  const left = openSpool({ folder, epoch: before });
  for (let seq = 1; seq <= 150; seq++) append(left, before, seq);
  const [name] = readdirSync(folder);
  left.rotate();
  renameSync(join(folder, String(name)), join(folder, `${dead}-${before}-000001.spool`));
  const shippers = [randomUUID(), randomUUID()].map((epoch) =>
    openShipper({ db: fresh.db, jobs, spool: openSpool({ folder, epoch }), vault }),
  );
  const shipped = await Promise.all(shippers.map((shipper) => shipper.ship()));
  expect(shipped.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(150);
  expect(readdirSync(folder)).toEqual([]);
  expect(await books(fresh.db)).toMatchObject({ answered: 150, open: 150, unexplained: 0 });
});

test("a torn file is shipped up to the tear and kept aside for whoever wants to look", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  append(spool, epoch, 1);
  append(spool, epoch, 2);
  const path = join(folder, String(readdirSync(folder)[0]));
  spool.rotate();
  truncateSync(path, statSync(path).size - 1);
  expect(await openShipper({ db: fresh.db, jobs, spool, vault }).ship()).toBe(1);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/\.spool\.torn$/)]);
});

test("a connection that is reset in the middle of a statement loses nothing and doubles nothing", async () => {
  const epoch = randomUUID();
  const spool = openSpool({ folder, epoch });
  const { proxy, db, close } = await proxied();
  await proxy.open();
  const shipper = openShipper({ db, jobs, spool, vault });
  for (let seq = 1; seq <= 2_000; seq++) append(spool, epoch, seq);
  const shipping = shipper.ship();
  await vi.waitFor(() => expect(proxy.passed()).toBeGreaterThan(0), { interval: 1 });
  await proxy.close();
  await expect(shipping).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(proxy.cut()).toBeGreaterThan(0);
  await proxy.open();
  await shipper.ship();
  expect(await books(fresh.db)).toMatchObject({ answered: 2_000, open: 2_000, unexplained: 0 });
  await close();
});
