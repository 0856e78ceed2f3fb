/** Writes that the candidate made where callers saw it: what a rollback leaves behind. */
import type { Side } from "../../core/trigger.ts";
import { readPayload } from "../frame.ts";
import type { Vault } from "../privacy/vault.ts";
import type { Database } from "./database.ts";

export interface AnsweredWrites {
  tool: string;
  count: number;
  /** Trials that made them, the newest first; not all of them when there are many. */
  trials: string[];
}

const PAGE = 200;
const MAX_TRIALS = 20_000;
const SHOWN_TRIALS = 20;

/** By tool, the most frequent first. `truncated` when not every trial could be looked at. */
export async function answeredWrites(
  db: Database,
  vault: Vault,
  flow: string,
  since: Date,
): Promise<{ writes: AnsweredWrites[]; truncated: boolean }> {
  const byTool = new Map<string, AnsweredWrites>();
  let truncated = false;
  let offset = 0;
  for (; offset < MAX_TRIALS; offset += PAGE) {
    const rows = await db.query<{ id: string; authoritative: Side; payload: Uint8Array }>(
      `select t.id, t.authoritative, r.payload from twintrack.trials t
       join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate'
       where t.flow = $1 and t.authoritative = 'candidate' and t.received_at >= $2::timestamptz
       order by t.received_at desc, t.id limit $3 offset $4`,
      [flow, since, PAGE, offset],
    );
    for (const { id, authoritative, payload } of rows) {
      if (payload.length === 0) truncated = true; // Retention has emptied it.
      if (payload.length === 0) continue;
      const { calls = [] } = readPayload(vault, { id, side: authoritative, payload }) ?? {};
      // A write that failed may have happened all the same; one that was refused did not.
      const made = calls.filter(({ effect, served }) => effect === "write" && served === "live");
      for (const { tool } of made) note(byTool, tool, id);
    }
    if (rows.length < PAGE) break;
  }
  const writes = [...byTool.values()].sort((left, right) => right.count - left.count);
  return { writes, truncated: truncated || offset >= MAX_TRIALS };
}

function note(byTool: Map<string, AnsweredWrites>, tool: string, trial: string): void {
  const known = byTool.get(tool) ?? { tool, count: 0, trials: [] };
  byTool.set(tool, known);
  known.count++;
  if (known.trials.length < SHOWN_TRIALS && known.trials.at(-1) !== trial) known.trials.push(trial);
}
