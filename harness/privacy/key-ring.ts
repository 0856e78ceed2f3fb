/**
 * The master keys: the first one seals and masks, every one opens.
 *
 * They come from `TWINTRACK_KEY` (several, separated by commas or white space), or from the file
 * `key` in the data folder, which is made when it is not there. Every process that shares a database
 * must have the same keys. What is used is derived from them, one key per purpose.
 */
import {
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf, TwintrackError } from "../../core/error.ts";
import { makeDataFolder } from "../data-folder.ts";

export interface Key {
  /** First four bytes of a digest, as a number; it travels with whatever the key sealed. */
  id: number;
  /** For AES-256-GCM. A key object: with plain bytes a cipher takes three times as long to make. */
  seal: KeyObject;
  /** For the HMACs of masks and of subjects. */
  mask: KeyObject;
}

/** The first key is the current one. */
export type KeyRing = readonly [Key, ...Key[]];

const KEY_BYTES = 32;

/** @throws {TwintrackError} `CONFIG_INVALID` for a text that is no key, without showing it. */
export function parseKeys(text: string, origin: string): KeyRing {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const [first, ...rest] = words.map((word, index) =>
    parseKey(word, `${origin} (key ${index + 1})`),
  );
  if (first) return [first, ...rest];
  throw new TwintrackError("CONFIG_INVALID", `${origin} holds no key`, { hint: MAKE_ONE });
}

const MAKE_ONE = "Make one with: openssl rand -base64 32";

function parseKey(word: string, origin: string): Key {
  const isHex = /^[0-9a-f]{64}$/i.test(word);
  const master = Buffer.from(word, isHex ? "hex" : "base64");
  if (master.length !== KEY_BYTES || (!isHex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(word))) {
    throw new TwintrackError(
      "CONFIG_INVALID",
      `${origin} is not ${KEY_BYTES} bytes in base64 or hex`,
      { hint: MAKE_ONE },
    );
  }
  return {
    id: createHash("sha256").update(derive(master, "id")).digest().readUInt32BE(0),
    seal: createSecretKey(derive(master, "seal")),
    mask: createSecretKey(derive(master, "mask")),
  };
}

function derive(master: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", master, "", `twintrack ${purpose} v1`, KEY_BYTES));
}

/** The keys in the environment's text, or those of the data folder. */
export function openKeyRing(text: string | undefined, dataDir: string): KeyRing {
  if (text !== undefined) return parseKeys(text, "TWINTRACK_KEY");
  const file = join(dataDir, "key");
  return parseKeys(readOrMake(file), file);
}

function readOrMake(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unusable(file, error);
  }
  try {
    make(file);
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unusable(file, error);
  }
}

/** Written aside and linked: of two processes that make it at once both read the same whole key. */
function make(file: string): void {
  makeDataFolder(dirname(file));
  const own = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  writeFileSync(own, `${randomBytes(KEY_BYTES).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function unusable(file: string, cause: unknown): TwintrackError {
  return new TwintrackError(
    "CONFIG_INVALID",
    `The key file ${file} cannot be read or made: ${messageOf(cause)}`,
    { cause, hint: "Set TWINTRACK_KEY, or give this user the folder." },
  );
}

/** 64 bits of a keyed digest, hex: equal values are equal, and cannot be guessed without the key. */
export function shortDigest(key: Key, purpose: string, value: string): string {
  return createHmac("sha256", key.mask).update(`${purpose}\0${value}`).digest("hex").slice(0, 16);
}
