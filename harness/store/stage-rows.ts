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
  /** The same, also when it has been rolled back since; null when it never answered. */
  answeredFrom: Date | null;
}

export async function stageHistory(db: Database, flow: string): Promise<StageHistory> {
  const [row] = await db.query<StageHistory>(
    `with changes as (select * from twintrack.stage_changes where flow = $1),
     high as (select * from changes where to_stage in ('canary', 'cutover', 'retired')),
     low as (select coalesce(max(id), 0) as id from changes where to_stage in ('legacy', 'shadow')),
     before as (select coalesce(max(id), 0) as id from changes
       where to_stage in ('legacy', 'shadow') and id < (select max(id) from high))
     select (select max(at) from changes) as since,
       (select max(at) from changes where automatic and to_stage = 'shadow') as "demotedAt",
       (select min(at) from high, low where high.id > low.id) as "promotedAt",
       (select min(at) from high, before where high.id > before.id) as "answeredFrom"`,
    [flow],
  );
  return row ?? { since: null, demotedAt: null, promotedAt: null, answeredFrom: null };
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
    `with differing as (
       select * from twintrack.differences where flow = $1 and received_at > $2::timestamptz
         and stage in ('canary', 'cutover') and verdict not in ('not_run', 'incomparable') and rule is null),
     ${GROUPED}, ${COVERED},
     recent as (
       select * from twintrack.trials where flow = $1 and received_at > $2::timestamptz and stage in ('canary', 'cutover')),
     judged as (
       select * from recent where verdict is not null and verdict not in ('not_run', 'incomparable')),
     open_differences as (
       select d.trial_id, bool_or(d.verdict = 'mismatch') as mismatch, bool_or(v.kind = 'effect') as effect
       from grouped d join twintrack.divergences v on v.flow = d.flow and v.fingerprint = d.fingerprint
       where d.compared = 'candidate' and d.divergence not in (select fingerprint from covered) group by 1),
     answers as (
       select r.status <> 'returned' and coalesce(t.verdict not in ('both_failed_same', 'both_failed_different'), true) as failed
       from recent t join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate' where t.authoritative = 'candidate')
     select count(*)::bigint as trials,
       (select count(*) from open_differences where mismatch)::bigint as mismatches,
       count(*) filter (where verdict in ('candidate_error', 'candidate_timeout'))::bigint as "candidateErrors",
       count(*) filter (where verdict in ('both_failed_same', 'both_failed_different'))::bigint as "bothFailed",
       (select count(*) from open_differences where effect)::bigint as "effectDifferences",
       coalesce(sum(contract_violations), 0)::bigint as "contractViolations",
       (select count(*) from answers)::bigint as answered,
       (select count(*) from answers where failed)::bigint as failed
     from judged`,
    [flow, since],
  );
  const { answered = 0, failed = 0, ...evidence } = row ?? {};
  return { evidence, answers: { answered, failed } };
}
