/**
 * The audit chain: every entry's hash covers its number, the hash before it, and its exact bytes.
 *
 * Who can write to the database can write a new chain; who kept a checkpoint outside sees it. So it
 * makes changes evident to whoever keeps checkpoints; it does not make them impossible.
 */
import { createHash } from "node:crypto";

export interface Entry {
  seq: number;
  /** JSON text, as it was written. */
  bytes: Uint8Array;
  prevHash: Uint8Array;
  hash: Uint8Array;
}

/** The end of a chain, to be kept where the database is not. */
export interface Head {
  seq: number;
  /** Hex. */
  hash: string;
}

export type Verification =
  | { intact: true; entries: number; head: Head }
  | { intact: false; brokenSeq: number; reason: string };

/** What the first entry stands on. */
export const GENESIS: Uint8Array = new Uint8Array(32);

/** SHA-256 over length-prefixed parts: no byte can move from one part into the next. */
export function hashOf(seq: number, prevHash: Uint8Array, bytes: Uint8Array): Buffer {
  const hash = createHash("sha256");
  for (const part of [Buffer.from(`twintrack audit v1 ${seq}`), prevHash, bytes]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    hash.update(length).update(part);
  }
  return hash.digest();
}

export function headOf({ seq, hash }: Pick<Entry, "seq" | "hash">): Head {
  return { seq, hash: Buffer.from(hash).toString("hex") };
}

export const NO_HEAD: Head = headOf({ seq: 0, hash: GENESIS });

/** Checks entries one after the other, in the order of their numbers. Never repairs. */
export interface Verifier {
  /** False when the entry breaks the chain: what comes behind it says nothing any more. */
  take(entry: Entry): boolean;
  result(): Verification;
}

/** @param kept a checkpoint; a chain that ends before it, or has another entry there, is broken */
export function openVerifier(kept?: Head): Verifier {
  let head = NO_HEAD;
  let last: Uint8Array = GENESIS;
  let broken: { brokenSeq: number; reason: string } | undefined;
  const breakAt = (brokenSeq: number, reason: string): false => {
    broken ??= { brokenSeq, reason };
    return false;
  };
  return {
    take(entry) {
      const { seq, bytes, prevHash, hash } = entry;
      const expected = head.seq + 1;
      if (broken) return false;
      if (seq !== expected) return breakAt(expected, `entry ${expected} is missing`);
      if (!equal(prevHash, last)) return breakAt(seq, "it does not stand on the entry before it");
      if (!equal(hash, hashOf(seq, prevHash, bytes))) return breakAt(seq, "its bytes were changed");
      head = headOf(entry);
      last = hash;
      if (kept?.seq === seq && kept.hash !== head.hash)
        return breakAt(seq, "it is another entry than the checkpoint's");
      return true;
    },
    result() {
      if (!broken && kept && kept.seq > head.seq)
        breakAt(head.seq + 1, `the chain ends before the checkpoint at ${kept.seq}`);
      return broken ? { intact: false, ...broken } : { intact: true, entries: head.seq, head };
    },
  };
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
