/** The audit as it rests in the store. An entry is written in the transaction of what it tells of. */

import type { JsonObject } from "../../core/json.ts";
import {
  type Entry,
  GENESIS,
  type Head,
  hashOf,
  headOf,
  NO_HEAD,
  openVerifier,
  type Verification,
} from "../audit/chain.ts";
import type { Database, Query } from "./database.ts";

export interface AuditEvent {
  event:
    | "stage"
    | "pause"
    | "resume"
    | "undo"
    | "decision"
    | "key_added"
    | "key_revoked"
    | "export"
    | "purge"
    | "retention"
    | "config";
  who: string;
  /** What it was about; no values of callers. */
  about: JsonObject;
}

/** Any number, as long as it is always the same: one writer at a time. */
const AUDIT_LOCK = 7_240_113;

/** Appends an entry. Its transaction holds the chain until it ends, so keep it short. */
export async function appendAudit(query: Query, { event, who, about }: AuditEvent): Promise<void> {
  await query("select pg_advisory_xact_lock($1::bigint)", [AUDIT_LOCK]);
  const [last] = await query<Pick<Entry, "seq" | "hash">>(
    "select seq, hash from twintrack.audit order by seq desc limit 1",
  );
  const seq = (last?.seq ?? 0) + 1;
  const prevHash = last?.hash ?? GENESIS;
  const at = new Date().toISOString();
  const bytes = Buffer.from(JSON.stringify({ at, event, who, about }));
  await query(
    "insert into twintrack.audit (seq, bytes, prev_hash, hash) values ($1::bigint, $2::bytea, $3::bytea, $4::bytea)",
    [seq, new Uint8Array(bytes), prevHash, new Uint8Array(hashOf(seq, prevHash, bytes))],
  );
}

const PAGE = 1_000;

async function pageAfter(query: Query, seq: number): Promise<Entry[]> {
  return query<Entry>(
    `select seq, bytes, prev_hash as "prevHash", hash from twintrack.audit
     where seq > $1::bigint order by seq limit ${PAGE}`,
    [seq],
  );
}

/** Reads the chain from its beginning; nothing is written. */
export async function verifyAudit(query: Query, kept?: Head): Promise<Verification> {
  const verifier = openVerifier(kept);
  for (let after = 0; ; ) {
    const page = await pageAfter(query, after);
    const isWhole = page.every(verifier.take);
    const last = page.at(-1);
    if (!isWhole || !last) return verifier.result();
    after = last.seq;
  }
}

export async function auditHead(query: Query): Promise<Head> {
  const [last] = await query<Pick<Entry, "seq" | "hash">>(
    "select seq, hash from twintrack.audit order by seq desc limit 1",
  );
  return last ? headOf(last) : NO_HEAD;
}

/** The newest entry of one kind, as far as the newest thousand go. */
export async function lastOf(
  query: Query,
  event: AuditEvent["event"],
): Promise<AuditLine | undefined> {
  return (await newest(query, 1_000)).find((line) => line.event === event);
}

export interface AuditLine {
  seq: number;
  at: string;
  event: string;
  who: string;
  about: JsonObject;
}

/** The newest entries, newest first. */
export function auditLines(db: Database, limit: number): Promise<AuditLine[]> {
  return newest(db.query, limit);
}

async function newest(query: Query, limit: number): Promise<AuditLine[]> {
  const rows = await query<Pick<Entry, "seq" | "bytes">>(
    "select seq, bytes from twintrack.audit order by seq desc limit $1",
    [limit],
  );
  return rows.map(({ seq, bytes }) => ({
    seq,
    ...(JSON.parse(Buffer.from(bytes).toString("utf8")) as Omit<AuditLine, "seq">),
  }));
}
