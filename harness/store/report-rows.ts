/** The rows of the report, aggregated in SQL. */
import { policyOf } from "../automation.ts";
import type { FlowConfig, ResolvedConfig } from "../config.ts";
import { privacyOf } from "../privacy/privacy.ts";
import type { DivergenceRow, FlowRow, ReportRows, SampleRow } from "../report/rows.ts";
import { type FlowStage, initialStage, readStages } from "../stage.ts";
import { books } from "./books.ts";
import { causeRows } from "./cause-rows.ts";
import { TALLIED } from "./counted.ts";
import { COVERED } from "./covered.ts";
import type { Database } from "./database.ts";
import { divergenceRows, sampleRows } from "./divergences.ts";
import { gateRows } from "./gate-rows.ts";
import { GROUPED } from "./groupings.ts";
import { NO_BOUNDS } from "./latency-rows.ts";
import { modelRow, tellModels } from "./model-rows.ts";
import { ruleRows } from "./rule-rows.ts";
import { traceOf } from "./traces.ts";
import { costRow } from "./usage-rows.ts";

export async function reportRows(
  db: Database,
  config: ResolvedConfig,
  only?: string,
): Promise<ReportRows> {
  const privacy = privacyOf(config);
  const stages = await readStages(db);
  const known = new Set((await db.query<{ flow: string }>(KNOWN_FLOWS)).map(({ flow }) => flow));
  const flows: FlowRow[] = [];
  const divergences: DivergenceRow[] = [];
  const samples: SampleRow[] = [];
  // One flow after the other: each asks as much at once as there are connections.
  for (const name of only === undefined ? Object.keys(config.flows) : [only]) {
    if (!known.has(name)) {
      flows.push({ ...headOf(config, stages, name), ...NO_TRIALS });
      continue;
    }
    const found = await evidenceRows(db, config, stages, name);
    if (found.flow.models) await tellModels(db, name, found.divergences);
    flows.push(found.flow);
    divergences.push(...found.divergences);
    samples.push(...(await sampleRows(db, privacy, name, found.divergences)));
  }
  const { unexplained, gaps } = await books(db);
  const lost = unexplained + Object.values(gaps).reduce((sum, count) => sum + count, 0);
  return { flows, divergences, samples, lost };
}

const KNOWN_FLOWS = "select distinct flow from twintrack.tallies";

/** What the questions to the store would say of a flow that it has no trial of. */
const NO_TRIALS = {
  ...{ sinceAt: null, days: 0, answered: 0, open: 0, verdicts: {}, notRun: {}, causes: [] },
  ...{ unexplained: 0, effectDifferences: 0, contractViolations: 0 },
  noise: { trials: 0, mismatches: 0 },
  ...{ latencyMs: { legacy: null, candidate: null }, p95Bounds: NO_BOUNDS },
  ...{ drops: [], trace: null, rules: [] },
};

export interface EvidenceRows {
  flow: FlowRow;
  divergences: DivergenceRow[];
}

/** What a gate decides on: the report's rows of one flow, without samples. */
export async function evidenceRows(
  db: Database,
  config: ResolvedConfig,
  stages: ReadonlyMap<string, FlowStage>,
  flow: string,
): Promise<EvidenceRows> {
  const [gate, counted, divergences] = await Promise.all([
    gateRows(db, flow, config.flows[flow]?.gate?.confidence),
    countedRows(db, flow),
    divergenceRows(db, flow),
  ]);
  return { flow: { ...headOf(config, stages, flow), ...counted, ...gate }, divergences };
}

/** What is known of a flow without its trials. */
function headOf(
  config: ResolvedConfig,
  stages: ReadonlyMap<string, FlowStage>,
  flow: string,
): Pick<FlowRow, "name" | "language" | "stage" | "canaryPercent" | "isExtracted" | "policy"> {
  const { stage, canaryPercent } = stages.get(flow) ?? initialStage(config, flow);
  const flowConfig = config.flows[flow] ?? {};
  return {
    ...{ name: flow, language: languageOf(flowConfig), stage },
    ...(stage === "canary" && { canaryPercent }),
    ...(flowConfig.extract && { isExtracted: true }),
    ...(flowConfig.gate && { policy: policyOf(flowConfig.gate) }),
  };
}

interface CountRow {
  /** Empty: open. */
  verdict: string;
  reason: string;
  count: number;
}

type CountedRows = Summary &
  Pick<FlowRow, "open" | "verdicts" | "notRun" | "causes" | "trace" | "rules" | "models"> &
  Awaited<ReturnType<typeof costRow>>;

async function countedRows(db: Database, flow: string): Promise<CountedRows> {
  const counts = await db.query<CountRow>(
    `with ${TALLIED}
     select verdict, case when verdict = 'not_run' then reason else '' end as reason, sum(trials)::bigint as count
     from tallied group by 1, 2`,
    [flow],
  );
  const isNotRun = (row: CountRow) => row.verdict === "not_run";
  const verdicts = counts.filter((row) => row.verdict !== "" && !isNotRun(row));
  const ended = {
    verdicts: Object.fromEntries(verdicts.map((row) => [row.verdict, row.count])),
    notRun: Object.fromEntries(counts.filter(isNotRun).map((row) => [row.reason, row.count])),
  };
  return {
    ...(await summaryOf(db, flow)),
    open: counts.find((row) => row.verdict === "")?.count ?? 0,
    ...ended,
    causes: await causeRows(db, flow, ended),
    ...(await costRow(db, flow)),
    ...(await modelRow(db, flow)),
    trace: await traceOf(db, flow),
    rules: await ruleRows(db, flow),
  };
}

export function languageOf({ legacy }: FlowConfig): FlowRow["language"] {
  if (legacy === "tap") return "tapped";
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
    `with ${TALLIED}, ${GROUPED}, ${COVERED},
     open_differences as (
       select bool_or(d.verdict = 'mismatch') as mismatch, bool_or(v.kind = 'effect') as effect
       from grouped d join twintrack.divergences v on v.flow = d.flow and v.fingerprint = d.fingerprint
       where d.compared = 'candidate' and d.divergence not in (select fingerprint from covered) group by d.trial_id),
     trials as (
       select count(*) filter (where mismatch) as unexplained, count(*) filter (where effect) as effects from open_differences),
     days as (select min(day) as first, max(day) as last from tallied),
     span as (
       select (select min(received_at) from counted where received_at >= (select first from days)::timestamp at time zone 'utc') as since,
         (select max(received_at) from counted where received_at >= (select last from days)::timestamp at time zone 'utc') as until)
     select since, coalesce(extract(epoch from until - since) / 86400, 0)::double precision as days,
       coalesce(sum(trials), 0)::bigint as answered, unexplained, effects,
       coalesce(sum(contract_violations), 0)::bigint as violations,
       coalesce(sum(trials) filter (where noise_verdict <> ''), 0)::bigint as "noiseTrials",
       coalesce(sum(trials) filter (where noise_verdict not in ('', 'match', 'ignored', 'both_failed_same')), 0)::bigint as "noiseMismatches"
     from span cross join trials left join tallied on true group by since, until, unexplained, effects`,
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
