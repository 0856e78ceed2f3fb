/** API keys: `tt_<id>_<secret>`. The id finds the row, the hash of the whole proves the key. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "./role.ts";

/** A key as it is kept: nobody can make the key from it. */
export interface KeyRecord {
  id: string;
  name: string;
  /** SHA-256, hex. */
  hash: string;
  role: Role;
  /** ISO 8601; null for ever. */
  expiresAt: string | null;
}

export interface NewKey {
  /** Shown once. */
  key: string;
  id: string;
  hash: string;
}

/** 256 random bits: a fast hash is enough, there is nothing to guess. */
export function newKey(): NewKey {
  const id = randomBytes(6).toString("hex");
  const key = `tt_${id}_${randomBytes(32).toString("base64url")}`;
  return { key, id, hash: hashOfKey(key) };
}

function hashOfKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** The part of a key that may be shown. */
export function idOfKey(key: string): string | undefined {
  return /^tt_([0-9a-f]{12})_[\w-]{43}$/.exec(key)?.[1];
}

/** Compared in constant time. */
export function isKey(given: string, { hash, expiresAt }: KeyRecord, nowMs: number): boolean {
  const isSame = timingSafeEqual(Buffer.from(hashOfKey(given), "hex"), Buffer.from(hash, "hex"));
  return isSame && (expiresAt === null || Date.parse(expiresAt) > nowMs);
}
