/** The embedded database has one connection, and several threads that ask over ports of their own. */
import { afterEach, expect, test, vi } from "vitest";
import type { Database } from "../../../harness/store/database.ts";
import { connectDatabase, joinDatabase } from "../../../harness/store/open.ts";
import { freshPlace } from "../../database.ts";

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A database with a counter at 0, and two who ask it. */
async function shared(): Promise<[Database, Database]> {
  const { dataDir, drop } = await freshPlace("pglite");
  const db = await connectDatabase({ databaseUrl: undefined, dataDir });
  const joined = joinDatabase(db.way());
  opened.push(drop, db.close, joined.close);
  await db.query("create table counter as select 0 as value");
  return [db, joined];
}

async function valueIn(db: Pick<Database, "query">): Promise<number | undefined> {
  const [row] = await db.query<{ value: number }>("select value from counter");
  return row?.value;
}

test("of two who ask, nobody sees or disturbs the other's transaction", async () => {
  const [one, other] = await shared();
  const adding = (db: Database) =>
    db.transaction(async (query) => {
      const before = (await valueIn({ query })) ?? 0;
      await query("select 1");
      await query("update counter set value = $1", [before + 1]);
    });
  await Promise.all(Array.from({ length: 20 }, (_, n) => adding(n % 2 === 0 ? one : other)));
  expect(await valueIn(one)).toBe(20);
  expect(await valueIn(other)).toBe(20);
});

test("a transaction that fails over one port is rolled back, and the other goes on", async () => {
  const [one, other] = await shared();
  const failing = other.transaction(async (query) => {
    await query("update counter set value = 7");
    await query("select 1 / 0");
  });
  await expect(failing).rejects.toMatchObject({ message: "division by zero", code: "22012" });
  expect(await valueIn(one)).toBe(0);
});

test("a port that closes in the midst of a transaction leaves none behind", async () => {
  const { port1, port2 } = await portsOf();
  port1.postMessage({ id: 1, question: { kind: "begin" } });
  port1.postMessage({
    id: 2,
    question: { kind: "query", sql: "update counter set value = 9", params: [] },
  });
  const replies: unknown[] = [];
  port1.on("message", (reply) => replies.push(reply));
  await vi.waitUntil(() => replies.length === 2);
  const waiting = valueIn(port2);
  port1.close();
  expect(await waiting).toBe(0);
});

test("the way to a database that has ended leads to its end", async () => {
  const [db] = await shared();
  await db.close();
  const late = joinDatabase(db.way());
  await expect(late.query("select 1")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

/** One who asks as a port does, without a client, and one who asks as a database. */
async function portsOf() {
  const [db] = await shared();
  const way = db.way();
  if (way.kind !== "pglite") throw new Error("not the embedded database");
  return { port1: way.port, port2: db };
}
