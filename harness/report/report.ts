/**
 * The report as one JSON value; terminal, Markdown, HTML and the web page all print this one.
 */
import type { JsonValue } from "../../core/json.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Stage } from "../../core/trigger.ts";
import { type Cause, remedyOf } from "../cause.ts";
import type { Difference, DifferenceKind, Verdict } from "../compare/difference.ts";
import type { NoiseRate } from "../compare/noise.ts";
import type { TraceRow } from "../compare/trace.ts";
import { evaluateGate, type GateResult } from "../gate.ts";
import { changesOf, changeText, type ModelCluster } from "../model-version.ts";
import { lowerBound, upperBound } from "../statistics.ts";
import { reportDivergence } from "./divergence.ts";
import { addCounts, evidenceOf, judgedTrials, matchedTrials, notesOf, sum } from "./evidence.ts";
import { percent } from "./percent.ts";
import type { Decision, FlowRow, Percentiles, ReportRows, RuleRow, TraceSummary } from "./rows.ts";

export interface Report {
  schema: "twintrack/report@1";
  /** ISO 8601. */
  generatedAt: string;
  books: Books;
  /** Ready first, then by how many criteria block them. */
  flows: FlowReport[];
}

/** Answered triggers and what became of them; a gap is an alarm. */
export interface Books {
  answered: number;
  verdicts: Partial<Record<Verdict, number>>;
  open: number;
  notRun: Record<string, number>;
  /** Answered triggers that are neither judged, open nor counted as not run, plus lost records. */
  gaps: number;
}

/** A rate in [0, 1] with its exact two-sided 95 % interval. */
export interface Rate {
  rate: number;
  lower: number;
  upper: number;
  n: number;
}

export interface FlowReport {
  name: string;
  language: FlowRow["language"];
  stage: Stage;
  canaryPercent?: number;
  /** Judged trials: all but `not_run` and `incomparable`. */
  trials: number;
  verdicts: Partial<Record<Verdict, number>>;
  notRun: Record<string, number>;
  /** Why trials were not compared, or only the candidate failed; the most frequent first. */
  causes: (Cause & { remedy?: string })[];
  answered: number;
  days: number;
  sinceAt: string | null;
  /** Trials whose sides agree, or whose differences rules or decisions explain; null without trials. */
  matchRate: Rate | null;
  noise: { trials: number; mismatches: number; rate: NoiseRate | null };
  gate: GateResult;
  latencyMs: { legacy: Percentiles | null; candidate: Percentiles | null };
  trace: TraceSummary | null;
  rules: readonly RuleRow[];
  /** In words: what makes the numbers above worth less than they look. */
  alarms: string[];
  /** In words: what no number above looks at. */
  notes: string[];
  costUsd?: { legacy: number; candidate: number };
  tokens?: { legacy: number; candidate: number };
  spentUsd?: number;
  /** Blocking ones first, then the most frequent. */
  divergences: Divergence[];
  /** In words, one sentence per criterion that does not pass. */
  blockedBy: string[];
}

export interface Divergence {
  fingerprint: string;
  title: string;
  kind: DifferenceKind;
  path: string;
  /** Why its differences belong together, in words. */
  whyGrouped: string;
  /** Trials that show it. */
  count: number;
  /** Of the flow's trials with any divergence, in [0, 1]. */
  share: number;
  /** How often legacy shows it against itself; null when noise was not measured. */
  noiseRate: NoiseRate | null;
  firstAt: string;
  lastAt: string;
  decision?: Decision & { expired: boolean };
  /** The model version that it comes with, where it surely does. */
  model?: ModelCluster;
  blocking: boolean;
  explanation: string;
  samples: Sample[];
}

export interface Sample {
  triggerId: string;
  input: JsonValue;
  /** LangChain's run configuration of the trigger. */
  config?: JsonValue;
  /** The difference this sample stands for. */
  path: string;
  legacy?: JsonValue;
  candidate?: JsonValue;
  legacyOutput: Outcome;
  candidateOutput: Outcome;
  differences: Difference[];
  trace: TraceRow[];
  /** Index into `trace`; null when both sides took the same steps. */
  firstDivergence: number | null;
}

