/** Damages a real audit chain in Postgres in every way, each time from the whole one. */
import { hashOf } from "../../harness/audit/chain.ts";
import { appendAudit, auditHead, verifyAudit } from "../../harness/store/audit.ts";
import type { Query } from "../../harness/store/database.ts";
import { freshDatabase } from "../database.ts";

const ENTRIES = 40;

type Random = (below: number) => number;

/** Each returns the first entry that is not as it was. */
const DAMAGES: Record<string, (query: Query, random: Random) => Promise<number>> = {
  async edit(query, random) {
    const seq = 1 + random(ENTRIES);
    const column = ["bytes", "prev_hash", "hash"][random(3)] as string;
    const [row] = await query<{ length: number }>(
      `select length(${column})::bigint as length from twintrack.audit where seq = $1::bigint`,
      [seq],
    );
    const at = random(row?.length ?? 1);
    const mask = 1 << random(8);
    await query(
      `update twintrack.audit set ${column} = set_byte(${column}, $2::int, get_byte(${column}, $2::int) # $3::int) where seq = $1::bigint`,
      [seq, at, mask],
    );
    return seq;
  },
  async delete(query, random) {
    const seq = 1 + random(ENTRIES - 1);
    await query("delete from twintrack.audit where seq = $1::bigint", [seq]);
    return seq;
  },
  async cut(query, random) {
    const seq = 1 + random(ENTRIES);
    await query("delete from twintrack.audit where seq >= $1::bigint", [seq]);
    return seq;
  },
  async swap(query, random) {
    const one = 1 + random(ENTRIES);
    const other = 1 + ((one + random(ENTRIES - 1)) % ENTRIES);
    await query(
      "update twintrack.audit set seq = seq + 1000 where seq in ($1::bigint, $2::bigint)",
      [one, other],
    );
    await query("update twintrack.audit set seq = $2::bigint where seq = $1::bigint + 1000", [
      one,
      other,
    ]);
    await query("update twintrack.audit set seq = $1::bigint where seq = $2::bigint + 1000", [
      one,
      other,
    ]);
    return Math.min(one, other);
  },
  /** A forged entry with a right hash of its own, between two others. */
  async insert(query, random) {
    const seq = 1 + random(ENTRIES);
    const [before] = await query<{ prevHash: Uint8Array }>(
      'select prev_hash as "prevHash" from twintrack.audit where seq = $1::bigint',
      [seq],
    );
    await query("alter table twintrack.audit drop constraint if exists audit_seq_check");
    await query("update twintrack.audit set seq = -seq where seq >= $1::bigint", [seq]);
    await query("update twintrack.audit set seq = 1 - seq where seq < 0");
    await forge(query, seq, before?.prevHash ?? new Uint8Array(32));
    // The forged one fits; what stood here before does not fit behind it. At the end the checkpoint tells.
    return Math.min(seq + 1, ENTRIES);
  },
  /** The whole tail made anew with right hashes: only the checkpoint tells. */
  async rewrite(query, random) {
    const seq = 1 + random(ENTRIES);
    const [before] = await query<{ prevHash: Uint8Array }>(
      'select prev_hash as "prevHash" from twintrack.audit where seq = $1::bigint',
      [seq],
    );
    await query("delete from twintrack.audit where seq >= $1::bigint", [seq]);
    let prevHash = before?.prevHash ?? new Uint8Array(32);
    for (let next = seq; next <= ENTRIES; next++) prevHash = await forge(query, next, prevHash);
    return ENTRIES;
  },
};

async function forge(query: Query, seq: number, prevHash: Uint8Array): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.from(JSON.stringify({ event: "forged", seq })));
  const hash = new Uint8Array(hashOf(seq, prevHash, bytes));
  await query(
    "insert into twintrack.audit (seq, bytes, prev_hash, hash) values ($1::bigint, $2::bytea, $3::bytea, $4::bytea)",
    [seq, bytes, prevHash, hash],
  );
  return hash;
}

export async function damagedChains(count: number, seed: number) {
  const fresh = await freshDatabase("postgres");
  let state = seed;
  const random: Random = (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const kinds = new Set<string>();
  const missed: string[] = [];
  let damaged = 0;
  try {
    const { db } = fresh;
    for (let n = 1; n <= ENTRIES; n++)
      await db.transaction((query) =>
        appendAudit(query, { event: "config", who: "ann", about: { n } }),
      );
    const head = await auditHead(db.query);
    const names = Object.keys(DAMAGES);
    for (let round = 0; round < count; round++) {
      const kind = names[round % names.length] as string;
      const undone = db.transaction(async (query) => {
        // Whoever owns the table can do this; the chain is there for just that.
        await query("alter table twintrack.audit disable trigger audit_is_append_only");
        const seq = await DAMAGES[kind]?.(query, random);
        const verification = await verifyAudit(query, head);
        if (verification.intact) missed.push(`${kind} at ${seq}`);
        else if (verification.brokenSeq !== seq)
          missed.push(`${kind} at ${seq}, told as ${verification.brokenSeq}`);
        damaged++;
        throw new Undo();
      });
      await undone.catch((error: unknown) => {
        if (!((error as Error).cause instanceof Undo)) throw error;
      });
      kinds.add(kind);
    }
  } finally {
    await fresh.drop();
  }
  return { damaged, missed, kinds: [...kinds].sort() };
}

class Undo extends Error {}
