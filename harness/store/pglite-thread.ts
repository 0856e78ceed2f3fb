/** The thread that holds PGlite; speaks `{ id, sql, params }` → `{ id, rows | error }`. Id 0 says that it is open. */
import { existsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { copyTemplate } from "./template.ts";

interface Request {
  id: number;
  sql: string;
  params: unknown[];
}

const { folder } = workerData as { folder?: string };
const port = parentPort;
if (!port) throw new Error("pglite-thread runs only as a worker thread");

async function open(): Promise<PGlite> {
  if (folder !== undefined && !existsSync(folder)) await copyTemplate(folder);
  return PGlite.create(folder === undefined ? {} : { dataDir: folder });
}

function errorOf(thrown: unknown): { message: string; code?: string } {
  const { message, code } = thrown as { message?: unknown; code?: unknown };
  return { message: String(message ?? thrown), ...(typeof code === "string" ? { code } : {}) };
}

async function answer(db: PGlite, { id, sql, params }: Request): Promise<void> {
  try {
    if (sql === "close") {
      await db.close();
      port?.postMessage({ id, rows: [] });
    } else if (params.length === 0) {
      port?.postMessage({ id, rows: await runScript(db, sql) });
    } else {
      port?.postMessage({ id, rows: (await db.query(sql, params)).rows });
    }
  } catch (thrown) {
    port?.postMessage({ id, error: errorOf(thrown) });
  }
}

/**
 * Several statements may hold their own `begin` and `commit`. One that fails between them would leave
 * the only connection in a dead transaction.
 */
async function runScript(db: PGlite, sql: string): Promise<unknown[]> {
  try {
    return (await db.exec(sql)).flatMap((result) => result.rows);
  } catch (error) {
    await db.exec("rollback");
    throw error;
  }
}

try {
  const db = await open();
  port.on("message", (request: Request) => void answer(db, request));
  port.postMessage({ id: 0 });
} catch (thrown) {
  port.postMessage({ id: 0, error: errorOf(thrown) });
}
