/** What the gate holds against its limits beyond the counts of the report, aggregated in SQL. */
import type { Coverage } from "../coverage.ts";
import type { DropGroup } from "../drop.ts";
import { type Pairs, pairedTrials } from "../paired.ts";
import type { FlowRow } from "../report/rows.ts";
import { COUNTED, TALLIED } from "./counted.ts";
import { COVERED } from "./covered.ts";
import type { Database } from "./database.ts";
import { GROUPED } from "./groupings.ts";
import { latencyRows } from "./latency-rows.ts";

const DEFAULT_CONFIDENCE = 0.95;

export async function gateRows(
  db: Database,
  flow: string,
  confidence = DEFAULT_CONFIDENCE,
): Promise<Pick<FlowRow, "latencyMs" | "p95Bounds" | "pairs" | "drops" | "coverage">> {
  const [latency, other] = await Promise.all([
    latencyRows(db, flow, confidence),
    otherRows(db, flow),
  ]);
  return { ...latency, ...other };
}

async function otherRows(
  db: Database,
  flow: string,
): Promise<Pick<FlowRow, "pairs" | "drops" | "coverage">> {
  const drops = await dropsOf(db, flow);
  const [pairs, coverage] = [await pairsOf(db, flow), await coverageOf(db, flow)];
  return {
    drops,
    ...(pairedTrials(pairs) > 0 && { pairs }),
    ...(coverage.total > 0 && { coverage }),
  };
}

/**
 * Trials with both comparisons: legacy with candidate, and legacy with itself. Only those with a
 * difference are looked at; what is told of the others is in the tallies.
 */
async function pairsOf(db: Database, flow: string): Promise<Pairs> {
  const [row] = await db.query<Pairs>(
    `with ${TALLIED}, ${GROUPED}, ${COVERED},
     paired as (
       select bool_or(verdict = 'mismatch' and compared = 'candidate') as candidate,
         bool_or(noise_verdict = 'mismatch' and compared = 'noise') as noise,
         bool_or(noise_verdict not in ('match', 'ignored', 'both_failed_same', 'mismatch')) as failed
       from grouped where noise_verdict is not null and verdict in ('match', 'ignored', 'mismatch')
         and divergence not in (select fingerprint from covered) group by trial_id),
     shown as (
       select count(*) filter (where candidate) as candidate, count(*) filter (where noise and not failed) as noise,
         count(*) filter (where candidate and (noise or failed)) as shared from paired),
     totals as (
       select coalesce(sum(trials), 0) as trials,
         coalesce(sum(trials) filter (where noise_verdict not in ('match', 'ignored', 'both_failed_same', 'mismatch')), 0) as failed
       from tallied where noise_verdict <> '' and verdict in ('match', 'ignored', 'mismatch'))
     select (candidate - shared)::bigint as "onlyCandidate", (noise + failed - shared)::bigint as "onlyNoise",
       shared as "both", (trials - candidate - noise - failed + shared)::bigint as "neither"
     from shown, totals`,
    [flow],
  );
  return row ?? { onlyCandidate: 0, onlyNoise: 0, both: 0, neither: 0 };
}

/** Triggers by what they have in common, compared or not; none when none was dropped. What is equal is in one quarter. */
async function dropsOf(db: Database, flow: string): Promise<DropGroup[]> {
  const [told] = await db.query<{ dropped: number }>(
    `with ${TALLIED} select coalesce(sum(dropped), 0)::bigint as dropped from tallied`,
    [flow],
  );
  if (!told || told.dropped === 0) return [];
  const [quarters] = await db.query<{ ms: number[] | null; bytes: number[] | null }>(
    `with ${COUNTED}
     select percentile_disc(array[0.25, 0.5, 0.75]) within group (order by answer_ms) as ms,
       percentile_disc(array[0.25, 0.5, 0.75]) within group (order by nullif(answer_bytes, 0)) as bytes
     from counted where dropped is not null and answer_status is not null`,
    [flow],
  );
  return db.query<DropGroup>(
    `with ${COUNTED},
     alike as (
       select dropped, source, answer_status as status, extract(hour from received_at at time zone 'utc')::integer / 6 as hour,
         width_bucket(answer_ms, $2::double precision[]) as duration,
         case when answer_bytes > 0 then width_bucket(answer_bytes, $3::integer[]) end as size, count(*) as trials
       from counted where dropped is not null and answer_status is not null group by 1, 2, 3, 4, 5, 6)
     select feature, "group", coalesce(sum(trials) filter (where dropped), 0)::bigint as "notRun",
       coalesce(sum(trials) filter (where not dropped), 0)::bigint as compared
     from alike cross join lateral (values
       ('source', source), ('status', status), ('hour', format('%s to %s UTC', hour * 6, hour * 6 + 6)),
       ('duration', format('quarter %s of 4', duration + 1)), ('size', format('quarter %s of 4', size + 1))) as told_by (feature, "group")
     where feature <> 'size' or size is not null
     group by feature, "group" order by feature, "group"`,
    [flow, quarters?.ms ?? [], quarters?.bytes ?? []],
  );
}

const MAX_UNSEEN = 50;

async function coverageOf(db: Database, flow: string): Promise<Coverage> {
  const rows = await db.query<{ mark: string; trials: number }>(
    `with ${COUNTED}
     select mark, trials from twintrack.coverage
     where flow = $1 and flow_hash = (select flow_hash from newest) order by mark`,
    [flow],
  );
  const unseen = rows.filter(({ trials }) => trials === 0).map(({ mark }) => mark);
  return {
    seen: rows.length - unseen.length,
    total: rows.length,
    unseen: unseen.slice(0, MAX_UNSEEN),
  };
}
