/**
 * The live path's copy of all API keys, refreshed from the store and kept in a file, so that callers
 * are known while the database is away, and after a start without it. The file holds hashes only.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeDataFolder } from "../data-folder.ts";
import type { Database } from "../store/database.ts";
import { activeKeys, noteUse } from "../store/keys.ts";
import { idOfKey, isKey, type KeyRecord } from "./api-key.ts";

export interface KeyBook {
  /** True when there is any key: then callers need one. */
  isUsed(): boolean;
  /** Undefined for a key that is unknown, revoked or over. */
  recordOf(key: string): KeyRecord | undefined;
  refresh(db: Database): Promise<void>;
}

/** Time of last use is written this often, not for every request. */
const NOTE_EVERY_MS = 60_000;

export function openKeyBook(dataDir: string, clock: () => number = Date.now): KeyBook {
  const file = join(dataDir, "keys.json");
  let keys = readSnapshot(file);
  const used = new Map<string, number>();
  let notedAt = clock();
  return {
    isUsed: () => keys.size > 0,
    recordOf(key) {
      const record = keys.get(idOfKey(key) ?? "");
      if (!record || !isKey(key, record, clock())) return undefined;
      used.set(record.id, clock());
      return record;
    },
    async refresh(db) {
      const fresh = new Map((await activeKeys(db)).map((record) => [record.id, record]));
      if (JSON.stringify([...fresh]) !== JSON.stringify([...keys])) {
        keys = fresh;
        writeSnapshot(file, keys);
      }
      if (used.size === 0 || clock() - notedAt < NOTE_EVERY_MS) return;
      notedAt = clock();
      await noteUse(db, used);
      used.clear();
    },
  };
}

function readSnapshot(file: string): Map<string, KeyRecord> {
  try {
    return new Map(JSON.parse(readFileSync(file, "utf8")) as [string, KeyRecord][]);
  } catch {
    return new Map(); // Never written: the store says, once it answers.
  }
}

function writeSnapshot(file: string, keys: Map<string, KeyRecord>): void {
  try {
    makeDataFolder(dirname(file));
    writeFileSync(`${file}.new`, JSON.stringify([...keys]), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    return; // It costs nothing while the store answers.
  }
}
