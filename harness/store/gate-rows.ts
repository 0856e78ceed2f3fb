/** What the gate holds against its limits beyond the counts of the report, aggregated in SQL. */
import type { Coverage } from "../coverage.ts";
import type { DropGroup } from "../drop.ts";
import { type Pairs, pairedTrials } from "../paired.ts";
import { quantileRanks } from "../quantile.ts";
import type { P95Bounds } from "../ratio.ts";
import type { FlowRow } from "../report/rows.ts";
import { COUNTED } from "./counted.ts";
import { COVERED } from "./covered.ts";
import type { Database } from "./database.ts";
import { GROUPED } from "./groupings.ts";

const DEFAULT_CONFIDENCE = 0.95;

export async function gateRows(
  db: Database,
  flow: string,
  confidence = DEFAULT_CONFIDENCE,
): Promise<Pick<FlowRow, "p95Bounds" | "pairs" | "drops" | "coverage">> {
  const [pairs, coverage] = [await pairsOf(db, flow), await coverageOf(db, flow)];
  return {
    p95Bounds: await p95BoundsOf(db, flow, confidence),
    drops: await dropsOf(db, flow),
    ...(pairedTrials(pairs) > 0 && { pairs }),
    ...(coverage.total > 0 && { coverage }),
  };
}

/** Trials with both comparisons: legacy with candidate, and legacy with itself. */
async function pairsOf(db: Database, flow: string): Promise<Pairs> {
  const [row] = await db.query<Pairs>(
    `with ${COUNTED}, ${GROUPED}, ${COVERED},
     open_differences as (
       select d.trial_id, d.compared from grouped d join counted c on c.id = d.trial_id
       where d.rule is null and d.divergence not in (select fingerprint from covered)),
     paired as (
       select verdict = 'mismatch'
           and exists (select from open_differences o where o.trial_id = c.id and o.compared = 'candidate') as candidate,
         noise_verdict not in ('match', 'ignored', 'both_failed_same') and (noise_verdict <> 'mismatch'
           or exists (select from open_differences o where o.trial_id = c.id and o.compared = 'noise')) as noise
       from counted c where noise_verdict is not null and verdict in ('match', 'ignored', 'mismatch'))
     select count(*) filter (where candidate and not noise)::bigint as "onlyCandidate",
       count(*) filter (where noise and not candidate)::bigint as "onlyNoise",
       count(*) filter (where candidate and noise)::bigint as "both",
       count(*) filter (where not candidate and not noise)::bigint as "neither"
     from paired`,
    [flow],
  );
  return row ?? { onlyCandidate: 0, onlyNoise: 0, both: 0, neither: 0 };
}

/** The durations that bound each side's p95; the error chance is divided between the two sides. */
async function p95BoundsOf(db: Database, flow: string, confidence: number): Promise<P95Bounds> {
  const counts = await db.query<{ side: string; n: number }>(
    `with ${COUNTED}
     select r.side, count(*)::bigint as n from twintrack.runs r join counted c on c.id = r.trial_id
     where r.side in ('legacy', 'candidate') and r.status = 'returned' group by r.side`,
    [flow],
  );
  const ranksOf = (side: string) => {
    const n = counts.find((row) => row.side === side)?.n ?? 0;
    return quantileRanks(0.95, n, 1 - (1 - confidence) / 2);
  };
  const [legacy, candidate] = [ranksOf("legacy"), ranksOf("candidate")];
  const duration = (side: string, rank: number | null) =>
    rank === null ? null : durationAt(db, flow, side, rank);
  return {
    legacyLeast: await duration("legacy", legacy.least),
    legacyMost: await duration("legacy", legacy.most),
    candidateLeast: await duration("candidate", candidate.least),
    candidateMost: await duration("candidate", candidate.most),
  };
}

async function durationAt(db: Database, flow: string, side: string, rank: number) {
  const [row] = await db.query<{ durationMs: number }>(
    `with ${COUNTED}
     select r.duration_ms as "durationMs" from twintrack.runs r join counted c on c.id = r.trial_id
     where r.side = $2 and r.status = 'returned' order by r.duration_ms desc limit 1 offset $3::bigint`,
    [flow, side, rank],
  );
  return row?.durationMs ?? null;
}

/**
 * Triggers by what they have in common, compared or not. Sampling draws at random, and a run that
 * was cut off, or has no other side, cannot be compared by anyone: these are no drops.
 */
async function dropsOf(db: Database, flow: string): Promise<DropGroup[]> {
  return db.query<DropGroup>(
    `with ${COUNTED},
     told as (
       select c.verdict in ('not_run', 'incomparable') as dropped, c.source, r.status,
         extract(hour from c.received_at at time zone 'utc')::integer / 6 * 6 as hour,
         ntile(4) over (order by r.duration_ms) as duration, octet_length(r.payload) > 0 as kept,
         ntile(4) over (partition by octet_length(r.payload) > 0 order by octet_length(r.payload)) as size
       from counted c join twintrack.runs r on r.trial_id = c.id and r.side = c.authoritative
       where c.verdict is not null and not (c.verdict = 'not_run'
         and c.reason in ('sampled', 'stage', 'side_missing', 'legacy_tapped', 'timeout', 'cancelled')))
     select feature, "group", count(*) filter (where dropped)::bigint as "notRun",
       count(*) filter (where not dropped)::bigint as compared
     from told cross join lateral (values
       ('source', source), ('status', status), ('hour', format('%s to %s UTC', hour, hour + 6)),
       ('duration', format('quarter %s of 4', duration)), ('size', case when kept then format('quarter %s of 4', size) end)) as told_by (feature, "group")
     where "group" is not null
     group by feature, "group" order by feature, "group"`,
    [flow],
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
