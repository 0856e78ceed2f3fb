/** What the runs of one trigger come to, in the form in which it is stored. */
import type { RunEvent } from "../core/history.ts";
import type { ToolCall } from "../core/ledger.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import { agentAnswer } from "./compare/agent.ts";
import { type RulesUse, rulesUse } from "./compare/coverage.ts";
import { type Difference, isUnexplained } from "./compare/difference.ts";
import { fingerprintOf, groupDifferences } from "./compare/fingerprint.ts";
import { candidateFailed, type Judgement, judge } from "./compare/judge.ts";
import type { CompiledRule } from "./compare/rules.ts";
import { alignTraces, firstDivergence } from "./compare/trace.ts";
import type { Extractor, FlowConfig } from "./flow-config.ts";
import type { Mask } from "./privacy/mask.ts";
import { showsCalls } from "./source.ts";
import type { Alignment, JudgedTrial } from "./store/judgements.ts";

/** By what the runs of one flow are judged. */
export interface Bar {
  flow: string;
  config: FlowConfig;
  rules: readonly CompiledRule[];
  /** What is compared is raw; what is kept of it in words is masked. */
  mask: Mask;
}

/** What of a run is compared. */
export interface ComparedRun {
  outcome: Outcome;
  calls: ToolCall[];
  /** Of a typed flow. */
  history?: RunEvent[] | undefined;
  incomparable?: Incomparable | undefined;
}

/** Why a run says nothing of its side (it could not have what the other had), or its answer cannot be told. */
export interface Incomparable {
  what: "run" | "answer";
  reason: string;
}

export interface Runs {
  legacy: ComparedRun;
  candidate: ComparedRun;
  /** Legacy a second time. */
  noise: ComparedRun | undefined;
}

/** The part of a judged trial that follows from its runs and from the bar alone. */
export type RunsJudgement = Pick<
  JudgedTrial,
  | "flow"
  | "verdict"
  | "reason"
  | "noiseVerdict"
  | "truncated"
  | "effectDifferences"
  | "trace"
  | "alignment"
  | "rules"
  | "differences"
  | "divergences"
>;

export function judgeRuns(bar: Bar, runs: Runs): RunsJudgement {
  const { legacy, candidate, noise } = runs;
  const verdict = judgeSides(bar, legacy, candidate);
  const noiseVerdict = noise ? judgePair(bar, legacy, noise, "noise") : undefined;
  const stored = [
    row("candidate", bar, verdict),
    ...(noiseVerdict ? [row("noise", bar, noiseVerdict)] : []),
  ];
  const alignment = alignmentOf(bar, runs);
  const differ =
    (alignment !== null && alignment.firstDivergent !== null) ||
    stored.some(({ differences }) => differences.length > 0);
  return {
    alignment,
    rules: usedRules(bar, legacy, verdict),
    flow: bar.flow,
    verdict: verdict.verdict,
    reason: verdict.reason ?? null,
    noiseVerdict: noiseVerdict?.verdict ?? null,
    truncated: verdict.truncated,
    effectDifferences: verdict.differences.filter(
      (difference) => isUnexplained(difference) && difference.kind === "effect",
    ).length,
    trace: differ ? traceOf(runs) : null,
    differences: stored.flatMap((part) => part.differences),
    divergences: stored.flatMap((part) => part.divergences),
  };
}

/**
 * Of a run that says nothing, neither answer nor writes are compared. A candidate that has answered
 * and failed has failed all the same.
 */
function judgeSides(bar: Bar, legacy: ComparedRun, candidate: ComparedRun): Judgement {
  const incomparable = legacy.incomparable ?? candidate.incomparable;
  if (incomparable?.what !== "run") {
    const judgement = judgePair(bar, legacy, candidate, "candidate");
    return incomparable
      ? { ...judgement, verdict: "incomparable", reason: incomparable.reason }
      : judgement;
  }
  const { reason } = incomparable;
  if (legacy.incomparable && candidate.outcome.status !== "returned")
    return { ...candidateFailed(candidate.outcome), reason };
  return { verdict: "incomparable", reason, differences: [], truncated: false };
}

