/** Opens the configured database and brings its schema up to date, with weeks to write to. */
import { join } from "node:path";
import type { ResolvedConfig } from "../config.ts";
import type { Database, DatabaseWay } from "./database.ts";
import { migrate, migrationStatus } from "./migrate.ts";
import { joinPglite, openPglite } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";
import { makeWeeks } from "./weeks.ts";

export type DatabasePlace = Pick<ResolvedConfig, "databaseUrl" | "dataDir">;

export function embeddedFolder({ dataDir }: DatabasePlace): string {
  return join(dataDir, "pglite");
}

/** The database as it is, with whatever schema it has. */
export async function connectDatabase(place: DatabasePlace): Promise<Database> {
  return place.databaseUrl === undefined
    ? openPglite(embeddedFolder(place))
    : openPostgres({ url: place.databaseUrl });
}

export async function openDatabase(place: DatabasePlace): Promise<Database> {
  const db = await connectDatabase(place);
  try {
    await migrateInFull(db, place);
    await makeWeeks(db, new Date());
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/**
 * A migration takes as long as there are rows, and who comes meanwhile with something to apply waits for
 * it. Who has nothing to apply stays under the limits: of a server that does not answer it is told soon.
 */
async function migrateInFull(db: Database, { databaseUrl }: DatabasePlace): Promise<void> {
  const { pending } = await migrationStatus(db);
  if (databaseUrl === undefined || pending.length === 0) {
    await migrate(db);
    return;
  }
  const unlimited = openPostgres({
    url: databaseUrl,
    maxConnections: 1,
    limitsStatements: false,
  });
  try {
    await migrate(unlimited);
  } finally {
    await unlimited.close();
  }
}

/** The database that another thread has opened; see {@link Database.way}. */
export function joinDatabase(way: DatabaseWay): Database {
  return way.kind === "pglite" ? joinPglite(way.port) : openPostgres({ url: way.url });
}

/** Connections of their own to the same Postgres; the embedded database has but one, for everybody. */
export function secondConnection(first: Database, { databaseUrl }: DatabasePlace): Database {
  return databaseUrl === undefined ? first : openPostgres({ url: databaseUrl });
}
