/** Judged trials and how they are written: in batches, each trial once. */
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import type { RulesUse } from "../compare/coverage.ts";
import type { Difference } from "../compare/difference.ts";
import type { TraceRow } from "../compare/trace.ts";
import type { CoverageMark } from "../coverage.ts";
import { type Database, type Query, valuesList } from "./database.ts";
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
  const rows = judged.map((trial) => [
    trial.id,
    trial.verdict,
    trial.reason === null ? null : storable(trial.reason),
    trial.noiseVerdict,
    trial.flowHash,
    trial.truncated,
    trial.effectDifferences,
    trial.contractViolations,
    trial.trace,
    ...alignmentColumns(trial.alignment),
    rulesColumn(trial.rules),
    ...usageColumns(trial.usage),
    durationOf(trial, "legacy"),
    durationOf(trial, "candidate"),
  ]);
  const casts = [
    "",
    "",
    "",
    "",
    "",
    "::boolean",
    "::integer",
    "::integer",
    "::bytea",
    "",
    "",
    "::jsonb",
    "::jsonb",
    "::bigint",
    "::bigint",
    "::numeric",
    "::numeric",
    "::numeric",
    "::jsonb",
    "::double precision",
    "::double precision",
  ];
  const closed = await query<{ id: string }>(
    `update twintrack.trials t set verdict = j.verdict, reason = j.reason, noise_verdict = j.noise_verdict,
       flow_hash = j.flow_hash, truncated = j.truncated, effect_differences = j.effect_differences,
       contract_violations = j.contract_violations, trace = j.trace, trace_verdict = j.trace_verdict,
       first_divergent_step = j.first_divergent_step, steps = j.steps,
       rules = j.rules, legacy_tokens = j.legacy_tokens, candidate_tokens = j.candidate_tokens,
       legacy_usd = j.legacy_usd, candidate_usd = j.candidate_usd, spent_usd = j.spent_usd, models = j.models,
       legacy_ms = coalesce(j.legacy_ms, t.legacy_ms), candidate_ms = coalesce(j.candidate_ms, t.candidate_ms),
       judged_at = now()
     from (values ${valuesList(rows.length, casts.length, casts)})
       as j (id, verdict, reason, noise_verdict, flow_hash, truncated, effect_differences, contract_violations, trace,
         trace_verdict, first_divergent_step, steps, rules, legacy_tokens, candidate_tokens, legacy_usd, candidate_usd,
         spent_usd, models, legacy_ms, candidate_ms)
     where t.id = j.id and t.verdict is null returning t.id`,
    rows.flat(),
  );
  return closed.map((row) => row.id);
}

/** Of a side that returned something, as it was run for the comparison. */
function durationOf({ runs }: JudgedTrial, side: "legacy" | "candidate"): number | null {
  const run = runs.find((one) => one.side === side && one.status === "returned");
  return run?.durationMs ?? null;
}

/** Verdict on the trace, first divergent step, and steps as JSON text. */
export function alignmentColumns(alignment: Alignment | null): (string | null)[] {
  if (!alignment) return [null, null, null];
  const { firstDivergent, steps } = alignment;
  const named = steps.map((step) => ({ ...step, name: storable(step.name) }));
  return firstDivergent === null
    ? ["same", null, JSON.stringify(named)]
    : ["different", storable(firstDivergent), JSON.stringify(named)];
}

/** JSON text; null without rules. */
export function rulesColumn(use: RulesUse | null): string | null {
  if (!use) return null;
  const rules = use.rules.map((rule) => ({ ...rule, path: storable(rule.path) }));
  return JSON.stringify({ ...use, rules });
}

