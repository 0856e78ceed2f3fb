/** The folder of the spool, the ledger, the embedded database and the key that seals them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes the folder where there is none, and keeps it out of git: whoever has it can open what it seals. */
export function makeDataFolder(dataDir: string): void {
  const made = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // One that was there already may hold what is not ours to ignore.
  if (made !== undefined) writeFileSync(join(dataDir, ".gitignore"), "*\n");
}
