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

/** `($1,$2),($3,$4)`: the placeholders of a multi-row insert. */
export function valuesList(rows: number, columns: number, casts: readonly string[] = []): string {
  const row = (index: number) =>
    Array.from(
      { length: columns },
      (_, column) => `$${index * columns + column + 1}${casts[column] ?? ""}`,
    );
  return Array.from({ length: rows }, (_, index) => `(${row(index).join(",")})`).join(",");
}
