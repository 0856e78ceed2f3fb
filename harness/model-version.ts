/**
 * What versions of models have to do with what is seen: a divergence that comes with one of them, and
 * one that took another's place while trials were counted.
 */
import type { ModelVersion } from "../core/model.ts";
import type { Side } from "../core/trigger.ts";
import type { Criterion } from "./criterion.ts";
import { lowerBound, upperBound } from "./statistics.ts";

/** Over the trials that count. */
export interface SeenVersion extends ModelVersion {
  /** Sides whose questions it answered. */
  by: readonly Side[];
  /** Trials in which it answered. */
  trials: number;
  /** ISO 8601. */
  firstAt: string;
  lastAt: string;
}

/** Versions, and the number of trials in which any of them answered. */
export interface Versions<Version> {
  trials: number;
  versions: readonly Version[];
}

/** A version with which a divergence is surely seen more often than without it. */
export interface ModelCluster extends ModelVersion {
  by: readonly Side[];
  /** Trials that show the divergence and in which it answered, of all in which it answered. */
  trials: number;
  of: number;
  /** The same of trials in which other versions answered. */
  otherTrials: number;
  others: number;
  /** ISO 8601: its first answer. */
  since: string;
}

/** Two-sided 95 % for each of the two rates: they must lie apart. */
const CONFIDENCE = 0.975;

export function clusterOf(
  shown: Versions<ModelVersion & { trials: number }>,
  all: Versions<SeenVersion>,
): ModelCluster | undefined {
  return all.versions
    .map((version) => ({ version, counts: countsOf(version, shown, all) }))
    .filter(({ counts }) => isApart(counts))
    .sort((left, right) => right.counts.trials - left.counts.trials)
    .map(({ version: { asked, answered, by, firstAt }, counts }) => ({
      ...{ asked, answered, by, ...counts, since: firstAt },
    }))[0];
}

type Counts = Pick<ModelCluster, "trials" | "of" | "otherTrials" | "others">;

function countsOf(
  { asked, answered, trials: of }: SeenVersion,
  shown: Versions<ModelVersion & { trials: number }>,
  all: Versions<SeenVersion>,
): Counts {
  const same = shown.versions.find((one) => one.asked === asked && one.answered === answered);
  const trials = same?.trials ?? 0;
  return { trials, of, otherTrials: shown.trials - trials, others: all.trials - of };
}

function isApart({ trials, of, otherTrials, others }: Counts): boolean {
  if (others <= 0) return false; // It answers always: nothing is known of trials without it.
  return lowerBound(trials, of, CONFIDENCE) > upperBound(otherTrials, others, CONFIDENCE);
}

/** A version that took the place of another while trials were counted. */
export interface ModelChange {
  by: string;
  from: string;
  to: string;
  /** ISO 8601: its first answer. */
  at: string;
  /** Trials in which the new one answered. */
  trials: number;
}

/** One that is asked now and then begins by chance after another has ended, but not so often. */
const LEAST_TRIALS = 5;

export function changesOf({ versions }: Versions<SeenVersion>): ModelChange[] {
  return versions.flatMap((version, index) => {
    const { by, answered: to, firstAt: at, trials } = version;
    const from = versions.slice(0, index).findLast((earlier) => isReplaced(earlier, version));
    return from ? [{ by: by.join(" and "), from: from.answered, to, at, trials }] : [];
  });
}

function isReplaced(earlier: SeenVersion, later: SeenVersion): boolean {
  if (!earlier.by.some((side) => later.by.includes(side))) return false;
  if (earlier.answered === later.answered) return false;
  if (earlier.asked === later.asked) return true;
  const enough = Math.min(earlier.trials, later.trials) >= LEAST_TRIALS;
  return enough && earlier.lastAt < later.firstAt;
}

export function changeText({ by, from, to, at, trials }: ModelChange): string {
  const counted = trials === 1 ? "1 trial" : `${trials} trials`;
  return `${by}: ${to} answers since ${at.slice(0, 16)}Z where ${from} did, in ${counted}`;
}

/** No limit: trials before a change and after it are counted together, and this says so. */
export const modelVersion: Criterion = ({ modelChanges = [], trials }) => {
  if (modelChanges.length === 0) return undefined;
  return {
    criterion: "model_version",
    observed: modelChanges.length,
    limit: null,
    n: trials ?? null,
    status: "pass",
    detail: `${modelChanges.map(changeText).join("; ")}; both are counted here`,
  };
};
