/** How numbers and states are said, the same in terminal, Markdown and HTML. */
import { gist } from "../cause.ts";
import type { Reason } from "../gate.ts";
import type { ModelCluster } from "../model-version.ts";
import { percent } from "./percent.ts";
import type { Books, Divergence, FlowReport } from "./report.ts";
import { NEWEST_TRIALS, type TraceSummary } from "./rows.ts";

const CRITERION_TITLES: Record<string, string> = {
  min_trials: "Enough trials",
  min_days: "Enough days",
  mismatch_rate: "Mismatch rate, at most",
  noise: "More than noise, at most",
  error_rate: "Candidate error rate, at most",
  effect_differences: "Trials with other writes",
  contract_violations: "Contract violations",
  open_bugs: "Open candidate bugs",
  p95_ratio: "p95 latency, candidate / legacy",
  cost_ratio: "Cost, candidate / legacy",
  not_run_rate: "Answers never compared",
  drop_bias: "Chance that drops are unbiased",
  input_coverage: "Input and flow seen",
  model_version: "Changes of model versions",
};

export function criterionTitle(criterion: string): string {
  return CRITERION_TITLES[criterion] ?? criterion;
}

const RATES = ["mismatch_rate", "noise", "error_rate", "not_run_rate", "input_coverage"];
const RATIOS = ["p95_ratio", "cost_ratio"];

/** An observed value or limit in its own unit; an em dash where there is none. */
export function quantity(criterion: string, value: number | null): string {
  if (value === null) return "—";
  if (RATES.includes(criterion)) return value < 0 ? `−${percent(-value)}` : percent(value);
  if (RATIOS.includes(criterion)) return `${Number(value.toPrecision(3))} ×`;
  return number(value);
}

export const STATUS_GLYPH: Record<Reason["status"], string> = {
  pass: "✓",
  fail: "✗",
  undecided: "?",
};

const OPEN_WORDS: Record<FlowReport["stage"], string> = {
  legacy: "safe to cut over",
  shadow: "safe to cut over",
  canary: "safe to go on",
  cutover: "cut over, and still safe",
  retired: "legacy is retired",
};

export function decisionText({ gate, stage }: Pick<FlowReport, "gate" | "stage">): string {
  const failing = gate.reasons.filter((reason) => reason.status === "fail").length;
  const waiting = gate.reasons.filter((reason) => reason.status === "undecided").length;
  switch (gate.decision) {
    case "open":
      return `Gate open: ${OPEN_WORDS[stage]}`;
    case "closed":
      return `Gate closed: ${plural(failing, "criterion fails", "criteria fail")}`;
    case "undecided":
      return `Gate undecided: ${plural(waiting, "criterion needs", "criteria need")} more evidence`;
    default:
      return gate.decision satisfies never;
  }
}

export function matchText(flow: Pick<FlowReport, "matchRate" | "verdicts" | "notRun">): string {
  const { matchRate: rate } = flow;
  if (!rate) return nothingCompared(flow);
  return `${percent(rate.rate)} match (95 % interval ${percent(rate.lower)}–${percent(rate.upper)}, n = ${number(rate.n)})`;
}

/** Trials that came to nothing are no reason to wait for more of them. */
export function nothingCompared({
  verdicts,
  notRun,
}: Pick<FlowReport, "verdicts" | "notRun">): string {
  const [incomparable, left] = [verdicts.incomparable ?? 0, total(notRun)];
  if (incomparable + left === 0) return "no trials yet";
  const of = [[incomparable, "incomparable"] as const, [left, "not run"] as const];
  const told = of.flatMap(([count, word]) => (count === 0 ? [] : [`${number(count)} ${word}`]));
  return `nothing could be compared: ${told.join(", ")}`;
}

const LONGEST_CAUSE = 300;

/** "6 × incomparable: …", of every cause. */
export function causeText(cause: FlowReport["causes"][number]): string {
  return `${number(cause.trials)} × ${cause.verdict.replaceAll("_", " ")}: ${gist(cause, LONGEST_CAUSE)}`;
}

export function stageText(flow: FlowReport): string {
  return flow.canaryPercent === undefined ? flow.stage : `${flow.stage} ${flow.canaryPercent} %`;
}

const DECISION_WORDS = {
  candidate_bug: "candidate bug",
  intended: "intended change",
  noise: "noise",
  legacy_bug: "legacy bug",
  unsure: "unsure",
};

