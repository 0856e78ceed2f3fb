/** The tallies are written by the database itself: here they are held against the trials they count. */
import type { Database } from "../harness/store/database.ts";

/** Kinds of trials of which the tallies say another number than there are; none when all is well. */
export function wrongTallies(db: Database): Promise<object[]> {
  return db.query(
    `with counted as (
       select flow, (received_at at time zone 'utc')::date as day, stage, coalesce(flow_hash, '') as flow_hash,
         coalesce(verdict, '') as verdict, case when verdict = 'not_run' then reason else '' end as reason,
         coalesce(noise_verdict, '') as noise_verdict, coalesce(trace_verdict, '') as trace_verdict,
         coalesce(md5(models::text), '') as models_digest, models::text as models,
         count(*) as trials,
         count(*) filter (where dropped and answer_status is not null) as dropped, sum(contract_violations) as contract_violations, count(legacy_ms) as legacy_runs,
         count(candidate_ms) as candidate_runs, count(spent_usd) as asked, coalesce(sum(spent_usd), 0) as spent_usd,
         coalesce(sum(legacy_usd * candidate_usd), 0) as products
       from twintrack.trials group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
     told as (
       select flow, day, stage, flow_hash, verdict, reason, noise_verdict, trace_verdict, models_digest,
         models::text, trials, dropped, contract_violations,
         legacy_runs, candidate_runs, asked, spent_usd, products
       from twintrack.tallies where trials <> 0)
     (select 'not told' as fault, * from (select * from counted except select * from told) missing)
     union all
     (select 'not there' as fault, * from (select * from told except select * from counted) extra)`,
  );
}
