/** API keys as they rest in the store. */
import { type KeyRecord, newKey } from "../access/api-key.ts";
import type { Role } from "../access/role.ts";
import { appendAudit } from "./audit.ts";
import type { Database } from "./database.ts";

export async function activeKeys(db: Database): Promise<KeyRecord[]> {
  const rows = await db.query<Omit<KeyRecord, "hash" | "expiresAt"> & Dated>(
    `select id, name, encode(hash, 'hex') as hash, role, expires_at as "expiresAt" from twintrack.api_keys
     where revoked_at is null and (expires_at is null or expires_at > now()) order by id`,
  );
  return rows.map((row) => ({ ...row, expiresAt: row.expiresAt?.toISOString() ?? null }));
}

interface Dated {
  hash: string;
  expiresAt: Date | null;
}

export interface KeyRequest {
  name: string;
  role: Role;
  /** ISO 8601. */
  expiresAt: string | null;
  who: string;
}

/** @returns the key itself, which is kept nowhere, and its id */
export async function addKey(
  db: Database,
  { name, role, expiresAt, who }: KeyRequest,
): Promise<{ key: string; id: string }> {
  const { key, id, hash } = newKey();
  await db.transaction(async (query) => {
    await query(
      `insert into twintrack.api_keys (id, name, hash, role, expires_at)
       values ($1, $2, decode($3, 'hex'), $4, $5::timestamptz)`,
      [id, name, hash, role, expiresAt],
    );
    await appendAudit(query, { event: "key_added", who, about: { id, name, role, expiresAt } });
  });
  return { key, id };
}

/** False when there is no such key, or it was revoked before. */
export function revokeKey(db: Database, id: string, who: string): Promise<boolean> {
  return db.transaction(async (query) => {
    const revoked = await query(
      "update twintrack.api_keys set revoked_at = now() where id = $1 and revoked_at is null returning id",
      [id],
    );
    if (revoked.length === 0) return false;
    await appendAudit(query, { event: "key_revoked", who, about: { id } });
    return true;
  });
}

export interface KeyRow {
  id: string;
  name: string;
  role: Role;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
}

export async function listKeys(db: Database): Promise<KeyRow[]> {
  const iso = (column: string) =>
    `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
  return db.query<KeyRow>(
    `select id, name, role, ${iso("created_at")} as "createdAt", ${iso("expires_at")} as "expiresAt",
       ${iso("revoked_at")} as "revokedAt", ${iso("last_used_at")} as "lastUsedAt"
     from twintrack.api_keys order by created_at, id`,
  );
}

/** @param used when each key was used last, in milliseconds since 1970 */
export async function noteUse(db: Database, used: ReadonlyMap<string, number>): Promise<void> {
  await db.query(
    `update twintrack.api_keys k set last_used_at = to_timestamp(u.ms / 1000)
     from unnest($1::text[], $2::double precision[]) as u (id, ms) where k.id = u.id`,
    [[...used.keys()], [...used.values()]],
  );
}
