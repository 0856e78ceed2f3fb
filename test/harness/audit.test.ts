/** The audit chain: every change to it is found, by a reader that changes nothing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendAudit, auditHead, verifyAudit } from "../../harness/store/audit.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../database.ts";
import { damagedChains } from "../faults/audit.ts";

const event = (n: number) => ({
  event: "config" as const,
  who: "ann",
  about: { n, text: "ünïcödé \u0000" },
});

describe.each(BACKENDS)("the audit on %s", (backend) => {
  let fresh: TestDatabase;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
    for (let n = 1; n <= 5; n++)
      await fresh.db.transaction((query) => appendAudit(query, event(n)));
  });
  afterAll(() => fresh.drop());

  test("verifies, and verifying writes nothing", async () => {
    const before = await fresh.db.query("select * from twintrack.audit order by seq");
    const head = await auditHead(fresh.db.query);
    expect(await verifyAudit(fresh.db.query, head)).toEqual({ intact: true, entries: 5, head });
    expect(await fresh.db.query("select * from twintrack.audit order by seq")).toEqual(before);
  });

  test.each([
    "update twintrack.audit set hash = hash",
    "delete from twintrack.audit where seq = 5",
    "truncate twintrack.audit",
  ])("refuses: %s", async (sql) => {
    await expect(fresh.db.query(sql)).rejects.toThrow(/only ever added/);
    expect(await auditHead(fresh.db.query)).toMatchObject({ seq: 5 });
  });

  test("loses an entry with the transaction that it tells of", async () => {
    const failing = fresh.db.transaction(async (query) => {
      await appendAudit(query, event(6));
      throw new Error("changed its mind");
    });
    await expect(failing).rejects.toThrow("changed its mind");
    expect(await auditHead(fresh.db.query)).toMatchObject({ seq: 5 });
  });

  test("numbers entries without a gap when twenty are written at once", async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        fresh.db.transaction((query) => appendAudit(query, event(100 + n))),
      ),
    );
    expect(await verifyAudit(fresh.db.query)).toMatchObject({ intact: true, entries: 25 });
  });
});

test("of 100 random edits, deletes, inserts, swaps and cut tails every one is found", async () => {
  const { damaged, missed, kinds } = await damagedChains(100, 5);
  expect(missed).toEqual([]);
  expect(damaged).toBe(100);
  expect(kinds).toEqual(["cut", "delete", "edit", "insert", "rewrite", "swap"]);
});
