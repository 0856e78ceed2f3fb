/**
 * Which paths are noise, and the narrowest rule for each: proposed, never applied.
 *
 * Evidence are trials with both comparisons, so that each is its own control: legacy against
 * candidate, and legacy against a second run of legacy (A/A). A rule is proposed when, with 95 %
 * confidence, (1) legacy differs from itself at the path in at least a tenth of all runs, and (2)
 * candidate differs there at most 15 points more often. (2) is McNemar's comparison made exact: of
 * the trials in which only one of both differs, those of candidate are a binomial sample; source:
 * Agresti, Categorical Data Analysis, 11.1. Both need tens of trials: two prove nothing.
 */
import type { JsonValue } from "../../core/json.ts";
import { lowerBound, upperBound } from "../statistics.ts";
import type { Difference } from "./difference.ts";
import { isContainer } from "./equal.ts";
import { type Format, hasFormat } from "./format.ts";
import { type NoiseRate, noiseRate } from "./noise.ts";
import { escapeSegment, segmentsOf } from "./pointer.ts";
import type { Rule } from "./rules.ts";

/** One unexplained difference of a trial that has both comparisons. */
export interface Sighting {
  trial: string;
  compared: "candidate" | "noise";
  difference: Difference;
}

export interface PathNoise {
  /** In the form of a rule's path. */
  path: string;
  trials: number;
  /** How often legacy differs from itself here, and candidate from legacy. */
  noise: NoiseRate;
  candidate: NoiseRate;
  onlyNoise: number;
  onlyCandidate: number;
  /** With 95 % confidence, candidate differs at most so much more often; in [0, 1]. */
  excess: number;
  /** The rule to paste, or why there is none. */
  proposal: { kind: "rule"; rule: Rule } | { kind: "none"; why: string };
}

const CONFIDENCE = 0.95;
const LEAST_NOISE = 0.1;
const MOST_EXCESS = 0.15;

/** @param trials with both comparisons, also those without any difference. The noisiest first. */
export function proposeRules(trials: number, sightings: readonly Sighting[]): PathNoise[] {
  if (trials <= 0) return [];
  const byPlace = Map.groupBy(sightings, ({ difference }) => familyOf(difference));
  return [...byPlace.values()]
    .filter((members) => members.some(({ compared }) => compared === "noise"))
    .map((members) => judgePath(trials, members))
    .sort((a, b) => b.noise.rate - a.noise.rate || (a.path < b.path ? -1 : 1));
}

/** Differences that one rule could be about: indexes may differ, keys and lengths may not. */
function familyOf({ kind, path }: Difference): string {
  const segments = segmentsOf(path).map((segment) =>
    isIndex(segment) ? "*" : escapeSegment(segment),
  );
  return `${kind === "order" ? "order" : "value"} /${segments.join("/")}`;
}

function isIndex(segment: string): boolean {
  return /^\d{1,6}$/.test(segment);
}

function judgePath(trials: number, members: readonly Sighting[]): PathNoise {
  const seenBy = (compared: Sighting["compared"]) =>
    new Set(members.filter((one) => one.compared === compared).map(({ trial }) => trial));
  const [noise, candidate] = [seenBy("noise"), seenBy("candidate")];
  const onlyNoise = noise.difference(candidate).size;
  const onlyCandidate = candidate.difference(noise).size;
  const excess = excessBound(onlyCandidate, onlyNoise, trials);
  const path = narrowest(members.map(({ difference }) => difference.path));
  const rates = { noise: rateOf(noise.size, trials), candidate: rateOf(candidate.size, trials) };
  const rule = ruleFor(path, members);
  const why = whyNot(noise.size, trials, excess, members) ?? tooWide(rule);
  const reason = reasonFor(rates.noise, noise.size, trials);
  const proposal: PathNoise["proposal"] =
    why === null ? { kind: "rule", rule: { ...rule, reason } } : { kind: "none", why };
  return { path, trials, ...rates, onlyNoise, onlyCandidate, excess, proposal };
}

function rateOf(events: number, trials: number): NoiseRate {
  return noiseRate({ trials, noisy: events }) as NoiseRate;
}

