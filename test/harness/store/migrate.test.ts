import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { Database } from "../../../harness/store/database.ts";
import { migrate, migrationStatus } from "../../../harness/store/migrate.ts";
import { openPostgres } from "../../../harness/store/postgres.ts";
import { BACKENDS, createDatabase, freshDatabase, type TestDatabase } from "../../database.ts";
import { describeSchema } from "../../schema.ts";

const OURS = new URL("../../../harness/store/migrations/", import.meta.url);

const opened: (TestDatabase | Database)[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await ("drop" in one ? one.drop() : one.close());
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** The migrations of a version that has these beside ours. */
function laterVersion(files: Record<string, string>): URL {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-migrations-"));
  folders.push(folder);
  cpSync(OURS, folder, { recursive: true });
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  return pathToFileURL(`${folder}/`);
}

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

  test("that are pending are applied in the order of their numbers, the others not again", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    const later = laterVersion({
      "000998.sql":
        "create table twintrack.later (n integer); insert into twintrack.later values (1)",
      "000999.sql": "update twintrack.later set n = n + 1",
    });
    expect(await migrate(fresh.db, later)).toEqual([998, 999]);
    expect(await migrate(fresh.db, later)).toEqual([]);
    expect(await fresh.db.query("select n from twintrack.later")).toEqual([{ n: 2 }]);
  });

  test("that fail leave the database as the one before them did", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    const before = await describeSchema(fresh.db);
    const broken = { "000999.sql": "create table twintrack.half (); select 1 / 0" };
    await expect(migrate(fresh.db, laterVersion(broken))).rejects.toMatchObject({ code: "22012" });
    expect(await describeSchema(fresh.db)).toBe(before);
    const mended = { "000999.sql": "create table twintrack.half ()" };
    expect(await migrate(fresh.db, laterVersion(mended))).toEqual([999]);
  });

  test("of a newer version are refused, naming the number", async () => {
    const fresh = await freshDatabase(backend);
    opened.push(fresh);
    await migrate(fresh.db, laterVersion({ "000999.sql": "create table twintrack.later ()" }));
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

const versions = readdirSync(OURS)
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
