/** Judged trials and how they are written: in batches, each trial once. */
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import type { RulesUse } from "../compare/coverage.ts";
import type { Difference } from "../compare/difference.ts";
import type { TraceRow } from "../compare/trace.ts";
import type { CoverageMark } from "../coverage.ts";
import type { RunsJudgement } from "../judgement.ts";
import { type Database, jsonRows, type Query } from "./database.ts";
import { insertRuns } from "./trials.ts";
import { type Usage, usageColumns } from "./usage-rows.ts";

/** A judged trial as a worker gives it back; only data, so that it can cross a process border. */
export interface JudgedTrial {
  id: string;
  flow: string;
  verdict: string;
  reason: string | null;
  noiseVerdict: string | null;
  flowHash: string | null;
  truncated: boolean;
  effectDifferences: number;
  contractViolations: number;
  /** JSON text `{ legacy, candidate }` of both sides' tool calls, later sealed; null when there is nothing to show. */
  trace: Uint8Array | null;
  /** Null when the calls of one side cannot be seen. */
  alignment: Alignment | null;
  /** What rules did; null when the flow has none. */
  rules: RulesUse | null;
  runs: {
    side: "legacy" | "candidate" | "noise";
    status: string;
    durationMs: number;
    payload: Uint8Array;
  }[];
  /** Of a flow that asks models. */
  usage?: Usage | undefined;
  /** Names of the tools that the legacy side called. */
  legacyTools: string[];
  /** Left out when a side did not answer: such a trial shows nothing of the input space. */
  coverage?: CoverageMark[];
  differences: {
    compared: "candidate" | "noise";
    fingerprint: string;
    difference: string;
    rule: string | null;
  }[];
  divergences: { fingerprint: string; title: string; kind: string; path: string }[];
}

/** The aligned steps of both sides, without what they were called with. */
export interface Alignment {
  /** Name of the first step in which the sides part; null when they take the same steps. */
  firstDivergent: string | null;
  steps: Pick<TraceRow, "name" | "relation" | "legacyMs" | "candidateMs">[];
}

/**
 * Writes judgements. Of two judgements of one trial the first counts, the other leaves no trace.
 *
 * @param alongside ends the trials' jobs in the same transaction.
 */
export function settle(
  db: Database,
  judged: readonly JudgedTrial[],
  alongside?: (query: Query) => Promise<void>,
): Promise<number> {
  if (judged.length === 0) return Promise.resolve(0);
  return db.transaction(async (query) => {
    await alongside?.(query);
    const won = new Set(await closeTrials(query, judged));
    const kept = judged.filter((trial) => won.has(trial.id));
    await insertJudgedRuns(query, kept);
    await insertDivergences(query, kept);
    await insertDifferences(query, kept);
    await noteLegacyTools(query, kept);
    await noteCoverage(query, kept);
    return kept.length;
  });
}

async function closeTrials(query: Query, judged: readonly JudgedTrial[]): Promise<string[]> {
  const rows = judged.map((trial) => ({
    ...judgementColumns(trial),
    flow_hash: trial.flowHash,
    contract_violations: trial.contractViolations,
    ...usageColumns(trial.usage),
    legacy_ms: durationOf(trial, "legacy"),
    candidate_ms: durationOf(trial, "candidate"),
  }));
  const closed = await query<{ id: string }>(
    `update twintrack.trials t set verdict = j.verdict, reason = j.reason, noise_verdict = j.noise_verdict,
       flow_hash = j.flow_hash, truncated = j.truncated, effect_differences = j.effect_differences,
       contract_violations = j.contract_violations, trace = decode(j.trace, 'base64'), trace_verdict = j.trace_verdict,
       first_divergent_step = j.first_divergent_step, steps = j.steps,
       rules = j.rules, legacy_tokens = j.legacy_tokens, candidate_tokens = j.candidate_tokens,
       legacy_usd = j.legacy_usd, candidate_usd = j.candidate_usd, spent_usd = j.spent_usd, models = j.models,
       legacy_ms = coalesce(j.legacy_ms, t.legacy_ms), candidate_ms = coalesce(j.candidate_ms, t.candidate_ms),
       judged_at = now()
     from json_to_recordset($1::json) as j (${JUDGEMENT_TYPES}, flow_hash text, contract_violations integer,
       legacy_tokens bigint, candidate_tokens bigint, legacy_usd numeric, candidate_usd numeric, spent_usd numeric,
       models jsonb, legacy_ms double precision, candidate_ms double precision)
     where t.id = j.id and t.verdict is null returning t.id`,
    [jsonRows(rows)],
  );
  return closed.map((row) => row.id);
}

/** What a later judgement replaces, as columns of {@link JUDGEMENT_TYPES}. */
export function judgementColumns(trial: RunsJudgement & { id: string }): object {
  const { id, verdict, reason, noiseVerdict, truncated, effectDifferences, trace, rules } = trial;
  return {
    id,
    verdict,
    reason,
    noise_verdict: noiseVerdict,
    truncated,
    effect_differences: effectDifferences,
    trace: trace === null ? null : Buffer.from(trace).toString("base64"),
    ...alignmentColumns(trial.alignment),
    rules,
  };
}

