/**
 * Drop bias: are the triggers that were never compared like the ones that were?
 *
 * A random sample is; shedding that hits the slow ones is not, and then a clean comparison says
 * nothing about them. Each group of triggers is tested by itself (Fisher's exact test, one-sided),
 * with the error chance divided by the number of groups. A group is a fault when it surely loses more
 * than the others, and more than the policy lets a whole flow lose.
 */
import type { Criterion } from "./criterion.ts";
import { logGamma } from "./statistics.ts";

/** How many triggers of one group were not compared for a reason other than sampling, and how many were. */
export interface DropGroup {
  /** What the triggers of a group have in common: `source`, `hour`, `status`, `duration`, `size`. */
  feature: string;
  group: string;
  notRun: number;
  compared: number;
}

export const dropBias: Criterion = ({ drops }, { confidence, maxNotRunRate }) => {
  if (drops === undefined) return undefined;
  const limit = (1 - confidence) / Math.max(1, drops.length);
  const groups = drops.map((group) => ({ ...group, chance: chanceOf(group, drops) }));
  const share = ({ notRun, compared }: DropGroup) => notRun / Math.max(1, notRun + compared);
  // A group that loses little is no fault, however unlikely its share.
  const isOver = (group: DropGroup) => (share(group) > maxNotRunRate ? 0 : 1);
  const worst = groups
    .toSorted((left, right) => isOver(left) - isOver(right) || left.chance - right.chance)
    .at(0);
  const n = notRunOf(drops);
  const reason = { criterion: "drop_bias", observed: worst?.chance ?? null, limit, n };
  if (!worst || n === 0) {
    return { ...reason, observed: null, status: "pass", detail: "no trigger was dropped" };
  }
  const { feature, group, notRun, compared, chance } = worst;
  const biased = chance < limit && share(worst) > maxNotRunRate;
  const told = `${notRun} of ${notRun + compared} with ${feature} ${group} were not compared`;
  const detail = biased
    ? `${told}, far more than of the others (p = ${Number(chance.toPrecision(2))}): what was compared does not stand for them`
    : `what was not compared is like what was; most unlike: ${told}`;
  return { ...reason, status: biased ? "fail" : "pass", detail };
};

/** Triggers not compared, counted once: every feature divides the same ones. */
function notRunOf(drops: readonly DropGroup[]): number {
  const byFeature = Map.groupBy(drops, ({ feature }) => feature);
  const sums = [...byFeature.values()].map((groups) =>
    groups.reduce((sum, { notRun }) => sum + notRun, 0),
  );
  return Math.max(0, ...sums);
}

/** The chance of so many drops in this group, if drops did not care for groups. */
function chanceOf(group: DropGroup, drops: readonly DropGroup[]): number {
  const same = drops.filter(({ feature }) => feature === group.feature);
  const dropped = same.reduce((sum, { notRun }) => sum + notRun, 0);
  const all = same.reduce((sum, { notRun, compared }) => sum + notRun + compared, 0);
  return hypergeometricTail(group.notRun, group.notRun + group.compared, dropped, all);
}

/** P(X ≥ k) for X marked ones in a draw of `drawn` out of `all`, of which `marked` are marked. */
export function hypergeometricTail(k: number, drawn: number, marked: number, all: number): number {
  let sum = 0;
  for (let hits = k; hits <= Math.min(drawn, marked); hits++) {
    if (drawn - hits > all - marked) continue;
    sum += Math.exp(
      logChoose(marked, hits) + logChoose(all - marked, drawn - hits) - logChoose(all, drawn),
    );
  }
  return Math.min(1, sum);
}

function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}
