/** Nobody says who threw the kill switch; that it was thrown, and let go, is in the audit. */
import type { StageBook } from "../stage.ts";
import { appendAudit } from "../store/audit.ts";
import type { Database } from "../store/database.ts";
import { openTurns } from "../turn.ts";

/** @returns what writes an entry whenever the switch stands otherwise than when it wrote the last */
export function pauseNoter(stages: Pick<StageBook, "isPaused">): (db: Database) => Promise<void> {
  let isNoted = false;
  const note = async (db: Database) => {
    const isPaused = stages.isPaused();
    if (isPaused === isNoted) return;
    const event = isPaused ? "pause" : "resume";
    const about = { pid: process.pid };
    await db.transaction((query) => appendAudit(query, { event, who: "twintrack", about }));
    isNoted = isPaused;
  };
  // Who follows the stages, and who waits for everything to be settled, may come at once.
  const turn = openTurns();
  return (db) => turn(() => note(db));
}