/** Half of the error chance goes to how often they part at all, half to which of them it is then. */
export function excessBound(onlyCandidate: number, onlyNoise: number, trials: number): number {
  const half = 1 - (1 - CONFIDENCE) / 2;
  const discordant = onlyCandidate + onlyNoise;
  const parting = upperBound(discordant, trials, half);
  const toCandidate = upperBound(onlyCandidate, discordant, half);
  return Math.max(0, 2 * toCandidate - 1) * parting;
}

function whyNot(
  noisy: number,
  trials: number,
  excess: number,
  members: readonly Sighting[],
): string | null {
  const unsuited = members.find(({ difference }) => !isLeaf(difference));
  if (unsuited)
    return `a ${unsuited.difference.kind} of more than one value: a rule here would hide all below it`;
  const least = lowerBound(noisy, trials, CONFIDENCE);
  if (least < LEAST_NOISE) {
    return `legacy differs here in ${noisy} of ${trials} trials, for sure only in ${percent(least)} of all`;
  }
  if (excess > MOST_EXCESS) {
    return `candidate may differ here ${percent(excess)} more often than legacy itself`;
  }
  return null;
}

/** Without a path a rule is about the answer itself: nothing would be compared any more. */
function tooWide({ path, ignore }: Rule): string | null {
  if (path !== "" || ignore !== true) return null;
  return "a rule here would ignore the whole answer: say with extract which part of it counts, or compare it by similarity";
}

const OF_VALUES: readonly Difference["kind"][] = [
  "value",
  "text",
  "type",
  "missing",
  "extra",
  "order",
];

/** A rule for a container hides its stable fields with the noisy one; errors and writes are no noise. */
function isLeaf({ kind, legacy, candidate }: Difference): boolean {
  if (!OF_VALUES.includes(kind)) return false;
  if (kind === "order") return true;
  return [legacy, candidate].every((side) => side === undefined || !isContainer(side));
}

/** `*` only where more than one index was seen. */
function narrowest(paths: readonly string[]): string {
  const all = paths.map(segmentsOf);
  const first = all[0] ?? [];
  return first
    .map((segment, at) =>
      all.every((other) => other[at] === segment) ? escapeSegment(segment) : "*",
    )
    .map((segment) => `/${segment}`)
    .join("");
}

const FORMATS: readonly Format[] = ["uuid", "time", "ip", "url"];

function ruleFor(path: string, members: readonly Sighting[]): Rule {
  const differences = members.map(({ difference }) => difference);
  if (differences.some(({ kind }) => kind === "order")) {
    return { path: path.slice(0, path.lastIndexOf("/")), as: "set" };
  }
  const values = differences.flatMap(({ legacy, candidate }) => [legacy, candidate]);
  const readable = values.filter((value) => !isMasked(value));
  const format = FORMATS.find((one) =>
    readable.every((value) => typeof value === "string" && hasFormat(one, value)),
  );
  if (format && readable.length > values.length / 2) return { path, as: format };
  const spread = spreadOf(members);
  return spread === undefined ? { path, ignore: true } : { path, tolerance: { absolute: spread } };
}

/** What is kept of a value that a detector took for a secret says nothing of its form. */
function isMasked(value: JsonValue | undefined): boolean {
  return typeof value === "string" && value.includes("⟨");
}

/** The largest of n samples is exceeded once in n + 1: a rule at the largest would alarm again soon. */
const BEYOND_SEEN = 1.5;

/** How far legacy's numbers differ from themselves; undefined when they are no measurements. */
function spreadOf(members: readonly Sighting[]): number | undefined {
  let [spread, size] = [0, 0];
  for (const { compared, difference } of members) {
    const { legacy, candidate } = difference;
    if (typeof legacy !== "number" || typeof candidate !== "number") return undefined;
    size = Math.max(size, Math.abs(legacy));
    if (compared === "noise") spread = Math.max(spread, Math.abs(legacy - candidate));
  }
  if (spread > size / 2) return undefined;
  return Number((spread * BEYOND_SEEN).toPrecision(2));
}

function reasonFor(noise: NoiseRate, noisy: number, trials: number): string {
  return (
    `legacy differs from itself here in ${noisy} of ${trials} trials ` +
    `(95 % interval ${percent(noise.lower)} to ${percent(noise.upper)})`
  );
}

function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(2))} %`;
}
