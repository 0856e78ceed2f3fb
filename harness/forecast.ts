/**
 * How many more triggers a gate needs, if they come as those before, or if nothing goes wrong any
 * more. It reckons with the gate itself, so it knows no rule that the gate does not have.
 */
import { type Evidence, evaluateGate, type Policy } from "./gate.ts";

export interface Forecast {
  /** Every kind of event keeps its share. */
  asBefore: Need;
  /** Every further trigger is compared and equal. */
  spotless: Need;
}

/** `blocked` names the criteria that no number of triggers can open. */
export type Need = { triggers: number; days: number | null } | { blocked: string[] };

const MOST_TRIGGERS = 10_000_000;

export function forecast(evidence: Evidence, policy: Policy = {}): Forecast {
  return {
    asBefore: need(evidence, policy, repeated),
    spotless: need(evidence, policy, spotless),
  };
}

type Grow = (evidence: Evidence, triggers: number) => Evidence;

function need(evidence: Evidence, policy: Policy, grow: Grow): Need {
  const gateAfter = (triggers: number) => evaluateGate(grow(evidence, triggers), policy);
  const opens = (triggers: number) => gateAfter(triggers).decision === "open";
  let enough = 0;
  while (!opens(enough) && enough < MOST_TRIGGERS) enough = Math.max(1, enough * 2);
  if (!opens(enough)) {
    const left = gateAfter(MOST_TRIGGERS).reasons.filter(({ status }) => status !== "pass");
    return { blocked: left.map(({ criterion }) => criterion) };
  }
  const triggers = fewest(Math.floor(enough / 2), enough, opens);
  return { triggers, days: daysFor(evidence, triggers) };
}

/** Exact to one in a hundred: more would pretend to know the future. */
function fewest(tooFew: number, enough: number, opens: (triggers: number) => boolean): number {
  let [low, high] = [tooFew, enough];
  while (high - low > Math.max(1, high / 100)) {
    const middle = Math.floor((low + high) / 2);
    if (opens(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** At the pace so far; null while there was none. */
function daysFor({ days = 0, answered = 0 }: Evidence, triggers: number): number | null {
  return answered > 0 && days > 0 ? (triggers / answered) * days : null;
}

function repeated(evidence: Evidence, triggers: number): Evidence {
  const { answered = 0 } = evidence;
  if (answered === 0) return spotless(evidence, triggers);
  const factor = (answered + triggers) / answered;
  // Rounded away from the gate: what is seen once in a while will be seen again.
  const up = (count: number | undefined) => Math.ceil((count ?? 0) * factor);
  const events = {
    mismatches: up(evidence.mismatches),
    candidateErrors: up(evidence.candidateErrors),
    bothFailed: up(evidence.bothFailed),
    ignored: up(evidence.ignored),
  };
  const notRun = up(evidence.notRun);
  const trials = Math.min(up(evidence.trials), answered + triggers - notRun);
  return { ...grown(evidence, triggers), ...events, notRun, trials };
}

function spotless(evidence: Evidence, triggers: number): Evidence {
  const { trials = 0, notRun = 0, answered = 0, mismatches = 0 } = evidence;
  const { candidateErrors = 0, bothFailed = 0, ignored = 0, coverage } = evidence;
  const events = { mismatches, candidateErrors, bothFailed, ignored, notRun };
  return {
    ...grown(evidence, triggers),
    ...events,
    // What the next triggers will bring nobody knows; in the best case all that is missing.
    ...(coverage &&
      triggers > 0 && { coverage: { ...coverage, seen: coverage.total, unseen: [] } }),
    // Those that are open now will be judged, too.
    trials: Math.max(trials, answered - notRun) + triggers,
  };
}

function grown(evidence: Evidence, triggers: number): Evidence {
  const { answered = 0, days = 0, noise, latencyMs = UNMEASURED, costUsd } = evidence;
  const more = daysFor(evidence, triggers);
  const factor = answered > 0 ? (answered + triggers) / answered : 1;
  return {
    ...evidence,
    answered: answered + triggers,
    latencyMs: narrowed(latencyMs, factor),
    // Without a pace, days pass as they are needed.
    days: more === null && triggers > 0 ? ANY_DAYS : days + (more ?? 0),
    ...(noise && { noise: grownNoise(noise, factor) }),
    ...(costUsd && { costUsd: grownCost(costUsd, factor) }),
  };
}

/** The range of a p95 narrows with the root of n; one that nothing bounds yet will be bounded. */
function narrowed(latency: NonNullable<Evidence["latencyMs"]>, factor: number) {
  const { legacyP95, candidateP95, bounds } = latency;
  if (!bounds) return latency;
  const closer = (bound: number | null, point: number) =>
    bound === null
      ? factor < UNBOUNDED_FACTOR
        ? null
        : point
      : point * (bound / point) ** (1 / Math.sqrt(factor));
  return {
    legacyP95,
    candidateP95,
    bounds: {
      legacyLeast: closer(bounds.legacyLeast, legacyP95),
      legacyMost: closer(bounds.legacyMost, legacyP95),
      candidateLeast: closer(bounds.candidateLeast, candidateP95),
      candidateMost: closer(bounds.candidateMost, candidateP95),
    },
  };
}

/** By so much a sample that bounds nothing has to grow; a rough number for a rough guess. */
const UNBOUNDED_FACTOR = 2;

function grownNoise({ trials, mismatches, pairs }: NonNullable<Evidence["noise"]>, factor: number) {
  const times = (count: number) => Math.floor(count * factor);
  return {
    trials: times(trials),
    mismatches: times(mismatches),
    ...(pairs && {
      pairs: {
        onlyCandidate: times(pairs.onlyCandidate),
        onlyNoise: times(pairs.onlyNoise),
        both: times(pairs.both),
        neither: times(pairs.neither),
      },
    }),
  };
}

function grownCost({ legacy, candidate, pairs }: NonNullable<Evidence["costUsd"]>, factor: number) {
  return {
    legacy: legacy * factor,
    candidate: candidate * factor,
    ...(pairs && {
      pairs: {
        n: Math.floor(pairs.n * factor),
        legacySquares: pairs.legacySquares * factor,
        candidateSquares: pairs.candidateSquares * factor,
        products: pairs.products * factor,
      },
    }),
  };
}

/** What nobody has measured yet is taken to be no obstacle. */
const UNMEASURED: NonNullable<Evidence["latencyMs"]> = { legacyP95: 1, candidateP95: 1 };
const ANY_DAYS = 1_000_000;

/** In words, for people. */
export function forecastText({ asBefore, spotless: best }: Forecast): string {
  return [
    `if triggers come as before: ${needText(asBefore)}`,
    `if nothing differs any more: ${needText(best)}`,
  ].join("\n");
}

function needText(need: Need): string {
  if ("blocked" in need) return `never, because of ${need.blocked.join(", ")}`;
  if (need.triggers === 0) return "open now";
  const days = need.days === null ? "" : `, ${Number(need.days.toPrecision(2))} days at this pace`;
  return `about ${need.triggers} more triggers${days}`;
}
