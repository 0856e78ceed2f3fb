/** Divergences of a flow as the report shows them: counted, decided on, with samples. */
import type { DifferenceKind } from "../compare/difference.ts";
import type { Privacy } from "../privacy/privacy.ts";
import type { Decision, DivergenceRow, Grouping, SampleRow } from "../report/rows.ts";
import { appendAudit } from "./audit.ts";
import { DIFFERING } from "./counted.ts";
import type { Database } from "./database.ts";
import { GROUPED, type SplitBy } from "./groupings.ts";
import { type StoredSample, sampleOf } from "./sample.ts";

const SAMPLES_PER_DIVERGENCE = 3;
const MAX_DIVERGENCES = 50;

interface DivergenceSql {
  fingerprint: string;
  members: string[];
  title: string;
  kind: DifferenceKind;
  path: string;
  place: string | null;
  message: string | null;
  trials: number;
  noiseTrials: number;
  firstAt: Date;
  lastAt: Date;
  decision: Decision["decision"] | null;
  who: string;
  why: string;
  owner: string | null;
  until: Date | null;
  splitBy: SplitBy | null;
  grouper: string | null;
  groupedWhy: string | null;
}

/**
 * The most frequent ones, and all that are a bug of the candidate: these close the gate, however rare.
 *
 * @param asked fingerprints of others that are wanted
 */
export async function divergenceRows(
  db: Database,
  flow: string,
  asked: readonly string[] = [],
): Promise<DivergenceRow[]> {
  const rows = await db.query<DivergenceSql>(
    `with ${DIFFERING}, ${GROUPED},
     seen as (
       select d.divergence, array_agg(distinct d.fingerprint) as members, min(d.place) as exact_place, min(d.message) as message,
         count(distinct d.trial_id) filter (where d.compared = 'candidate')::bigint as trials,
         count(distinct d.trial_id) filter (where d.compared = 'noise')::bigint as noise_trials,
         min(d.received_at) as first_at, max(d.received_at) as last_at
       from grouped d group by d.divergence),
     ranked as (
       select s.*, row_number() over (order by s.trials desc, s.divergence) as place from seen s where s.trials > 0)
     select s.divergence as fingerprint, s.members, v.title, v.kind, v.path, s.exact_place as place, s.message, s.trials,
       s.noise_trials as "noiseTrials", s.first_at as "firstAt", s.last_at as "lastAt",
       l.decision, l.who, l.why, l.owner, l.until,
       p.split_by as "splitBy", coalesce(m.who, p.who) as grouper, coalesce(m.why, p.why) as "groupedWhy"
     from ranked s
     join twintrack.divergences v on v.flow = $1 and v.fingerprint = split_part(s.divergence, '#', 1)
     left join latest p on p.fingerprint = v.fingerprint and p.action = 'split' and s.divergence <> v.fingerprint
     left join lateral (
       select who, why from latest where action = 'merge' and into_fingerprint = s.divergence order by fingerprint limit 1) m on true
     left join lateral (
       select * from twintrack.decisions x where x.flow = $1 and x.fingerprint = s.divergence order by id desc limit 1) l on true
     where s.place <= ${MAX_DIVERGENCES} or l.decision = 'candidate_bug' or s.divergence = any($2::text[]) order by s.place`,
    [flow, asked],
  );
  return rows.map((row) => divergenceRow(flow, row));
}

function divergenceRow(flow: string, row: DivergenceSql): DivergenceRow {
  const { fingerprint, members, title, kind, path, trials, noiseTrials } = row;
  const { decision, who, why, until } = row;
  return {
    ...{ flow, fingerprint, members, kind, path, trials, noiseTrials },
    title: partTitle(title, row),
    grouping: groupingOf(row),
    firstAt: row.firstAt.toISOString(),
    lastAt: row.lastAt.toISOString(),
    ...(decision !== null && {
      decision: {
        decision,
        who,
        why,
        owner: row.owner ?? who,
        until: until?.toISOString() ?? null,
      },
    }),
  };
}

function partTitle(title: string, { splitBy, place, message }: DivergenceSql): string {
  if (splitBy === null) return title;
  return splitBy === "place" ? `${title}, at \`${place}\`` : `${title}: ${message ?? "no message"}`;
}

function groupingOf({ splitBy, members, grouper, groupedWhy }: DivergenceSql): Grouping {
  const statement = { who: grouper ?? "", why: groupedWhy ?? "" };
  if (members.length > 1) return { kind: "merged", ...statement };
  return splitBy === null ? { kind: "alike" } : { kind: "split", by: splitBy, ...statement };
}

/** Trials that show each divergence of a flow, the earliest first, with the values of both sides. */
export async function sampleRows(
  db: Database,
  privacy: Privacy,
  flow: string,
  divergences: readonly DivergenceRow[],
): Promise<SampleRow[]> {
  const rows = await db.query<StoredSample & { fingerprint: string }>(
    `with ${DIFFERING}, ${GROUPED},
     shown as (
       select divergence, trial_id, array_agg(ordinal) as ordinals, min(received_at) as at
       from grouped where divergence = any($2::text[]) and compared = 'candidate' group by 1, 2),
     earliest as (
       select *, row_number() over (partition by divergence order by at, trial_id) as place from shown)
     select e.divergence as fingerprint, t.id, t.trigger_id as "triggerId", t.authoritative, t.trace,
       l.payload as legacy, k.payload as candidate,
       (select array_agg(difference order by ordinal = any(e.ordinals) desc, ordinal)
        from twintrack.differences d where d.trial_id = t.id and d.compared = 'candidate') as differences
     from earliest e join twintrack.trials t on t.id = e.trial_id
     left join twintrack.runs l on l.trial_id = t.id and l.side = 'legacy'
     left join twintrack.runs k on k.trial_id = t.id and k.side = 'candidate'
     where e.place <= ${SAMPLES_PER_DIVERGENCE}
     order by array_position($2::text[], e.divergence), e.place`,
    [flow, divergences.map(({ fingerprint }) => fingerprint)],
  );
  return rows.flatMap(
    ({ fingerprint, ...row }) => sampleOf({ flow, fingerprint }, row, privacy) ?? [],
  );
}

/** What a person says of a divergence. */
export function decide(
  db: Database,
  flow: string,
  fingerprint: string,
  { decision, who, why, owner, until }: Decision,
): Promise<void> {
  return db.transaction(async (query) => {
    await query(
      `insert into twintrack.decisions (flow, fingerprint, decision, who, why, owner, until)
       values ($1, $2, $3, $4, $5, $6, $7::timestamptz)`,
      [flow, fingerprint, decision, who, why, owner, until],
    );
    const about = { flow, fingerprint, decision, why, owner, until };
    await appendAudit(query, { event: "decision", who, about });
  });
}
