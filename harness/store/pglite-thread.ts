/**
 * The thread that holds PGlite. It has one connection for all who ask over their ports: whoever began
 * a transaction holds it until its end.
 */
import { existsSync } from "node:fs";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { answerOn } from "../port.ts";
import { copyTemplate } from "./template.ts";

type Statement =
  | { kind: "query"; sql: string; params: unknown[] }
  | { kind: "begin" | "commit" | "rollback" | "close" };

export type PgliteQuestion =
  | Statement
  /** Answered when the database is open. */
  | { kind: "open" }
  /** From now on this port is answered as well. */
  | { kind: "join"; port: MessagePort };

const { folder } = workerData as { folder?: string };
if (!parentPort) throw new Error("pglite-thread runs only as a worker thread");

const opening = open();
opening.catch(() => undefined); // Whoever asks hears of it.
let turn: Promise<void> = Promise.resolve();

async function open(): Promise<PGlite> {
  if (folder !== undefined && !existsSync(folder)) await copyTemplate(folder);
  return PGlite.create(folder === undefined ? {} : { dataDir: folder });
}

/** Each port asks one thing at a time. */
function serve(port: MessagePort): void {
  // Set while this port has the connection to itself.
  let endTurn: (() => void) | undefined;
  let inTransaction = false;
  const takeTurn = async () => {
    const before = turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    await before;
    endTurn = resolve;
  };
  const giveTurn = () => {
    endTurn?.();
    endTurn = undefined;
  };
  const ask = async (question: Statement): Promise<unknown> => {
    const db = await opening;
    if (!endTurn) await takeTurn();
    const { kind } = question;
    try {
      const rows = await run(db, question);
      inTransaction = kind === "begin" || (inTransaction && kind === "query");
      return rows;
    } catch (error) {
      inTransaction &&= kind === "query";
      throw error;
    } finally {
      if (!inTransaction) giveTurn();
    }
  };
  answerOn<PgliteQuestion>(port, async (question) => {
    if (question.kind === "join") return serve(question.port);
    return question.kind === "open" ? void (await opening) : ask(question);
  });
  // A thread that ended in the midst of a transaction leaves none to the others.
  port.on("close", () => {
    if (endTurn) void opening.then((db) => db.exec("rollback")).finally(giveTurn);
  });
}

async function run(db: PGlite, statement: Statement): Promise<unknown> {
  switch (statement.kind) {
    case "query": {
      const { sql, params } = statement;
      return params.length === 0 ? runScript(db, sql) : (await db.query(sql, params)).rows;
    }
    case "begin":
    case "commit":
    case "rollback":
      return void (await db.exec(statement.kind));
    case "close":
      return db.close();
    default:
      return statement satisfies never;
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

serve(parentPort);
