/** Judged trials as they rest in the store, read to be judged once more. */
import type { RunsJudgement } from "../judgement.ts";
import type { Database, Query } from "./database.ts";
import {
  alignmentColumns,
  insertDifferences,
  insertDivergences,
  rulesColumn,
  storable,
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
    let changed = 0;
    for (const trial of judged) changed += await replaceVerdict(query, trial);
    await query("delete from twintrack.differences where trial_id = any($1::text[])", [
      judged.map(({ id }) => id),
    ]);
    await insertDivergences(query, judged);
    await insertDifferences(query, judged);
    return changed;
  });
}

async function replaceVerdict(query: Query, trial: RunsJudgement & { id: string }) {
  const rows = await query<{ changed: boolean }>(
    `update twintrack.trials t set verdict = $2, reason = $3, noise_verdict = $4, truncated = $5,
       effect_differences = $6, trace = coalesce($7::bytea, t.trace),
       trace_verdict = coalesce($8, t.trace_verdict),
       first_divergent_step = case when $8 is null then t.first_divergent_step else $9 end,
       steps = coalesce($10::jsonb, t.steps), rules = $11::jsonb
     from twintrack.trials before where before.id = t.id and t.id = $1
     returning before.verdict <> t.verdict as changed`,
    [
      trial.id,
      trial.verdict,
      trial.reason === null ? null : storable(trial.reason),
      trial.noiseVerdict,
      trial.truncated,
      trial.effectDifferences,
      trial.trace,
      ...alignmentColumns(trial.alignment),
      rulesColumn(trial.rules),
    ],
  );
  return rows[0]?.changed ? 1 : 0;
}
