/** The chore that keeps what is kept as short as the configuration says. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedConfig } from "../config.ts";
import type { Chore } from "../loops.ts";
import type { Database } from "../store/database.ts";
import { enforceRetention, type Retired } from "../store/retention.ts";
import type { PrivacyConfig } from "./privacy-config.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const retentionChore: Chore = {
  everyMs: HOUR_MS,
  async run(db, config) {
    await retire(db, config, Date.now());
  },
};

export async function retire(
  db: Database,
  { privacy, dataDir }: Pick<ResolvedConfig, "privacy" | "dataDir">,
  nowMs: number,
): Promise<Retired> {
  removeTorn(join(dataDir, "spool"), privacy, nowMs);
  return enforceRetention(db, {
    trialsBefore: daysBefore(nowMs, privacy.retentionDays),
    payloadsBefore: daysBefore(nowMs, privacy.rawDays),
  });
}

function daysBefore(nowMs: number, days: number | undefined): Date | undefined {
  return days === undefined ? undefined : new Date(nowMs - days * DAY_MS);
}

/** Spool files with a torn tail were kept aside to be looked at; they hold payloads as well. */
function removeTorn(
  folder: string,
  { rawDays, retentionDays }: PrivacyConfig,
  nowMs: number,
): void {
  const before = daysBefore(nowMs, rawDays ?? retentionDays);
  if (!before) return;
  for (const path of tornIn(folder))
    if (statSync(path).mtimeMs < before.getTime()) rmSync(path, { force: true });
}

function tornIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".torn"))
      .map((name) => join(folder, name));
  } catch {
    return []; // No spool yet.
  }
}
