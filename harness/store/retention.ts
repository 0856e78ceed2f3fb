/**
 * Deleting what is old: whole weeks at once, and the rest in batches. No transaction is long, and none
 * of it is on anybody's way.
 */
import { appendAudit } from "./audit.ts";
import type { Database } from "./database.ts";
import { deleteReplays } from "./replays.ts";
import { dropWeeks } from "./weeks.ts";

const BATCH = 500;

export interface Retired {
  /** Trials that were deleted. */
  trials: number;
  /** Trials whose payloads were dropped. */
  payloads: number;
}

export interface RetentionLimits {
  /** Trials received before are deleted. */
  trialsBefore: Date | undefined;
  /** Payloads of trials received before are dropped. */
  payloadsBefore: Date | undefined;
}

/** Open trials are left: they are judged first. */
export async function enforceRetention(
  db: Database,
  { trialsBefore, payloadsBefore }: RetentionLimits,
): Promise<Retired> {
  if (trialsBefore) await deleteReplays(db, trialsBefore);
  const inWeeks = trialsBefore ? await dropWeeks(db, trialsBefore) : 0;
  const inRows = trialsBefore ? await inBatches(() => deleteTrials(db, trialsBefore)) : 0;
  const trials = inWeeks + inRows;
  const payloads = payloadsBefore ? await inBatches(() => dropPayloads(db, payloadsBefore)) : 0;
  if (trials + payloads > 0) {
    const about = {
      trials,
      payloads,
      trialsBefore: trialsBefore?.toISOString() ?? null,
      payloadsBefore: payloadsBefore?.toISOString() ?? null,
    };
    await db.transaction((query) =>
      appendAudit(query, { event: "retention", who: "twintrack", about }),
    );
  }
  return { trials, payloads };
}

async function inBatches(batch: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await batch();
    total += count;
    if (count < BATCH) return total;
  }
}

/** Their number, by flow and verdict, stays: the books go on balancing. */
async function deleteTrials(db: Database, before: Date): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `with old as (
       select id from twintrack.trials where received_at < $1::timestamptz and verdict is not null
       order by received_at limit ${BATCH} for update skip locked),
     gone as (
       delete from twintrack.trials t using old where t.id = old.id returning t.epoch, t.flow, t.verdict, t.seq),
     replayed as (delete from twintrack.replay_results r using old where r.item = old.id),
     counted as (
       insert into twintrack.retired_trials as r (epoch, flow, verdict, cause, trials, last_seq)
       select epoch, flow, verdict, 'retention', count(*), max(seq) from gone group by 1, 2, 3
       on conflict (epoch, flow, verdict, cause) do update
         set trials = r.trials + excluded.trials, last_seq = greatest(r.last_seq, excluded.last_seq))
     select count(*)::bigint as count from gone`,
    [before],
  );
  return row?.count ?? 0;
}

/** What was found stays: verdict, masked differences, durations. */
async function dropPayloads(db: Database, before: Date): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `with old as (
       select t.id from twintrack.trials t where t.received_at < $1::timestamptz and t.verdict is not null
         and (t.trace is not null or exists (
           select from twintrack.runs r where r.trial_id = t.id and octet_length(r.payload) > 0))
       order by t.received_at limit ${BATCH} for update skip locked),
     emptied as (update twintrack.runs r set payload = ''::bytea from old where r.trial_id = old.id),
     untraced as (update twintrack.trials t set trace = null from old where t.id = old.id)
     select count(*)::bigint as count from old`,
    [before],
  );
  return row?.count ?? 0;
}
