/** A fresh, migrated database per test file: cloned from a template on Postgres, a folder for PGlite. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import type { Database } from "../harness/store/database.ts";
import { migrate } from "../harness/store/migrate.ts";
import { openPglite } from "../harness/store/pglite.ts";
import { openPostgres } from "../harness/store/postgres.ts";

export const BACKENDS = ["postgres", "pglite"] as const;
export type Backend = (typeof BACKENDS)[number];

export interface TestDatabase {
  db: Database;
  /** Connection string; undefined for PGlite. */
  url: string | undefined;
  /** Data folder; for Postgres only spool and snapshot go there. */
  dataDir: string;
  drop(): Promise<void>;
}

export async function freshDatabase(backend: Backend): Promise<TestDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-test-"));
  const { db, url, drop } =
    backend === "postgres" ? await freshPostgres() : await freshPglite(dataDir);
  return {
    db,
    url,
    dataDir,
    async drop() {
      await db.close();
      await drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function freshPglite(dataDir: string) {
  const db = await openPglite(join(dataDir, "pglite"));
  await migrate(db);
  return { db, url: undefined, drop: async () => undefined };
}

async function freshPostgres() {
  const name = `twintrack_${createHash("sha256").update(`${process.pid}${performance.now()}`).digest("hex").slice(0, 16)}`;
  const url = await createDatabase(name);
  const db = openPostgres({ url });
  await migrate(db);
  return { db, url, drop: () => administer(`drop database if exists ${name} with (force)`) };
}

/** An empty database of its own on the suite's server. Returns its connection string. */
export async function createDatabase(name: string): Promise<string> {
  await administer(`create database ${name}`);
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  return url.href;
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
