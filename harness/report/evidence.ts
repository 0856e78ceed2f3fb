/** What the gate is told about a flow: counted rows become evidence, the same for every command. */
import type { Verdict } from "../compare/difference.ts";
import type { Evidence } from "../criterion.ts";
import { changesOf } from "../model-version.ts";
import type { DivergenceRow, FlowRow } from "./rows.ts";

export function evidenceOf(
  flow: FlowRow,
  divergences: readonly DivergenceRow[],
  now: string,
): Evidence {
  const count = (verdict: Verdict) => flow.verdicts[verdict] ?? 0;
  const { legacy, candidate } = flow.latencyMs;
  return {
    trials: judgedTrials(flow),
    mismatches: flow.unexplained,
    // A mismatch that a person has decided to be harmless is explained like one with a rule.
    ignored: count("ignored") + Math.max(0, count("mismatch") - flow.unexplained),
    candidateErrors: count("candidate_error") + count("candidate_timeout"),
    bothFailed: count("both_failed_same") + count("both_failed_different"),
    effectDifferences: flow.effectDifferences,
    contractViolations: flow.contractViolations,
    openBugs: divergences.filter((row) => isOpenBug(row, now)).length,
    answered: flow.answered,
    notRun: sum(flow.notRun) + count("incomparable"),
    days: flow.days,
    noise: { ...flow.noise, ...(flow.pairs && { pairs: flow.pairs }) },
    ...(legacy && candidate
      ? {
          latencyMs: {
            legacyP95: legacy.p95,
            candidateP95: candidate.p95,
            ...(flow.p95Bounds && { bounds: flow.p95Bounds }),
          },
        }
      : {}),
    ...(flow.causes && flow.causes.length > 0 && { causes: [...flow.causes] }),
    ...(flow.drops && { drops: flow.drops }),
    ...(flow.coverage && { coverage: flow.coverage }),
    ...(flow.costUsd ? { costUsd: flow.costUsd } : {}),
    ...(flow.models && { modelChanges: changesOf(flow.models) }),
  };
}

/** In words: what no criterion looks at, and who moves a stage has to know. */
export function notesOf({ isExtracted, stage }: Pick<FlowRow, "isExtracted" | "stage">): string[] {
  if (!isExtracted || stage === "retired") return [];
  return [
    "Only what extract takes of the answers was compared: of the candidate's, callers get the whole, which may have another shape than legacy's.",
  ];
}

function isOpenBug({ decision }: DivergenceRow, now: string): boolean {
  return decision?.decision === "candidate_bug" && !isExpired(decision.until, now);
}

export function isExpired(until: string | null, now: string): boolean {
  return until !== null && Date.parse(until) <= Date.parse(now);
}

/** Trials with a verdict about both sides. */
export function judgedTrials({ verdicts }: Pick<FlowRow, "verdicts">): number {
  return sum(verdicts) - (verdicts.incomparable ?? 0) - (verdicts.not_run ?? 0);
}

/** Trials without a difference, or whose differences a rule or a person has explained. */
export function matchedTrials({
  verdicts,
  unexplained,
}: Pick<FlowRow, "verdicts" | "unexplained">): number {
  const explained = Math.max(0, (verdicts.mismatch ?? 0) - unexplained);
  const equal = (verdicts.match ?? 0) + (verdicts.ignored ?? 0) + (verdicts.both_failed_same ?? 0);
  return equal + explained;
}

export function sum(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

export function addCounts(
  tables: readonly Readonly<Record<string, number | undefined>>[],
): Record<string, number> {
  const total = new Map<string, number>();
  for (const table of tables) {
    for (const [word, count] of Object.entries(table)) {
      total.set(word, (total.get(word) ?? 0) + (count ?? 0));
    }
  }
  return Object.fromEntries(total);
}
