/** The rows of the report, aggregated in SQL. */
import type { DifferenceKind } from "../compare/difference.ts";
import type { FlowConfig, ResolvedConfig } from "../config.ts";
import { type Privacy, privacyOf } from "../privacy/privacy.ts";
import type { Decision, DivergenceRow, FlowRow, ReportRows, SampleRow } from "../report/rows.ts";
import { type FlowStage, initialStage, readStages } from "../stage.ts";
import { books } from "./books.ts";
import { COUNTED } from "./counted.ts";
import type { Database } from "./database.ts";
import { type StoredSample, sampleOf } from "./sample.ts";
import { traceOf } from "./traces.ts";

const SAMPLES_PER_DIVERGENCE = 3;
const MAX_DIVERGENCES = 50;

/** A decision that still holds and does not block; `unsure` and `candidate_bug` cover nothing. */
const COVERED = `
  covered as (
    select fingerprint from (
      select distinct on (fingerprint) fingerprint, decision, until
      from twintrack.decisions where flow = $1 order by fingerprint, id desc) latest
    where decision in ('intended', 'noise', 'legacy_bug') and (until is null or until > now()))`;

export async function reportRows(
  db: Database,
  config: ResolvedConfig,
  only?: string,
): Promise<ReportRows> {
  const stages = await readStages(db);
  const privacy = privacyOf(config);
  const names = only === undefined ? Object.keys(config.flows) : [only];
  const flows: FlowRow[] = [];
  const divergences: DivergenceRow[] = [];
  const samples: SampleRow[] = [];
  for (const name of names) {
    const stage = stages.get(name) ?? initialStage(config, name);
    flows.push(await flowRow(db, name, stage, config.flows[name] ?? {}));
    const found = await divergenceRows(db, name);
    divergences.push(...found);
    for (const row of found)
      samples.push(...(await sampleRows(db, privacy, name, row.fingerprint)));
  }
  const { unexplained, gaps } = await books(db);
  const lost = unexplained + Object.values(gaps).reduce((sum, count) => sum + count, 0);
  return { flows, divergences, samples, lost };
}

interface CountRow {
  verdict: string | null;
  reason: string | null;
  count: number;
}

async function flowRow(
  db: Database,
  flow: string,
  stage: FlowStage,
  config: FlowConfig,
): Promise<FlowRow> {
  const counts = await db.query<CountRow>(
    `with ${COUNTED}
     select verdict, case when verdict = 'not_run' then reason end as reason, count(*)::bigint as count
     from counted group by 1, 2`,
    [flow],
  );
  const isNotRun = (row: CountRow) => row.verdict === "not_run";
  const verdicts = counts.filter((row) => row.verdict !== null && !isNotRun(row));
  return {
    name: flow,
    language: languageOf(config),
    stage: stage.stage,
    ...(stage.stage === "canary" ? { canaryPercent: stage.canaryPercent } : {}),
    ...(await summaryOf(db, flow)),
    open: counts.find((row) => row.verdict === null)?.count ?? 0,
    verdicts: Object.fromEntries(verdicts.map((row) => [row.verdict, row.count])),
    notRun: Object.fromEntries(
      counts.filter(isNotRun).map((row) => [row.reason ?? "unknown", row.count]),
    ),
    latencyMs: await latencyOf(db, flow),
    trace: await traceOf(db, flow),
    ...(config.gate === undefined ? {} : { policy: config.gate }),
  };
}

export function languageOf({ legacy }: FlowConfig): FlowRow["language"] {
  if (typeof legacy === "object" && "python" in legacy) return "python";
  return typeof legacy === "object" && "url" in legacy ? "http" : "javascript";
}

type Summary = Pick<
  FlowRow,
  | "sinceAt"
  | "days"
  | "answered"
  | "unexplained"
  | "effectDifferences"
  | "contractViolations"
  | "noise"
>;

async function summaryOf(db: Database, flow: string): Promise<Summary> {
  const [row] = await db.query<{
    since: Date | null;
    days: number;
    answered: number;
    unexplained: number;
    effects: number;
    violations: number;
    noiseTrials: number;
    noiseMismatches: number;
  }>(
    `with ${COUNTED}, ${COVERED},
     open_differences as (
       select d.trial_id, v.kind = 'effect' as effect
       from twintrack.differences d join counted c on c.id = d.trial_id
         join twintrack.divergences v on v.flow = d.flow and v.fingerprint = d.fingerprint
       where d.compared = 'candidate' and d.rule is null
         and d.fingerprint not in (select fingerprint from covered))
     select min(received_at) as since,
       coalesce(extract(epoch from max(received_at) - min(received_at)) / 86400, 0)::double precision as days,
       count(*)::bigint as answered,
       count(*) filter (where verdict = 'mismatch' and id in (select trial_id from open_differences))::bigint as unexplained,
       count(*) filter (where id in (select trial_id from open_differences where effect))::bigint as effects,
       coalesce(sum(contract_violations), 0)::bigint as violations,
       count(noise_verdict)::bigint as "noiseTrials",
       count(*) filter (where noise_verdict not in ('match', 'ignored', 'both_failed_same'))::bigint as "noiseMismatches"
     from counted`,
    [flow],
  );
  return {
    sinceAt: row?.since?.toISOString() ?? null,
    days: row?.days ?? 0,
    answered: row?.answered ?? 0,
    unexplained: row?.unexplained ?? 0,
    effectDifferences: row?.effects ?? 0,
    contractViolations: row?.violations ?? 0,
    noise: { trials: row?.noiseTrials ?? 0, mismatches: row?.noiseMismatches ?? 0 },
  };
}

