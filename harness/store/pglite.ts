/**
 * PGlite in a thread of its own as a {@link Database}: Postgres in a folder, nothing to install.
 *
 * PGlite does not lock its folder and two openers silently lose each other's rows, so the lock is
 * ours: a file beside the folder, made with O_EXCL, holding the pid of the owner.
 * It survives the death of the process, not the loss of power (PGlite never calls fsync).
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { messageOf, TwintrackError } from "../../core/error.ts";
import { askerOf } from "../port.ts";
import type { Database, Query } from "./database.ts";
import { lockFolder } from "./lock.ts";
import type { PgliteQuestion } from "./pglite-thread.ts";

/** Opens the folder, or a database in memory when `folder` is undefined. */
export async function openPglite(folder?: string): Promise<Database> {
  const unlock = folder === undefined ? () => undefined : lockFolder(folder);
  try {
    return await start(folder, unlock);
  } catch (cause) {
    unlock();
    if (cause instanceof TwintrackError) throw cause;
    throw new TwintrackError(
      "STORE_UNAVAILABLE",
      `The embedded database ${folder ?? "in memory"} cannot be opened: ${messageOf(cause)}`,
      {
        cause,
        hint: "Move the folder away to start with an empty one, or set TWINTRACK_DATABASE_URL.",
      },
    );
  }
}

async function start(folder: string | undefined, unlock: () => void): Promise<Database> {
  const worker = new Worker(threadFile(), { workerData: { folder } });
  const thread = askerOf(worker);
  const lose = (message: string, cause?: unknown) =>
    thread.lose(new TwintrackError("STORE_UNAVAILABLE", message, { cause }));
  worker.on("error", (cause) => lose(`The embedded database stopped: ${messageOf(cause)}`, cause));
  worker.on("exit", () => lose("The embedded database is closed"));
  const ask = (question: PgliteQuestion, transfer?: MessagePort[]) =>
    thread.ask<object[]>(question, transfer);
  await ask({ kind: "open" }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  return database(ask, async () => {
    await ask({ kind: "close" }).catch(() => undefined);
    await worker.terminate();
    unlock();
  });
}

function threadFile(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./pglite-thread.${extension}`, import.meta.url);
}

/** The same embedded database, from another thread of the process that has it open. */
export function joinPglite(port: MessagePort): Database {
  const thread = askerOf(port);
  port.on("close", () =>
    thread.lose(new TwintrackError("STORE_UNAVAILABLE", "The embedded database is closed")),
  );
  return database(thread.ask, async () => port.close());
}

type Ask = (question: PgliteQuestion, transfer?: MessagePort[]) => Promise<object[]>;

function database(ask: Ask, end: () => Promise<void>): Database {
  const query: Query = <Row extends object>(sql: string, params: readonly unknown[] = []) =>
    ask({ kind: "query", sql, params: [...params] }) as Promise<Row[]>;
  let closing: Promise<void> | undefined;
  // One connection: a transaction holds it, everything else waits its turn.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work);
    turn = next.catch(() => undefined);
    return next;
  };
  return {
    kind: "pglite",
    query: (sql, params) => inTurn(() => query(sql, params)),
    transaction: (work) => inTurn(() => inTransaction(ask, query, work)),
    way() {
      const { port1, port2 } = new MessageChannel();
      // Of a database that has ended, the other end says so.
      ask({ kind: "join", port: port1 }, [port1]).catch(() => port1.close());
      return { kind: "pglite", port: port2 };
    },
    close() {
      closing ??= inTurn(end);
      return closing;
    },
  };
}

async function inTransaction<T>(
  ask: Ask,
  query: Query,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  await ask({ kind: "begin" });
  try {
    const result = await work(query);
    await ask({ kind: "commit" });
    return result;
  } catch (error) {
    await ask({ kind: "rollback" });
    throw error;
  }
}
