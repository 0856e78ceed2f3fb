/** A database and a folder of their own for every test that asks: cloned from the suite's template. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inject } from "vitest";
import type { Database } from "../harness/store/database.ts";
import { connectDatabase } from "../harness/store/open.ts";
import { administer } from "./template.ts";

export const BACKENDS = ["postgres", "pglite"] as const;
export type Backend = (typeof BACKENDS)[number];

/** Where a migrated database is that nobody has opened yet. */
export interface TestPlace {
  /** Connection string; undefined for PGlite. */
  url: string | undefined;
  /** Data folder; for Postgres only spool and snapshot go there. */
  dataDir: string;
  drop(): Promise<void>;
}

export interface TestDatabase extends TestPlace {
  db: Database;
}

export async function freshDatabase(backend: Backend): Promise<TestDatabase> {
  const place = await freshPlace(backend);
  const db = await connectDatabase({ databaseUrl: place.url, dataDir: place.dataDir });
  return {
    ...place,
    db,
    async drop() {
      await db.close();
      await place.drop();
    },
  };
}

/** TypeScript has its type only among those of a browser. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<object> };
};
let compiled: Promise<object> | undefined;

/** V8 lends a module's compiled code to the thread of every database, as long as somebody holds it. */
function holdCompiled(): Promise<object> {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  compiled ??= WebAssembly.compile(readFileSync(join(dirname(entry), "pglite.wasm")));
  return compiled;
}

export async function freshPlace(backend: Backend): Promise<TestPlace> {
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-test-"));
  const removeFolder = () => rmSync(dataDir, { recursive: true, force: true });
  if (backend === "pglite") {
    await holdCompiled();
    cpSync(inject("pgliteTemplate"), join(dataDir, "pglite"), { recursive: true });
    return { url: undefined, dataDir, drop: async () => removeFolder() };
  }
  const name = `twintrack_${crypto.randomUUID().replaceAll("-", "")}`;
  const url = await createDatabase(name, inject("postgresTemplate"));
  return {
    url,
    dataDir,
    async drop() {
      await administer(inject("postgresUrl"), `drop database if exists ${name} with (force)`);
      removeFolder();
    },
  };
}

/** A database of its own on the suite's server, empty unless it has a template. Returns its connection string. */
export async function createDatabase(name: string, template = "template1"): Promise<string> {
  const server = inject("postgresUrl");
  await administer(server, `create database ${name} template ${template} strategy file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
