/**
 * Seals bytes for where they rest, and opens them for whoever compares or reports.
 *
 * `[magic 4][flags 1][key id 4][nonce 12][ciphertext][tag 16]`: AES-256-GCM under a random nonce.
 * Authenticated with it are the head and the place (which trial and which side, or which ledger
 * key), so that a payload cannot be put in another's place. Plain JSON text, and its zstd, opens
 * as it is: a store may hold both after `seal` was switched on. A key seals about 4 billion
 * payloads before random nonces wear out (NIST SP 800-38D, 8.3): rotate it before.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { TwintrackError } from "../../core/error.ts";
import type { KeyRing } from "./key-ring.ts";

export interface Vault {
  /** For the live path: one cipher, no compression. */
  seal(plain: Uint8Array, place: string): Uint8Array;
  /** For where it rests long: compressed when that saves room, then sealed. */
  pack(plain: Uint8Array, place: string): Uint8Array;
  /**
   * @throws {TwintrackError} `KEY_UNKNOWN` when the key that sealed it is gone, `SEAL_BROKEN` when
   *   the bytes were changed or belong elsewhere, `PAYLOAD_GONE` when retention dropped it.
   */
  open(stored: Uint8Array, place: string): Buffer;
}

/** How a zstd frame begins; JSON text never does. Source: RFC 8878, 3.1.1 */
const ZSTD_MAGIC = 0xfd2fb528;
/** No JSON text and no zstd frame begins so: 0xF5 is no byte of UTF-8. */
const SEAL_MAGIC = 0xf5545401;
const COMPRESSED = 1;
const NONCE_AT = 9;
const NONCE_BYTES = 12;
const HEAD_BYTES = NONCE_AT + NONCE_BYTES;
const TAG_BYTES = 16;
/** Below this, making a compressor costs more time than it saves room. */
export const MIN_COMPRESSED_BYTES = 4_096;

export function openVault(ring: () => KeyRing): Vault {
  return {
    seal: (plain, place) => seal(ring(), plain, place, 0),
    pack(plain, place) {
      const isLarge = plain.length >= MIN_COMPRESSED_BYTES;
      return isLarge
        ? seal(ring(), zstdCompressSync(plain), place, COMPRESSED)
        : seal(ring(), plain, place, 0);
    },
    open: (stored, place) => (isSealed(stored) ? open(ring(), stored, place) : inflate(stored)),
  };
}

/** Seals nothing; opens what was sealed before, as far as its keys go. */
export function plainVault(ring: () => KeyRing): Vault {
  return {
    // A copy: a view would take its whole read buffer along into the thread of PGlite.
    seal: (plain) => new Uint8Array(plain),
    pack: (plain) =>
      plain.length < MIN_COMPRESSED_BYTES ? new Uint8Array(plain) : zstdCompressSync(plain),
    open: (stored, place) => (isSealed(stored) ? open(ring(), stored, place) : inflate(stored)),
  };
}

export function isSealed(stored: Uint8Array): boolean {
  return stored.length >= HEAD_BYTES + TAG_BYTES && viewOf(stored).readUInt32BE(0) === SEAL_MAGIC;
}

function seal(
  [{ id, seal: key }]: KeyRing,
  plain: Uint8Array,
  place: string,
  flags: number,
): Uint8Array {
  const sealed = Buffer.allocUnsafeSlow(HEAD_BYTES + plain.length + TAG_BYTES);
  sealed.writeUInt32BE(SEAL_MAGIC, 0);
  sealed.writeUInt8(flags, 4);
  sealed.writeUInt32BE(id, 5);
  const nonce = nextNonce();
  sealed.set(nonce, NONCE_AT);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(aad(sealed, place));
  sealed.set(cipher.update(plain), HEAD_BYTES);
  cipher.final();
  sealed.set(cipher.getAuthTag(), HEAD_BYTES + plain.length);
  return sealed;
}

function open(ring: KeyRing, stored: Uint8Array, place: string): Buffer {
  const bytes = viewOf(stored);
  const id = bytes.readUInt32BE(5);
  const key = ring.find((one) => one.id === id);
  if (!key) {
    throw new TwintrackError(
      "KEY_UNKNOWN",
      `The payload of ${place} was sealed with key ${id.toString(16).padStart(8, "0")}, which is not here`,
      {
        hint: "Put that key behind the current one in TWINTRACK_KEY, or in the file key of the data folder.",
      },
    );
  }
  const end = bytes.length - TAG_BYTES;
  const plain = decipher(key.seal, bytes, end, place);
  return (bytes.readUInt8(4) & COMPRESSED) === 0 ? plain : zstdDecompressSync(plain);
}

function decipher(key: KeyObject, bytes: Buffer, end: number, place: string): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(NONCE_AT, HEAD_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(aad(bytes, place));
  decipher.setAuthTag(bytes.subarray(end));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, end)), decipher.final()]);
  } catch (cause) {
    throw new TwintrackError(
      "SEAL_BROKEN",
      `The payload of ${place} was changed after it was sealed, or belongs elsewhere`,
      {
        cause,
        hint: "Restore it from a backup; a trial that cannot be opened is never served as equal.",
      },
    );
  }
}

function aad(head: Buffer, place: string): Buffer {
  return Buffer.concat([head.subarray(0, NONCE_AT), Buffer.from(place)]);
}

function inflate(stored: Uint8Array): Buffer {
  const bytes = viewOf(stored);
  if (bytes.length === 0) {
    throw new TwintrackError("PAYLOAD_GONE", "The payload was dropped, as privacy.rawDays says");
  }
  const isCompressed = bytes.length >= 4 && bytes.readUInt32LE(0) === ZSTD_MAGIC;
  return isCompressed ? zstdDecompressSync(bytes) : bytes;
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Drawn in advance: asking the system for twelve bytes at a time costs more than the cipher. */
const nonces = Buffer.alloc(NONCE_BYTES * 512);
let nonceAt = nonces.length;

function nextNonce(): Buffer {
  if (nonceAt === nonces.length) {
    randomFillSync(nonces);
    nonceAt = 0;
  }
  const nonce = Buffer.from(nonces.subarray(nonceAt, nonceAt + NONCE_BYTES));
  nonceAt += NONCE_BYTES;
  return nonce;
}