export function decisionLabel({ decision }: Divergence): string {
  if (!decision) return "not decided";
  const word = DECISION_WORDS[decision.decision];
  return decision.expired ? `${word}, expired` : word;
}

export function noiseText({ noiseRate }: Divergence): string {
  if (!noiseRate) return "not measured";
  return `${percent(noiseRate.rate)} (${percent(noiseRate.lower)}–${percent(noiseRate.upper)})`;
}

/** "38 of 40 with it": how a divergence comes with a model version. */
export function clusterText(cluster: ModelCluster): string {
  const { answered, by, trials, otherTrials, of, others, since } = cluster;
  const shown = trials + otherTrials;
  return (
    `${number(trials)} of ${number(shown)} came with ${answered} (${by.join(" and ")}, since ${since.slice(0, 10)}): ` +
    `${percent(trials / of)} of ${number(of)} trials with it, ${percent(otherTrials / others)} of ${number(others)} without.`
  );
}

export function booksText(books: Books): string {
  const verdicts = total(books.verdicts);
  const notRun = total(books.notRun);
  return (
    `${number(books.answered)} answered = ${number(verdicts)} judged + ${number(books.open)} open` +
    ` + ${number(notRun)} not run${books.gaps > 0 ? ` + ${number(books.gaps)} unaccounted for` : ""}`
  );
}

export function total(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

export function latencyText({ latencyMs: { legacy, candidate } }: FlowReport): string {
  const side = (of: { p50: number; p95: number } | null) =>
    of ? `${milliseconds(of.p50)} / ${milliseconds(of.p95)}` : "—";
  return `${side(legacy)} → ${side(candidate)}`;
}

/** Null when no side asks models. */
export function usageText({ tokens, costUsd, spentUsd = 0 }: FlowReport): string | null {
  if (!tokens) return null;
  const asked = `model tokens legacy → candidate: ${number(tokens.legacy)} → ${number(tokens.candidate)}`;
  if (!costUsd) return `${asked}; without prices no cost`;
  const cost = `${money(costUsd.legacy)} → ${money(costUsd.candidate)}`;
  return `${asked}; cost ${cost}, and ${money(spentUsd)} for comparing`;
}

export function money(usd: number): string {
  return `$${number(Number(usd.toPrecision(3)))}`;
}

/** Null when the calls of a side cannot be seen. */
export function traceText({ trace }: Pick<FlowReport, "trace">): string | null {
  if (!trace) return null;
  const { trials, different, yetEqual, firstDivergent } = trace;
  if (different === 0) return `same steps in all ${plural(trials, "trial", "trials")}`;
  const [first] = firstDivergent;
  const where = first
    ? `, mostly from ${first.step} on (${number(first.trials)}${ofNewest(trials)})`
    : "";
  return `other steps in ${number(different)} of ${plural(trials, "trial", "trials")}${where}; ${number(yetEqual)} with an equal answer`;
}

/** What is told of the newest trials only says so. */
function ofNewest(trials: number): string {
  return trials > NEWEST_TRIALS ? ` of the newest ${number(NEWEST_TRIALS)}` : "";
}

/** Steps as rows of texts: name, trials, differing trials, p50 / p95 of legacy and of candidate. */
export function stepCells({ steps }: TraceSummary): string[][] {
  const side = (of: { p50: number; p95: number } | null) =>
    of ? `${milliseconds(of.p50)} / ${milliseconds(of.p95)}` : "—";
  return steps.map((step) => [
    step.name,
    number(step.trials),
    number(step.different),
    side(step.legacyMs),
    side(step.candidateMs),
  ]);
}

export const STEP_TITLES = ["Step", "Trials", "Differ", "Legacy p50 / p95", "Candidate p50 / p95"];

/** Null when no rule explained or hid anything. */
export function rulesText({
  rules,
  answered,
}: Pick<FlowReport, "rules" | "answered">): string | null {
  if (rules.length === 0) return null;
  const told = rules.map(
    ({ path, explained, trials, hidden }) =>
      `${path} ${plural(explained, "difference", "differences")} in ${plural(trials, "trial", "trials")}${ofNewest(answered)}` +
      (hidden > 0 ? `, hides ${percent(hidden)} of the answers` : ""),
  );
  return told.join("; ");
}

function milliseconds(value: number): string {
  return value >= 10_000
    ? `${number(Math.round(value / 100) / 10)} s`
    : `${number(Math.round(value))} ms`;
}

/** Thousands in groups, independent of the machine's language. */
export function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

export function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