function usedRules(
  { config, rules }: Bar,
  legacy: ComparedRun,
  verdict: Judgement,
): RulesUse | null {
  const outcome = extracted(legacy.outcome, config.extract?.legacy);
  const answer = outcome.status === "returned" ? outcome.value : undefined;
  return rulesUse(answer, verdict.differences, rules);
}

/** Apart from the verdict: an equal answer may come about in another way. */
function alignmentOf({ config }: Bar, { legacy, candidate }: Runs): Alignment | null {
  const isLost = [legacy, candidate].some(({ incomparable }) => incomparable?.what === "run");
  if (isLost || !showsCalls(config.legacy)) return null;
  const rows = alignTraces(legacy, candidate);
  const first = firstDivergence(rows);
  return {
    firstDivergent: first === null ? null : (rows[first]?.name ?? null),
    steps: rows.map(({ name, relation, legacyMs, candidateMs }) => ({
      ...{ name, relation, legacyMs, candidateMs },
    })),
  };
}

function judgePair(
  { config, rules }: Bar,
  legacy: ComparedRun,
  other: ComparedRun,
  kind: "candidate" | "noise",
): Judgement {
  const { extract } = config;
  const otherExtract = kind === "noise" ? extract?.legacy : extract?.candidate;
  return judge({
    legacy: extracted(legacy.outcome, extract?.legacy),
    candidate: extracted(other.outcome, otherExtract),
    legacyCalls: legacy.calls,
    candidateCalls: other.calls,
    rules,
    engine: config.compare?.engine,
  });
}

/** A failing extractor is a failure of its side: it must not make two answers look equal. */
function extracted(outcome: Outcome, extract: Extractor | undefined): Outcome {
  if (extract === "agent") return agentAnswer(outcome);
  if (!extract || outcome.status !== "returned") return outcome;
  try {
    return { status: "returned", value: extract(outcome.value) };
  } catch (thrown) {
    return { status: "threw", error: { ...serializeError(thrown), name: "ExtractError" } };
  }
}

/** The calls that a report shows, and that a later judgement needs. */
function traceOf({ legacy, candidate, noise }: Runs): Uint8Array {
  const calls = { legacy: legacy.calls, candidate: candidate.calls, noise: noise?.calls };
  return Buffer.from(JSON.stringify(calls));
}

/** Of one divergence in one trial: enough to look at, and a rewritten list does not fill the store. */
const MAX_STORED = 20;
/** What rules explain is counted whole and shown by example. */
const MAX_EXPLAINED_STORED = 3;

type Stored = Pick<JudgedTrial, "differences" | "divergences">;

function row(compared: "candidate" | "noise", { flow, mask }: Bar, judgement: Judgement): Stored {
  const masked = judgement.differences.map(mask.difference);
  const groups = groupDifferences(flow, masked);
  const shown = [
    ...groups.flatMap(({ differences }) => differences.slice(0, MAX_STORED)),
    ...explainedExamples(masked),
  ];
  return {
    differences: shown.map((difference) => ({
      compared,
      fingerprint: fingerprintOf(flow, difference),
      difference: JSON.stringify(difference),
      rule: difference.rule ?? null,
    })),
    divergences: groups.map(({ fingerprint, title, kind, path }) => ({
      fingerprint,
      title,
      kind,
      path,
    })),
  };
}

function explainedExamples(differences: readonly Difference[]): Difference[] {
  const explained = differences.filter((difference) => !isUnexplained(difference));
  const byRule = Map.groupBy(explained, ({ rule }) => rule);
  return [...byRule.values()].flatMap((members) => members.slice(0, MAX_EXPLAINED_STORED));
}
