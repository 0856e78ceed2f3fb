/** The rows of the report, aggregated in SQL. */
import { policyOf } from "../automation.ts";
import type { FlowConfig, ResolvedConfig } from "../config.ts";
import { privacyOf } from "../privacy/privacy.ts";
import type { DivergenceRow, FlowRow, ReportRows, SampleRow } from "../report/rows.ts";
import { type FlowStage, initialStage, readStages } from "../stage.ts";
import { books } from "./books.ts";
import { COUNTED } from "./counted.ts";
import { COVERED } from "./covered.ts";
import type { Database } from "./database.ts";
import { divergenceRows, sampleRows } from "./divergences.ts";
import { gateRows } from "./gate-rows.ts";
import { GROUPED } from "./groupings.ts";
import { ruleRows } from "./rule-rows.ts";
import { traceOf } from "./traces.ts";
import { costRow } from "./usage-rows.ts";

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
    for (const row of found) samples.push(...(await sampleRows(db, privacy, row)));
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
    ...(await gateRows(db, flow, config.gate?.confidence)),
    ...(await costRow(db, flow)),
    trace: await traceOf(db, flow),
    rules: await ruleRows(db, flow),
    ...(config.gate === undefined ? {} : { policy: policyOf(config.gate) }),
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
    `with ${COUNTED}, ${GROUPED}, ${COVERED},
     open_differences as (
       select d.trial_id, v.kind = 'effect' as effect
       from grouped d join counted c on c.id = d.trial_id
         join twintrack.divergences v on v.flow = d.flow and v.fingerprint = d.fingerprint
       where d.compared = 'candidate' and d.rule is null
         and d.divergence not in (select fingerprint from covered))
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