export const JUDGEMENT_TYPES = `id text, verdict text, reason text, noise_verdict text, truncated boolean,
  effect_differences integer, trace text, trace_verdict text, first_divergent_step text, steps jsonb, rules jsonb`;

/** Of a side that returned something, as it was run for the comparison. */
function durationOf({ runs }: JudgedTrial, side: "legacy" | "candidate"): number | null {
  const run = runs.find((one) => one.side === side && one.status === "returned");
  return run?.durationMs ?? null;
}

function alignmentColumns(alignment: Alignment | null): object {
  if (!alignment) return {};
  const { firstDivergent, steps } = alignment;
  const verdict = firstDivergent === null ? "same" : "different";
  return { trace_verdict: verdict, first_divergent_step: firstDivergent, steps };
}

async function insertJudgedRuns(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const rows = judged.flatMap((trial) =>
    trial.runs.map((run) => [trial.id, run.side, run.status, run.durationMs, run.payload]),
  );
  await insertRuns(query, rows);
}

// What several writers may write, here and below, is written in one order by all: two transactions never
// wait for each other's rows in a circle.
export async function insertDivergences(
  query: Query,
  judged: readonly Pick<JudgedTrial, "flow" | "divergences">[],
): Promise<void> {
  const unique = new Map<string, object>();
  for (const { flow, divergences } of judged) {
    for (const { fingerprint, title, kind, path } of divergences)
      unique.set(`${flow} ${fingerprint}`, { flow, fingerprint, title, kind, path });
  }
  if (unique.size === 0) return;
  await query(
    `insert into twintrack.divergences (flow, fingerprint, title, kind, path)
     select * from json_to_recordset($1::json) as d (flow text, fingerprint text, title text, kind text, path text)
     order by flow, fingerprint on conflict do nothing`,
    [jsonRows([...unique.values()])],
  );
}

async function noteLegacyTools(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const rows = judged.flatMap(({ flow, legacyTools }) =>
    legacyTools.map((tool) => ({ flow, tool })),
  );
  if (rows.length === 0) return;
  await query(
    `insert into twintrack.legacy_tools (flow, tool)
     select distinct * from json_to_recordset($1::json) as t (flow text, tool text) order by flow, tool
     on conflict (flow, tool) do update set last_seen = now()`,
    [jsonRows(rows)],
  );
}

async function noteCoverage(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const counts = new Map<
    string,
    { flow: string; flow_hash: string; mark: string; trials: number }
  >();
  for (const { flow, flowHash, coverage = [] } of judged) {
    if (flowHash === null) continue;
    for (const { mark, seen } of coverage) {
      const key = `${flow} ${flowHash} ${mark}`;
      const count = counts.get(key) ?? { flow, flow_hash: flowHash, mark, trials: 0 };
      counts.set(key, { ...count, trials: count.trials + (seen ? 1 : 0) });
    }
  }
  if (counts.size === 0) return;
  await query(
    `insert into twintrack.coverage as known (flow, flow_hash, mark, trials)
     select flow, flow_hash, mark, sum(trials)
     from json_to_recordset($1::json) as c (flow text, flow_hash text, mark text, trials integer)
     group by 1, 2, 3 order by 1, 2, 3
     on conflict (flow, flow_hash, mark) do update set trials = known.trials + excluded.trials`,
    [jsonRows([...counts.values()])],
  );
}

export async function insertDifferences(
  query: Query,
  judged: readonly Pick<JudgedTrial, "id" | "flow" | "differences">[],
): Promise<void> {
  const rows = judged.flatMap(({ id, flow, differences }) =>
    differences.map(({ compared, fingerprint, difference, rule }, ordinal) => ({
      ...{ trial_id: id, compared, ordinal, flow, fingerprint, difference, rule },
      ...splitKeys(difference),
    })),
  );
  if (rows.length === 0) return;
  await query(
    `insert into twintrack.differences (trial_id, compared, ordinal, flow, fingerprint, difference, rule, place, message,
       received_at, stage, verdict, noise_verdict, models)
     select d.*, t.received_at, t.stage, t.verdict, t.noise_verdict, t.models
     from json_to_recordset($1::json) as d (trial_id text, compared text, ordinal integer, flow text, fingerprint text,
       difference text, rule text, place text, message text)
       join twintrack.trials t on t.id = d.trial_id on conflict do nothing`,
    [jsonRows(rows)],
  );
}

/** Exact path, and of an error what it says: what a divergence may be split by. */
function splitKeys(text: string): { place: string; message: string | null } {
  const { path, legacy, candidate } = JSON.parse(text) as Difference;
  return { place: path, message: messageIn(candidate) ?? messageIn(legacy) };

  function messageIn(side: JsonValue | undefined): string | null {
    if (path === "/error/message" && typeof side === "string") return side;
    return isJsonObject(side) && typeof side.message === "string" ? side.message : null;
  }
}
