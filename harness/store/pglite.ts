/**
 * PGlite in a thread of its own as a {@link Database}: Postgres in a folder, nothing to install.
 *
 * PGlite does not lock its folder and two openers silently lose each other's rows, so the lock is
 * ours: a file beside the folder, made with O_EXCL, holding the pid of the owner.
 * It survives the death of the process, not the loss of power (PGlite never calls fsync).
 */
import { Worker } from "node:worker_threads";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { Database, Query } from "./database.ts";
import { lockFolder } from "./lock.ts";

interface Reply {
  id: number;
  rows?: object[];
  error?: { message: string; code?: string };
}

interface Waiting {
  resolve(rows: object[]): void;
  reject(error: Error): void;
}

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

/** The thread as its client sees it. */
interface Link {
  worker: Worker;
  waiting: Map<number, Waiting>;
  /** Set once the thread has ended: nothing will be answered any more. */
  gone?: TwintrackError;
}

async function start(folder: string | undefined, unlock: () => void): Promise<Database> {
  const link: Link = {
    worker: new Worker(threadFile(), { workerData: { folder } }),
    waiting: new Map(),
  };
  const opened = Promise.withResolvers<void>();
  const lose = (message: string, cause?: unknown) => {
    link.gone ??= new TwintrackError("STORE_UNAVAILABLE", message, { cause });
    opened.reject(link.gone);
    for (const waiter of link.waiting.values()) waiter.reject(link.gone);
    link.waiting.clear();
  };
  link.worker.on("error", (cause) =>
    lose(`The embedded database stopped: ${messageOf(cause)}`, cause),
  );
  link.worker.on("exit", () => lose("The embedded database is closed"));
  link.worker.on("message", (reply: Reply) => {
    if (reply.id !== 0) return answer(link, reply);
    return reply.error ? opened.reject(fromThread(reply.error)) : opened.resolve();
  });
  await opened.promise;
  link.worker.unref();
  return database(link, unlock);
}

function answer({ waiting }: Link, { id, rows, error }: Reply): void {
  const waiter = waiting.get(id);
  waiting.delete(id);
  if (error) waiter?.reject(fromThread(error));
  else waiter?.resolve(rows ?? []);
}

function threadFile(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./pglite-thread.${extension}`, import.meta.url);
}

function fromThread(error: { message: string; code?: string }): Error {
  return Object.assign(
    new Error(error.message),
    error.code === undefined ? {} : { code: error.code },
  );
}

function database(link: Link, unlock: () => void): Database {
  const send = sender(link);
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
    query: (sql, params) => inTurn(() => send(sql, params)),
    transaction: (work) => inTurn(() => inTransaction(send, work)),
    close() {
      closing ??= inTurn(() => send("close").catch(() => []))
        .then(() => link.worker.terminate())
        .then(unlock);
      return closing;
    },
  };
}

function sender(link: Link): Query {
  const { worker, waiting } = link;
  let lastId = 0;
  return <Row extends object>(sql: string, params: readonly unknown[] = []) => {
    if (link.gone) return Promise.reject(link.gone);
    const { promise, resolve, reject } = Promise.withResolvers<object[]>();
    const id = ++lastId;
    waiting.set(id, { resolve, reject });
    // While a statement runs the process must stay alive for its answer.
    worker.ref();
    worker.postMessage({ id, sql, params: [...params] });
    return promise.finally(() => {
      if (waiting.size === 0) worker.unref();
    }) as Promise<Row[]>;
  };
}

async function inTransaction<T>(send: Query, work: (query: Query) => Promise<T>): Promise<T> {
  await send("begin");
  try {
    const result = await work(send);
    await send("commit");
    return result;
  } catch (error) {
    await send("rollback");
    throw error;
  }
}
