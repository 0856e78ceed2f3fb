/** One divergence as the report tells it: how often, whether it is noise, whether it blocks. */
import { isUnexplained } from "../compare/difference.ts";
import { templatePath } from "../compare/fingerprint.ts";
import { type NoiseRate, noiseRate } from "../compare/noise.ts";
import { alignTraces, firstDivergence } from "../compare/trace.ts";
import { clusterOf } from "../model-version.ts";
import { isExpired } from "./evidence.ts";
import { percent } from "./percent.ts";
import type { Divergence, Sample } from "./report.ts";
import type { DivergenceRow, FlowRow, SampleRow } from "./rows.ts";
import { clusterText } from "./words.ts";

const MAX_SAMPLES = 3;
const MAX_DIFFERENCES = 50;

export function reportDivergence(
  row: DivergenceRow,
  flow: FlowRow,
  samples: readonly SampleRow[],
  now: string,
): Divergence {
  const noise = noiseRate({ trials: flow.noise.trials, noisy: row.noiseTrials });
  const differing = differingTrials(flow);
  const decision = row.decision && {
    ...row.decision,
    expired: isExpired(row.decision.until, now),
  };
  const model = row.models && flow.models && clusterOf(row.models, flow.models);
  const { fingerprint, title, kind, path, firstAt, lastAt } = row;
  return {
    ...{ fingerprint, title, kind, path, firstAt, lastAt },
    whyGrouped: whyGrouped(row),
    count: row.trials,
    share: differing > 0 ? Math.min(1, row.trials / differing) : 0,
    noiseRate: noise,
    ...(decision ? { decision } : {}),
    ...(model && { model }),
    blocking: blocks(row, now),
    explanation: [explain(row, flow, noise), ...(model ? [clusterText(model)] : [])].join(" "),
    samples: samples
      .filter((sample) => sample.flow === row.flow && sample.fingerprint === fingerprint)
      .slice(0, MAX_SAMPLES)
      .map((sample) => reportSample(sample, row)),
  };
}

function whyGrouped({ grouping, kind, path, members }: DivergenceRow): string {
  const place = path === "" ? "the whole answer" : path;
  const alike = `the same kind of difference (${kind}) at ${place}, whatever its values, indexes and ids`;
  switch (grouping.kind) {
    case "alike":
      return `All are ${alike}.`;
    case "merged":
      return `${grouping.who} merged ${members.join(" and ")}: ${grouping.why}`;
    case "split": {
      const by = grouping.by === "place" ? "exact path" : "message";
      return `All are ${alike}, and of one ${by}: ${grouping.who} split them by it: ${grouping.why}`;
    }
    default:
      return grouping satisfies never;
  }
}

/** Undecided, unsure, expired and `candidate_bug` all keep the gate from opening. */
export function blocks({ decision }: Pick<DivergenceRow, "decision">, now: string): boolean {
  if (!decision || isExpired(decision.until, now)) return true;
  return decision.decision === "candidate_bug" || decision.decision === "unsure";
}

/** Trials that show any divergence at all. */
function differingTrials({ verdicts }: FlowRow): number {
  return (
    (verdicts.mismatch ?? 0) +
    (verdicts.candidate_error ?? 0) +
    (verdicts.candidate_timeout ?? 0) +
    (verdicts.both_failed_different ?? 0)
  );
}

function explain(row: DivergenceRow, flow: FlowRow, noise: NoiseRate | null): string {
  const differing = differingTrials(flow);
  const often = `Seen in ${row.trials} of ${differing} trials that differ.`;
  if (!noise) return `${often} Legacy was not run against itself, so noise is unknown.`;
  const own =
    `Legacy shows it against itself in ${row.noiseTrials} of ${flow.noise.trials} noise trials ` +
    `(${percent(noise.rate)}, 95 % interval ${percent(noise.lower)} to ${percent(noise.upper)})`;
  return `${often} ${own}: ${noiseVerdict(row, flow, noise)}`;
}

function noiseVerdict(row: DivergenceRow, flow: FlowRow, noise: NoiseRate): string {
  const judged = Object.values(flow.verdicts).reduce((total, count) => total + count, 0);
  const rate = judged > 0 ? row.trials / judged : 0;
  if (rate > noise.upper)
    return `candidate does so in ${percent(rate)}, which noise does not explain.`;
  if (row.noiseTrials === 0) return "too few noise trials to rule noise out.";
  return `candidate does so in ${percent(rate)}, no more often than legacy itself.`;
}

function reportSample(sample: SampleRow, row: DivergenceRow): Sample {
  const unexplained = sample.differences.filter(isUnexplained);
  const shown =
    unexplained.find(
      ({ kind, path }) =>
        kind === row.kind && (path === row.path || templatePath(path) === row.path),
    ) ?? unexplained[0];
  const { legacyCalls, candidateCalls, candidateHistory: history } = sample;
  const trace = alignTraces({ calls: legacyCalls }, { calls: candidateCalls, history });
  return {
    triggerId: sample.triggerId,
    input: sample.input,
    ...(sample.config === undefined ? {} : { config: sample.config }),
    path: shown?.path ?? row.path,
    ...(shown?.legacy === undefined ? {} : { legacy: shown.legacy }),
    ...(shown?.candidate === undefined ? {} : { candidate: shown.candidate }),
    legacyOutput: sample.legacy,
    candidateOutput: sample.candidate,
    differences: sample.differences.slice(0, MAX_DIFFERENCES),
    trace,
    firstDivergence: firstDivergence(trace),
  };
}
