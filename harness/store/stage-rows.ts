/** Where a flow stands, and what its candidate did since it answers: what moves stages is read here. */
import type { Evidence } from "../criterion.ts";
import { COVERED } from "./covered.ts";
import type { Database } from "./database.ts";
import { GROUPED } from "./groupings.ts";

export interface StageHistory {
  /** Of the newest change; null when nobody ever moved the flow. */
  since: Date | null;
  /** Of the newest demotion that nobody asked for; null when there was none. */
  demotedAt: Date | null;
  /** When the candidate began to answer, for the last time; null while it does not. */
  promotedAt: Date | null;
}

export async function stageHistory(db: Database, flow: string): Promise<StageHistory> {
  const [row] = await db.query<StageHistory>(
    `with changes as (select * from twintrack.stage_changes where flow = $1),
     low as (select coalesce(max(id), 0) as id from changes where to_stage in ('legacy', 'shadow'))
     select (select max(at) from changes) as since,
       (select max(at) from changes where automatic and to_stage = 'shadow') as "demotedAt",
       (select min(at) from changes, low where changes.id > low.id
          and to_stage in ('canary', 'cutover', 'retired')) as "promotedAt"`,
    [flow],
  );
  return row ?? { since: null, demotedAt: null, promotedAt: null };
}

/** What the candidate did where callers saw it. */
export interface Answers {
  answered: number;
  failed: number;
}

/**
 * Trials since an instant in which the candidate's answers reached callers, or would have. Only what
 * can be a breach is counted: too few trials are none.
 */
export async function recentEvidence(
  db: Database,
  flow: string,
  since: Date,
): Promise<{ evidence: Evidence; answers: Answers }> {
  const [row] = await db.query<Required<Omit<Evidence, "noise" | "costUsd">> & Answers>(
    `with ${GROUPED}, ${COVERED},
     recent as (
       select * from twintrack.trials where flow = $1 and received_at > $2::timestamptz and stage in ('canary', 'cutover')),
     judged as (
       select * from recent where verdict is not null and verdict not in ('not_run', 'incomparable')),
     open_differences as (
       select d.trial_id, v.kind = 'effect' as effect
       from grouped d join judged j on j.id = d.trial_id
         join twintrack.divergences v on v.flow = d.flow and v.fingerprint = d.fingerprint
       where d.compared = 'candidate' and d.rule is null
         and d.divergence not in (select fingerprint from covered)),
     answers as (
       select r.status <> 'returned' and coalesce(t.verdict not in ('both_failed_same', 'both_failed_different'), true) as failed
       from recent t join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate' where t.authoritative = 'candidate')
     select count(*)::bigint as trials,
       count(*) filter (where verdict = 'mismatch' and id in (select trial_id from open_differences))::bigint as mismatches,
       count(*) filter (where verdict in ('candidate_error', 'candidate_timeout'))::bigint as "candidateErrors",
       count(*) filter (where verdict in ('both_failed_same', 'both_failed_different'))::bigint as "bothFailed",
       count(*) filter (where id in (select trial_id from open_differences where effect))::bigint as "effectDifferences",
       coalesce(sum(contract_violations), 0)::bigint as "contractViolations",
       (select count(*) from answers)::bigint as answered,
       (select count(*) from answers where failed)::bigint as failed
     from judged`,
    [flow, since],
  );
  const { answered = 0, failed = 0, ...evidence } = row ?? {};
  return { evidence, answers: { answered, failed } };
}
