/**
 * A Postgres server as a {@link Database}. Every wait is limited, as a frozen server must not pile up
 * work; only a migration's statements are not.
 */
import pg from "pg";
import { messageOf, TwintrackError } from "../../core/error.ts";
import { within } from "../wait.ts";
import type { Database, Query } from "./database.ts";

const CONNECT_TIMEOUT_MS = 2_000;
/** Above the server's own limit, so that the server's clearer error usually comes first. */
const QUERY_TIMEOUT_MS = 12_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;

const LIMITED: pg.PoolConfig = {
  query_timeout: QUERY_TIMEOUT_MS,
  statement_timeout: STATEMENT_TIMEOUT_MS,
};

/** Without limits, only TCP's own probes tell of a server that is gone. */
const UNLIMITED: pg.PoolConfig = {
  // Roles and databases may have a limit of their own.
  onConnect: (client) => client.query("set statement_timeout = 0"),
  keepAlive: true,
  keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
};

/** Counts and ids stay far below 2^53. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export interface PostgresOptions {
  url: string;
  /** Default 4. */
  maxConnections?: number;
  /** Whether a statement that takes long is given up; default true. */
  limitsStatements?: boolean;
}

export function openPostgres({
  url,
  maxConnections = 4,
  limitsStatements = true,
}: PostgresOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(limitsStatements ? LIMITED : UNLIMITED),
    // Whoever stops in the middle, however much there was to do, gives its locks back.
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    application_name: "twintrack",
  });
  // An idle connection that the server closes must not end this process.
  pool.on("error", () => undefined);
  let closing: Promise<void> | undefined;
  return {
    kind: "postgres",
    query: (sql, params) =>
      told(url, () =>
        params === undefined
          ? withClient(pool, (client) => rowsOf(client, sql))
          : rowsOf(pool, sql, params),
      ),
    transaction: (work) => told(url, () => inTransaction(pool, work)),
    way: () => ({ kind: "postgres", url }),
    close() {
      // A server that does not answer is left without a goodbye.
      closing ??= within(END_TIMEOUT_MS, pool.end());
      return closing;
    },
  };
}

async function rowsOf<Row extends object>(
  runner: pg.Pool | pg.PoolClient,
  sql: string,
  params: readonly unknown[] = [],
): Promise<Row[]> {
  const result = await runner.query<Row>(sql, params.map(asParameter));
  // Several statements in one text give one result each.
  const results: pg.QueryResult<Row>[] = Array.isArray(result) ? result : [result];
  return results.flatMap(({ rows }) => rows);
}

/** pg takes bytes only as Buffer. */
function asParameter(value: unknown): unknown {
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
}

function inTransaction<T>(pool: pg.Pool, work: (query: Query) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query("begin");
    const result = await work((sql, params) => rowsOf(client, sql, params));
    await client.query("commit");
    return result;
  });
}

/**
 * Lends a connection and takes it back without an open transaction. Several statements in one text
 * may hold their own `begin` and `commit`, so one that fails leaves a dead transaction as well.
 */
async function withClient<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  // While it is ours the pool does not listen, and an error that nobody hears ends the process. The
  // statement that was running, or the next one, says what happened.
  client.on("error", ignore);
  let broken: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    // A connection that cannot roll back is not used again.
    broken = await failureOf(client.query(ROLLBACK));
    throw error;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

function ignore(): void {}

/** `query_timeout` is missing in the driver's types. Who did not answer before gets no long wait again. */
const ROLLBACK = { text: "rollback", query_timeout: 1_000 };

function failureOf(work: Promise<unknown>): Promise<Error | undefined> {
  return work.then(
    () => undefined,
    (error: Error) => error,
  );
}

/**
 * An error with an SQLSTATE is the server's answer; any other is about the connection, or ours.
 * Every state holds a digit: `EPIPE` is none.
 */
function hasState(error: unknown): error is { code: string } {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^(?=.*\d)[0-9A-Z]{5}$/.test(code);
}

/** SQLSTATE classes that say "not now" instead of "wrong statement": connection, resources, operator. */
const UNAVAILABLE_STATE = /^(08|53|57|25006|40)/;

async function told<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TwintrackError) throw cause;
    // Without one: refused, reset, timed out.
    if (hasState(cause) && !UNAVAILABLE_STATE.test(cause.code)) throw cause;
    throw new TwintrackError(
      "STORE_UNAVAILABLE",
      `Postgres at ${placeOf(url)} does not answer: ${messageOf(cause)}`,
      {
        cause,
        hint: "Start it (docker compose up -d postgres), or correct TWINTRACK_DATABASE_URL.",
      },
    );
  }
}

/** Host and database of a connection string, never its password. */
function placeOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  } catch {
    return "the configured address";
  }
}
