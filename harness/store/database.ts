/**
 * The seam under the store: plain SQL against a real Postgres, or against PGlite in its own thread.
 * Values go in as JavaScript values, bytes as Uint8Array, JSON as text.
 */
import type { MessagePort } from "node:worker_threads";

export type Query = <Row extends object>(
  sql: string,
  params?: readonly unknown[],
) => Promise<Row[]>;

export interface Database {
  readonly kind: "postgres" | "pglite";
  /** @throws {TwintrackError} `STORE_UNAVAILABLE` when the database does not answer in time. */
  query: Query;
  /** All statements or none. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Each port is for one thread. */
  way(): DatabaseWay;
  close(): Promise<void>;
}

/** How another thread of this process reaches the same database. */
export type DatabaseWay = { kind: "postgres"; url: string } | { kind: "pglite"; port: MessagePort };

/**
 * Rows as one parameter, read by `json_to_recordset($1::json) as r (id text, …)`: the statement is the
 * same however many rows there are, and one text is sent and parsed in less time than a parameter for
 * each value. What Postgres keeps in no text (NUL, half of a surrogate pair) becomes U+FFFD.
 */
export function jsonRows(rows: readonly object[]): string {
  const text = JSON.stringify(rows);
  return UNSTORABLE.test(text) ? JSON.stringify(rows, storable) : text;
}

/** Such a character as JSON text has it, or what looks like one. */
const UNSTORABLE = /\\u(0000|d[89a-f])/;

function storable(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.replaceAll("\0", "\uFFFD").toWellFormed() : value;
}