/** Postgres keeps no NUL and no half of a surrogate pair in a text; payloads are bytes and keep both. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

async function insertJudgedRuns(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const rows = judged.flatMap((trial) =>
    trial.runs.map((run) => [trial.id, run.side, run.status, run.durationMs, run.payload]),
  );
  for (const batch of batches(rows)) await insertRuns(query, batch);
}

export async function insertDivergences(
  query: Query,
  judged: readonly Pick<JudgedTrial, "flow" | "divergences">[],
): Promise<void> {
  const unique = new Map<string, unknown[]>();
  for (const { flow, divergences } of judged) {
    for (const { fingerprint, title, kind, path } of divergences) {
      unique.set(`${flow} ${fingerprint}`, [
        flow,
        fingerprint,
        storable(title),
        kind,
        storable(path),
      ]);
    }
  }
  // One order for all writers: two transactions never wait for each other's rows in a circle.
  const rows = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  for (const batch of batches(rows)) {
    await query(
      `insert into twintrack.divergences (flow, fingerprint, title, kind, path)
       values ${valuesList(batch.length, 5)} on conflict do nothing`,
      batch.flat(),
    );
  }
}

async function noteLegacyTools(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const pairs = new Set(
    judged.flatMap((trial) => trial.legacyTools.map((tool) => `${trial.flow}\n${tool}`)),
  );
  const rows = [...pairs].sort().map((pair) => pair.split("\n"));
  for (const batch of batches(rows)) {
    await query(
      `insert into twintrack.legacy_tools (flow, tool) values ${valuesList(batch.length, 2)}
       on conflict (flow, tool) do update set last_seen = now()`,
      batch.flat(),
    );
  }
}

async function noteCoverage(query: Query, judged: readonly JudgedTrial[]): Promise<void> {
  const counts = new Map<string, [string, string, string, number]>();
  for (const { flow, flowHash, coverage = [] } of judged) {
    if (flowHash === null) continue;
    for (const { mark, seen } of coverage) {
      const name = storable(mark);
      const key = `${flow} ${flowHash} ${name}`;
      const [, , , before] = counts.get(key) ?? [flow, flowHash, name, 0];
      counts.set(key, [flow, flowHash, name, before + (seen ? 1 : 0)]);
    }
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  for (const batch of batches(rows)) {
    await query(
      `insert into twintrack.coverage as known (flow, flow_hash, mark, trials)
       values ${valuesList(batch.length, 4, ["", "", "", "::bigint"])}
       on conflict (flow, flow_hash, mark) do update set trials = known.trials + excluded.trials`,
      batch.flat(),
    );
  }
}

export async function insertDifferences(
  query: Query,
  judged: readonly Pick<JudgedTrial, "id" | "flow" | "differences">[],
): Promise<void> {
  const rows = judged.flatMap((trial) =>
    trial.differences.map((difference, ordinal) => [
      trial.id,
      difference.compared,
      ordinal,
      trial.flow,
      difference.fingerprint,
      difference.difference,
      difference.rule,
      ...splitKeys(difference.difference),
    ]),
  );
  for (const batch of batches(rows)) {
    await query(
      `insert into twintrack.differences (trial_id, compared, ordinal, flow, fingerprint, difference, rule, place, message,
         received_at, stage, verdict, noise_verdict, models)
       select d.*, t.received_at, t.stage, t.verdict, t.noise_verdict, t.models
       from (values ${valuesList(batch.length, 9, ["", "", "::integer"])}) as d (trial_id)
         join twintrack.trials t on t.id = d.trial_id on conflict do nothing`,
      batch.flat(),
    );
  }
}

/** Exact path, and of an error what it says: what a divergence may be split by. */
function splitKeys(text: string): [place: string, message: string | null] {
  const { path, legacy, candidate } = JSON.parse(text) as Difference;
  const message = messageIn(candidate) ?? messageIn(legacy);
  return [storable(path), message === null ? null : storable(message)];

  function messageIn(side: JsonValue | undefined): string | null {
    if (path === "/error/message" && typeof side === "string") return side;
    return isJsonObject(side) && typeof side.message === "string" ? side.message : null;
  }
}

/** About 100 rows a statement: measured best on Postgres, and short enough for PGlite's one thread. */
const BATCH_ROWS = 100;

function batches(rows: readonly unknown[][]): unknown[][][] {
  const count = Math.ceil(rows.length / BATCH_ROWS);
  return Array.from({ length: count }, (_, index) =>
    rows.slice(index * BATCH_ROWS, (index + 1) * BATCH_ROWS),
  );
}
