/**
 * The ledger of live writes, on the local disk: the database is never on the live path.
 *
 * One line before a write is made, one after. A key without a second line was granted by a process
 * that died: its result is unknown, and the write is not made again. Appends survive kill -9.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf, TwintrackError } from "../core/error.ts";
import type { Ledger, Settlement } from "../core/ledger.ts";
import { makeDataFolder } from "./data-folder.ts";
import type { Vault } from "./privacy/vault.ts";

/** A trigger that comes again after this is a new one. */
const KEPT_MS = 7 * 24 * 3_600_000;

interface Line {
  key: string;
  tool?: string;
  /** A `Settlement`, sealed: it holds what the tool returned. */
  settlement?: string;
}

/** Opens the ledger of a data folder and reads what earlier processes wrote there. */
export function openLedger(dataDir: string, epoch: string, vault: Vault): Ledger {
  const folder = join(dataDir, "ledger");
  const settled = readLedger(folder, vault);
  const file = join(folder, `${epoch}.ndjson`);
  return {
    async acquire(key, { tool }) {
      const past = settled.get(key);
      if (past && past.kind !== "failed") return past;
      // Written first: a grant that is not on disk would be forgotten by a crash.
      append(folder, file, { key, tool });
      settled.set(key, { kind: "unknown" });
      return { kind: "granted" };
    },
    async settle(key, settlement) {
      settled.set(key, settlement);
      const sealed = vault.seal(Buffer.from(JSON.stringify(settlement)), key);
      append(folder, file, { key, settlement: Buffer.from(sealed).toString("base64") });
    },
  };
}

function append(folder: string, file: string, line: Line): void {
  try {
    makeDataFolder(dirname(folder));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new TwintrackError(
      "SPOOL_UNAVAILABLE",
      `The ledger ${file} cannot be written: ${messageOf(cause)}`,
      {
        cause,
        hint: "A candidate does not write without its ledger: make room or restore the folder's permissions.",
      },
    );
  }
}

function readLedger(folder: string, vault: Vault): Map<string, Settlement> {
  const settled = new Map<string, Settlement>();
  for (const file of ledgerFiles(folder)) {
    if (Date.now() - statSync(file).mtimeMs > KEPT_MS) {
      rmSync(file, { force: true });
      continue;
    }
    for (const line of readFileSync(file, "utf8").split("\n")) note(settled, line, vault);
  }
  return settled;
}

function ledgerFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".ndjson"))
      .map((name) => join(folder, name));
  } catch {
    return []; // No ledger yet.
  }
}

function note(settled: Map<string, Settlement>, text: string, vault: Vault): void {
  const line = lineIn(text);
  // The last line of a process that died in the middle of it: the write had not begun.
  if (line) settled.set(line.key, settlementIn(line, vault));
}

function lineIn(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

/** A settlement whose key is gone is unknown: the write was made, or may have been. */
function settlementIn({ key, settlement }: Line, vault: Vault): Settlement {
  if (settlement === undefined) return { kind: "unknown" };
  try {
    const plain = vault.open(Buffer.from(settlement, "base64"), key);
    return JSON.parse(plain.toString("utf8")) as Settlement;
  } catch {
    return { kind: "unknown" };
  }
}
