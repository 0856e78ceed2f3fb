/** What every test's database is cloned from: migrated once for the whole suite, as an application would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import type { Database } from "../harness/store/database.ts";
import { openJobs } from "../harness/store/jobs.ts";
import { openDatabase } from "../harness/store/open.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Name of a database on the suite's server. */
    postgresTemplate: string;
    /** Folder of an embedded database. */
    pgliteTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = project.getProvidedContext().postgresUrl;
  const name = `twintrack_template_${process.pid}`;
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-template-"));
  await administer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  await Promise.all([prepare(url.href, dataDir), prepare(undefined, dataDir)]);
  project.provide("postgresTemplate", name);
  project.provide("pgliteTemplate", join(dataDir, "pglite"));
  return async () => {
    rmSync(dataDir, { recursive: true, force: true });
    await administer(server, `drop database ${name} with (force)`);
  };
}

async function prepare(databaseUrl: string | undefined, dataDir: string): Promise<void> {
  const db: Database = await openDatabase({ databaseUrl, dataDir });
  await (await openJobs(db)).close();
  await db.close();
}

/** One statement on the server itself. */
export async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
