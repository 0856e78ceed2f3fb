import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { Database } from "../../../harness/store/database.ts";
import { migrate, migrationStatus } from "../../../harness/store/migrate.ts";
import { openPostgres } from "../../../harness/store/postgres.ts";
import { BACKENDS, createDatabase, freshDatabase, type TestDatabase } from "../../database.ts";
import { describeSchema } from "../../schema.ts";

const opened: (TestDatabase | Database)[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await ("drop" in one ? one.drop() : one.close());
});

describe.each(BACKENDS)("migrations on %s", (backend) => {
  test("give the schema that is committed as test/schema.sql", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    const committed = readFileSync(new URL("../../schema.sql", import.meta.url), "utf8");
    expect(await describeSchema(fresh.db)).toBe(committed);
  });

  test("applied a second time change nothing", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    expect(await migrate(fresh.db)).toEqual([]);
    expect((await migrationStatus(fresh.db)).pending).toEqual([]);
  });

  test("of a newer version are refused, naming the number", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    await fresh.db.query("insert into twintrack.migrations (version, checksum) values ($1, $2)", [
      999,
      "x",
    ]);
    await expect(migrate(fresh.db)).rejects.toMatchObject({
      code: "STORE_SCHEMA",
      message: expect.stringContaining("999"),
    });
  });

  test("whose file was changed after they were applied are refused", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    await fresh.db.query("update twintrack.migrations set checksum = $1", ["other"]);
    await expect(migrate(fresh.db)).rejects.toMatchObject({ code: "STORE_SCHEMA" });
  });
});

const versions = readdirSync(new URL("../../../harness/store/migrations/", import.meta.url))
  .map((file) => Number.parseInt(file, 10))
  .sort((a, b) => a - b);

test("C12: six processes that migrate at once all succeed, three times over", async () => {
  for (let round = 0; round < 3; round++) {
    const url = await createDatabase(`migrate_${process.pid}_${round}`);
    const rivals = Array.from({ length: 6 }, () => openPostgres({ url, maxConnections: 1 }));
    opened.push(...rivals);
    const applied = await Promise.all(rivals.map((db) => migrate(db)));
    expect(applied.flat().sort((a, b) => a - b)).toEqual(versions);
  }
});
