import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Database } from "../../../harness/store/database.ts";
import { openDatabase } from "../../../harness/store/open.ts";
import { openPostgres } from "../../../harness/store/postgres.ts";
import { proxyTo } from "../../app/proxy.ts";
import { createDatabase } from "../../database.ts";

const SOON = { timeout: 60_000, interval: 20 };
const HOUR_MS = 3_600_000;
/** Only Postgres is opened here. */
const DATA_DIR = "none";

const opened: Database[] = [];

// The driver's limits pass when the test says so.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const db of opened.splice(0)) await db.close();
});

test("a migration takes as long as it takes, and who comes meanwhile waits; the store's own statements are limited", async () => {
  const name = `patient_${process.pid}`;
  const databaseUrl = await createDatabase(name);
  const rival = openPostgres({ url: databaseUrl });
  opened.push(rival);
  await rival.query(`alter database ${name} set statement_timeout = '5s'`);
  // Every migration notes under which limits of the server it was applied.
  await rival.query(`create schema twintrack; create table twintrack.migrations (
    version integer primary key, checksum text not null,
    statement_limit text default current_setting('statement_timeout'),
    idle_limit text default current_setting('idle_in_transaction_session_timeout'))`);
  const waiting = () =>
    rival.query(`select 1 from pg_locks where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`);
  const { opening } = await rival.transaction(async (query) => {
    await query("select pg_advisory_xact_lock(x'7477696e'::integer)");
    const opening = openDatabase({ databaseUrl, dataDir: DATA_DIR });
    opening.catch(() => undefined); // Told below.
    await vi.waitUntil(async () => (await waiting()).length === 1, SOON);
    vi.advanceTimersByTime(HOUR_MS);
    return { opening };
  });
  const db = await opening;
  opened.push(db);
  expect(
    await db.query("select distinct statement_limit, idle_limit from twintrack.migrations"),
  ).toEqual([{ statement_limit: "0", idle_limit: "10s" }]);
  expect(await db.query("show statement_timeout")).toEqual([{ statement_timeout: "10s" }]);
});

test.each([
  ["says nothing at all", /^/],
  ["lets in, and says nothing more", /^[QP]/],
])(
  "a server that %s is told within seconds, however much there is to migrate",
  async (_, unheard) => {
    const url = new URL(await createDatabase(`mute_${crypto.randomUUID().replaceAll("-", "")}`));
    const proxy = await proxyTo(url.hostname, Number(url.port));
    await proxy.open();
    url.host = `127.0.0.1:${proxy.port}`;
    let held = 0;
    proxy.toxic = {
      meet(chunk, to) {
        if (to === "client" || !unheard.test(chunk.toString("latin1"))) return;
        held++;
        return new Promise(() => undefined);
      },
    };
    try {
      const opening = openDatabase({ databaseUrl: url.href, dataDir: DATA_DIR });
      const told = expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await vi.waitUntil(() => held > 0, SOON);
      await vi.advanceTimersByTimeAsync(15_000);
      await told;
    } finally {
      await proxy.close();
    }
  },
);
