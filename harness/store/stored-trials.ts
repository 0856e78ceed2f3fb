/** Judged trials as they rest in the store, read to be judged once more. */
import type { RunsJudgement } from "../judgement.ts";
import { type Database, jsonRows, type Query } from "./database.ts";
import {
  insertDifferences,
  insertDivergences,
  JUDGEMENT_TYPES,
  judgementColumns,
} from "./judgements.ts";

export type RunSide = "legacy" | "candidate" | "noise";

export interface StoredTrial {
  id: string;
  flow: string;
  /** As they rest: sealed. */
  runs: { side: RunSide; payload: Uint8Array }[];
  trace: Uint8Array | null;
  /** It has stored differences, explained or not. */
  differed: boolean;
}

interface StoredRow {
  id: string;
  flow: string;
  trace: Uint8Array | null;
  differed: boolean;
  sides: RunSide[];
  payloads: Uint8Array[];
}

/** A page of a flow's judged trials with both runs, by id; give the last id to go on. */
export async function storedTrials(
  db: Database,
  flow: string,
  afterId: string,
  limit: number,
): Promise<StoredTrial[]> {
  const rows = await db.query<StoredRow>(
    `select t.id, t.flow, t.trace,
       exists (select from twintrack.differences d where d.trial_id = t.id) as differed,
       array_agg(r.side) as sides, array_agg(r.payload) as payloads
     from twintrack.trials t join twintrack.runs r on r.trial_id = t.id
     where t.flow = $1 and t.id > $2 and t.verdict is not null and t.verdict <> 'not_run'
     group by t.id having count(*) > 1 order by t.id limit $3`,
    [flow, afterId, limit],
  );
  return rows.map(({ sides, payloads, ...row }) => ({
    ...row,
    runs: sides.map((side, index) => ({ side, payload: payloads[index] ?? new Uint8Array() })),
  }));
}

/** Puts new judgements in the place of old ones, all or none. Returns how many verdicts changed. */
export function replaceJudgements(
  db: Database,
  judged: readonly (RunsJudgement & { id: string })[],
): Promise<number> {
  return db.transaction(async (query) => {
    if (judged.length === 0) return 0;
    const changed = await replaceVerdicts(query, judged);
    await query("delete from twintrack.differences where trial_id = any($1::text[])", [
      judged.map(({ id }) => id),
    ]);
    await insertDivergences(query, judged);
    await insertDifferences(query, judged);
    return changed;
  });
}

/** In one statement: writers of the same tallies never wait for each other in a circle. */
async function replaceVerdicts(
  query: Query,
  judged: readonly (RunsJudgement & { id: string })[],
): Promise<number> {
  const changed = await query<{ changed: boolean }>(
    `update twintrack.trials t set verdict = j.verdict, reason = j.reason, noise_verdict = j.noise_verdict,
       truncated = j.truncated, effect_differences = j.effect_differences,
       trace = coalesce(decode(j.trace, 'base64'), t.trace),
       trace_verdict = coalesce(j.trace_verdict, t.trace_verdict),
       first_divergent_step = case when j.trace_verdict is null then t.first_divergent_step else j.first_divergent_step end,
       steps = coalesce(j.steps, t.steps), rules = j.rules
     from json_to_recordset($1::json) as j (${JUDGEMENT_TYPES})
       join twintrack.trials before on before.id = j.id
     where t.id = j.id returning before.verdict <> t.verdict as changed`,
    [jsonRows(judged.map(judgementColumns))],
  );
  return changed.filter((row) => row.changed).length;
}