async function latencyOf(db: Database, flow: string): Promise<FlowRow["latencyMs"]> {
  const rows = await db.query<{ side: "legacy" | "candidate"; p50: number; p95: number }>(
    `with ${COUNTED}
     select r.side, percentile_cont(0.5) within group (order by r.duration_ms) as p50,
       percentile_cont(0.95) within group (order by r.duration_ms) as p95
     from twintrack.runs r join counted c on c.id = r.trial_id
     where r.side in ('legacy', 'candidate') and r.status = 'returned' group by r.side`,
    [flow],
  );
  const of = (side: string) => {
    const row = rows.find((found) => found.side === side);
    return row ? { p50: row.p50, p95: row.p95 } : null;
  };
  return { legacy: of("legacy"), candidate: of("candidate") };
}

interface DivergenceSql {
  fingerprint: string;
  title: string;
  kind: DifferenceKind;
  path: string;
  trials: number;
  noiseTrials: number;
  firstAt: Date;
  lastAt: Date;
  decision: Decision["decision"] | null;
  who: string;
  why: string;
  until: Date | null;
}

async function divergenceRows(db: Database, flow: string): Promise<DivergenceRow[]> {
  const rows = await db.query<DivergenceSql>(
    `with ${COUNTED},
     seen as (
       select d.fingerprint,
         count(distinct d.trial_id) filter (where d.compared = 'candidate')::bigint as trials,
         count(distinct d.trial_id) filter (where d.compared = 'noise')::bigint as noise_trials,
         min(c.received_at) as first_at, max(c.received_at) as last_at
       from twintrack.differences d join counted c on c.id = d.trial_id
       where d.rule is null group by d.fingerprint)
     select s.fingerprint, v.title, v.kind, v.path, s.trials, s.noise_trials as "noiseTrials",
       s.first_at as "firstAt", s.last_at as "lastAt", l.decision, l.who, l.why, l.until
     from seen s join twintrack.divergences v on v.flow = $1 and v.fingerprint = s.fingerprint
     left join lateral (
       select * from twintrack.decisions x where x.flow = $1 and x.fingerprint = s.fingerprint order by id desc limit 1) l on true
     where s.trials > 0 order by s.trials desc, s.fingerprint limit ${MAX_DIVERGENCES}`,
    [flow],
  );
  return rows.map(({ decision, who, why, until, firstAt, lastAt, ...row }) => ({
    ...row,
    flow,
    firstAt: firstAt.toISOString(),
    lastAt: lastAt.toISOString(),
    ...(decision === null
      ? {}
      : { decision: { decision, who, why, until: until?.toISOString() ?? null } }),
  }));
}

async function sampleRows(
  db: Database,
  privacy: Privacy,
  flow: string,
  fingerprint: string,
): Promise<SampleRow[]> {
  const rows = await db.query<StoredSample>(
    `with ${COUNTED}
     select c.id, c.trigger_id as "triggerId", c.authoritative, c.trace, l.payload as legacy, k.payload as candidate,
       (select array_agg(difference order by (fingerprint = $2) desc, ordinal) from twintrack.differences d
        where d.trial_id = c.id and d.compared = 'candidate') as differences
     from counted c
     left join twintrack.runs l on l.trial_id = c.id and l.side = 'legacy'
     left join twintrack.runs k on k.trial_id = c.id and k.side = 'candidate'
     where c.id in (select trial_id from twintrack.differences where flow = $1 and fingerprint = $2
       and compared = 'candidate' and rule is null)
     order by c.received_at limit ${SAMPLES_PER_DIVERGENCE}`,
    [flow, fingerprint],
  );
  return rows.flatMap((row) => sampleOf({ flow, fingerprint }, row, privacy) ?? []);
}

/** What a person says of a divergence. */
export async function decide(
  db: Database,
  flow: string,
  fingerprint: string,
  decision: Decision,
): Promise<void> {
  await db.query(
    `insert into twintrack.decisions (flow, fingerprint, decision, who, why, until)
     values ($1, $2, $3, $4, $5, $6::timestamptz)`,
    [flow, fingerprint, decision.decision, decision.who, decision.why, decision.until],
  );
}