export function buildReport(rows: ReportRows, generatedAt: string): Report {
  const flows = rows.flows.map((flow) => reportFlow(flow, rows, generatedAt)).sort(byReadiness);
  return { schema: "twintrack/report@1", generatedAt, books: balance(rows), flows };
}

function balance({ flows, lost }: ReportRows): Books {
  const answered = flows.reduce((total, flow) => total + flow.answered, 0);
  const open = flows.reduce((total, flow) => total + flow.open, 0);
  const verdicts = addCounts(flows.map((flow) => flow.verdicts));
  const notRun = addCounts(flows.map((flow) => flow.notRun));
  // Per flow, because a flow with too many verdicts must not hide one with too few.
  const gaps = flows.map((flow) =>
    Math.abs(flow.answered - flow.open - sum(flow.verdicts) - sum(flow.notRun)),
  );
  return { answered, verdicts, open, notRun, gaps: lost + gaps.reduce((a, b) => a + b, 0) };
}

function reportFlow(flow: FlowRow, rows: ReportRows, now: string): FlowReport {
  const divergences = rows.divergences.filter((row) => row.flow === flow.name);
  const gate = evaluateGate(evidenceOf(flow, divergences, now), flow.policy);
  const { name, language, stage, answered, days, sinceAt, verdicts, latencyMs } = flow;
  const { notRun, trace, rules, causes = [] } = flow;
  return {
    ...{ name, language, stage, answered, days, sinceAt, verdicts, latencyMs },
    ...{ notRun, trace, rules, gate },
    causes: causes.map(withRemedy),
    alarms: alarmsOf(flow),
    notes: notesOf(flow),
    ...(flow.canaryPercent === undefined ? {} : { canaryPercent: flow.canaryPercent }),
    ...(flow.costUsd && { costUsd: flow.costUsd }),
    ...(flow.tokens && { tokens: flow.tokens, spentUsd: flow.spentUsd ?? 0 }),
    trials: judgedTrials(flow),
    matchRate: rateOf(matchedTrials(flow), judgedTrials(flow)),
    noise: { ...flow.noise, rate: rateOf(flow.noise.mismatches, flow.noise.trials) },
    divergences: divergences
      .map((row) => reportDivergence(row, flow, rows.samples, now))
      .sort(byWeight),
    blockedBy: blockers(gate),
  };
}

function withRemedy(cause: Cause): Cause & { remedy?: string } {
  const remedy = remedyOf(cause);
  return remedy === undefined ? cause : { ...cause, remedy };
}

/** Of all leaves; above it a match says little. */
const MOST_HIDDEN = 0.5;

function alarmsOf(flow: FlowRow): string[] {
  const changes = flow.models ? changesOf(flow.models) : [];
  return [
    ...hidingRules(flow),
    ...changes.map((change) => `A model changed while trials were counted. ${changeText(change)}.`),
  ];
}

function hidingRules({ rules }: FlowRow): string[] {
  const hidden = rules.reduce((total, rule) => total + rule.hidden, 0);
  if (hidden <= MOST_HIDDEN) return [];
  const widest = [...rules].sort((a, b) => b.hidden - a.hidden)[0]?.path ?? "";
  return [
    `Rules hide ${percent(hidden)} of what legacy answers, most of it ${widest}; a match says little. Narrow its path.`,
  ];
}

/** @returns null without trials: nothing measured is not 0 %. */
function rateOf(events: number, n: number): Rate | null {
  if (n <= 0) return null;
  return {
    rate: events / n,
    lower: lowerBound(events, n, 0.975),
    upper: upperBound(events, n, 0.975),
    n,
  };
}

function blockers(gate: GateResult): string[] {
  return gate.reasons
    .filter((reason) => reason.status !== "pass")
    .map((reason) => `${reason.criterion}: ${reason.detail}`);
}

const DECISION_ORDER = { open: 0, undecided: 1, closed: 2 };

function byReadiness(left: FlowReport, right: FlowReport): number {
  return (
    DECISION_ORDER[left.gate.decision] - DECISION_ORDER[right.gate.decision] ||
    left.blockedBy.length - right.blockedBy.length ||
    left.name.localeCompare(right.name, "en")
  );
}

function byWeight(left: Divergence, right: Divergence): number {
  return (
    Number(right.blocking) - Number(left.blocking) ||
    right.count - left.count ||
    left.fingerprint.localeCompare(right.fingerprint, "en")
  );
}
