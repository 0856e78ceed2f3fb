/**
 * Brings the schema `twintrack` up to date: numbered SQL files, each in its own transaction, under
 * one advisory lock, never edited after a release (the checksum of an applied file is compared).
 */
import { readdirSync, readFileSync } from "node:fs";
import { TwintrackError } from "../../core/error.ts";
import { digest } from "../../core/json.ts";
import type { Database, Query } from "./database.ts";

/** Any fixed number that nobody else uses: "twin" in ASCII. */
export const MIGRATION_LOCK = 0x7477696e;

const FOLDER = new URL("./migrations/", import.meta.url);

interface Migration {
  version: number;
  sql: string;
  checksum: string;
}

export interface MigrationStatus {
  applied: number[];
  pending: number[];
}

/**
 * Applies what is missing and returns the versions it applied. Safe to call from many processes at once.
 *
 * @param folder with the files, in the order of their numbers
 * @throws {TwintrackError} `STORE_SCHEMA` when the database has a migration that the folder has not, or has otherwise.
 */
export async function migrate(db: Database, folder: URL = FOLDER): Promise<number[]> {
  const migrations = readMigrations(folder);
  await db.transaction(async (query) => {
    await query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await query("create schema if not exists twintrack");
    await query(`create table if not exists twintrack.migrations (
      version integer primary key, checksum text not null, applied_at timestamptz not null default now())`);
  });
  const applied: number[] = [];
  for (const migration of migrations) {
    if (await db.transaction((query) => applyOnce(query, migration, migrations)))
      applied.push(migration.version);
  }
  return applied;
}

export async function migrationStatus(db: Database): Promise<MigrationStatus> {
  const rows = await db
    .query<{ version: number }>("select version from twintrack.migrations order by version")
    .catch((error: { code?: string }) => {
      if (error.code === "42P01" || error.code === "3F000") return []; // No table, no schema: nothing applied.
      throw error;
    });
  const applied = rows.map((row) => row.version);
  const pending = readMigrations(FOLDER).map((migration) => migration.version);
  return { applied, pending: pending.filter((version) => !applied.includes(version)) };
}

async function applyOnce(
  query: Query,
  migration: Migration,
  known: readonly Migration[],
): Promise<boolean> {
  await query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
  const rows = await query<{ version: number; checksum: string }>(
    "select version, checksum from twintrack.migrations",
  );
  refuseForeign(rows, known);
  if (rows.some((row) => row.version === migration.version)) return false;
  await query("insert into twintrack.migrations (version, checksum) values ($1, $2)", [
    migration.version,
    migration.checksum,
  ]);
  await query(migration.sql);
  return true;
}

function refuseForeign(
  rows: readonly { version: number; checksum: string }[],
  known: readonly Migration[],
): void {
  for (const { version, checksum } of rows) {
    const ours = known.find((migration) => migration.version === version);
    if (!ours) {
      throw new TwintrackError(
        "STORE_SCHEMA",
        `The database has migration ${version}, which this version does not know`,
        {
          hint: "Update twintrack to the version that wrote the database, or newer.",
        },
      );
    }
    if (ours.checksum !== checksum) {
      throw new TwintrackError(
        "STORE_SCHEMA",
        `Migration ${version} was changed after it was applied here`,
        {
          hint: "Restore the file; changes belong in a new migration.",
        },
      );
    }
  }
}

function readMigrations(folder: URL): Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{6}\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(new URL(file, folder), "utf8");
      return { version: Number.parseInt(file, 10), sql, checksum: digest(sql) };
    });
}
