/**
 * PGlite in a thread of its own as a {@link Database}: Postgres in a folder, nothing to install.
 *
 * PGlite does not lock its folder and two openers silently lose each other's rows, so the lock is
 * ours: a file beside the folder, made with O_EXCL, holding the pid of the owner.
 * It survives the death of the process, not the loss of power (PGlite never calls fsync).
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { messageOf, TwintrackError } from "../../core/error.ts";
import { entryBeside } from "../entry.ts";
import { askerOf, startThread } from "../port.ts";
import { openTurns } from "../turn.ts";
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
  const thread = await startThread(
    entryBeside(import.meta.url, "pglite-thread"),
    { workerData: { folder } },
    {
      lost(what, cause) {
        const ended = cause === undefined ? "is closed" : what;
        return new TwintrackError("STORE_UNAVAILABLE", `The embedded database ${ended}`, { cause });
      },
    },
  );
  const ask: Ask = (question, transfer) => thread.ask<object[]>(question, transfer);
  return database(ask, async () => {
    await ask({ kind: "close" }).catch(() => undefined);
    await thread.end();
    unlock();
  });
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
  const inTurn = openTurns();
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
