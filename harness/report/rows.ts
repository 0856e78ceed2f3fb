/**
 * The rows a report is made of, aggregated by the store: never all trials in memory.
 *
 * "Counts since `sinceAt`" means trials of the flow's current pair of versions; what came before a
 * version changed is history and not evidence.
 */
import type { RunEvent } from "../../core/history.ts";
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import type { ModelVersion } from "../../core/model.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Stage } from "../../core/trigger.ts";
import type { Cause } from "../cause.ts";
import type { Difference, DifferenceKind, Verdict } from "../compare/difference.ts";
import type { Coverage } from "../coverage.ts";
import type { DropGroup } from "../drop.ts";
import type { Policy } from "../gate.ts";
import type { SeenVersion, Versions } from "../model-version.ts";
import type { Pairs } from "../paired.ts";
import type { CostPairs, P95Bounds } from "../ratio.ts";

/** Steps and rules are told of so many of the newest trials: what is older says little of today. */
export const NEWEST_TRIALS = 2_000;

/** One row per flow. */
export interface FlowRow {
  name: string;
  /** Of the legacy implementation; a service that is only tapped may have any. */
  language: "javascript" | "python" | "http" | "tapped";
  stage: Stage;
  /** Only in `canary`. */
  canaryPercent?: number;
  /** ISO 8601: first trial that counts; null when there is none. */
  sinceAt: string | null;
  /** Days from `sinceAt` to the newest trial. */
  days: number;
  /** Triggers answered since `sinceAt`. */
  answered: number;
  /** Answered triggers whose trial is not judged yet. */
  open: number;
  /** Trials per verdict since `sinceAt`, without `not_run`; verdicts that did not occur may be left out. */
  verdicts: Partial<Record<Verdict, number>>;
  /** Answered triggers that were never compared, per reason (`sampled`, `shed`, `breaker`, `paused` …). */
  notRun: Record<string, number>;
  /** Of what was not compared and of candidates that failed, the most frequent first. */
  causes?: readonly Cause[];
  /**
   * Trials with the verdict `mismatch` and at least one divergence that no valid decision
   * (`intended`, `noise`, `legacy_bug`) covers.
   */
  unexplained: number;
  /** Trials with an `effect` divergence that no valid decision covers. */
  effectDifferences: number;
  contractViolations: number;
  /** Trials of legacy against itself, and how many of them differed. */
  noise: { trials: number; mismatches: number };
  /** Trials with both comparisons; left out when there is none. */
  pairs?: Pairs;
  drops?: DropGroup[];
  /** Left out while nothing was looked at. */
  coverage?: Coverage;
  /** Over trials in which that side answered; null without one. */
  latencyMs: { legacy: Percentiles | null; candidate: Percentiles | null };
  /** Null when the calls of a side cannot be seen. */
  trace: TraceSummary | null;
  p95Bounds?: P95Bounds;
  /** What each rule took out of the comparison of the newest trials, most first. */
  rules: readonly RuleRow[];
  /** Of the same triggers; left out when nothing reports a price. */
  costUsd?: { legacy: number; candidate: number; pairs?: CostPairs };
  /** Of the model calls of both sides, whoever answered them; left out when no side asks models. */
  tokens?: { legacy: number; candidate: number };
  /** What answered the questions of both sides; left out when no side asks models. */
  models?: Versions<SeenVersion>;
  /** What comparing has cost in US dollars: model calls that no record answered. */
  spentUsd?: number;
  /** Only a part of an answer is compared: what `extract` takes of it. */
  isExtracted?: true;
  /** Gate limits from the configuration. */
  policy?: Policy;
}

/** How the answers came about, apart from whether they are equal. */
export interface TraceSummary {
  /** Trials whose calls were seen on both sides. */
  trials: number;
  /** Of them, trials with another trace; and those of these whose answer is equal nonetheless. */
  different: number;
  yetEqual: number;
  /** Where the sides part first, the most frequent first; of the newest trials. */
  firstDivergent: readonly { step: string; trials: number }[];
  /** In the order of a run. */
  steps: readonly StepRow[];
}

/** One step over the newest trials; null where a side does not have it. */
export interface StepRow {
  name: string;
  trials: number;
  /** Trials in which the sides differ in this step. */
  different: number;
  legacyMs: Percentiles | null;
  candidateMs: Percentiles | null;
}

/** One rule over the newest trials. */
export interface RuleRow {
  path: string;
  /** Trials with a difference that it explains, and how many differences these are. */
  trials: number;
  explained: number;
  /** Of all leaves of legacy's answers, the share that it ignores; in [0, 1]. */
  hidden: number;
}

export interface Percentiles {
  p50: number;
  p95: number;
}

export interface Decision {
  decision: "candidate_bug" | "intended" | "noise" | "legacy_bug" | "unsure";
  who: string;
  why: string;
  /** Who answers for it from now on. */
  owner: string;
  /** ISO 8601; null for good. */
  until: string | null;
}

/** Why the differences of a divergence stand together. */
export type Grouping =
  /** They share kind and templated path. */
  | { kind: "alike" }
  | { kind: "merged"; who: string; why: string }
  | { kind: "split"; by: "place" | "message"; who: string; why: string };

/** One row per flow and fingerprint. */
export interface DivergenceRow {
  flow: string;
  /** Of a part of a split: with `#` and a digest behind it. */
  fingerprint: string;
  /** The fingerprints that the differences themselves have; several after a merge. */
  members: readonly string[];
  grouping: Grouping;
  title: string;
  kind: DifferenceKind;
  /** Templated path. */
  path: string;
  /** Trials since `sinceAt` that show it. */
  trials: number;
  /** What answered in those trials; left out when no side asks models. */
  models?: Versions<ModelVersion & { trials: number }>;
  /** Noise trials (legacy against itself) that show the same fingerprint. */
  noiseTrials: number;
  /** ISO 8601. */
  firstAt: string;
  lastAt: string;
  /** The newest decision, also when it has expired. */
  decision?: Decision;
}

/** At most three rows per divergence; values are masked already. */
export interface SampleRow {
  flow: string;
  fingerprint: string;
  triggerId: string;
  input: JsonValue;
  /** LangChain's run configuration of the trigger. */
  config?: JsonValue;
  legacy: Outcome;
  candidate: Outcome;
  legacyCalls: readonly ToolCall[];
  candidateCalls: readonly ToolCall[];
  /** Of a typed flow: it tells which steps stand for a call of legacy. */
  candidateHistory?: readonly RunEvent[];
  /** All differences of the trial; those of this fingerprint first. */
  differences: readonly Difference[];
}

export interface ReportRows {
  flows: readonly FlowRow[];
  divergences: readonly DivergenceRow[];
  samples: readonly SampleRow[];
  /** Spool sequence numbers that never arrived: answers of which nothing is known. */
  lost: number;
}
