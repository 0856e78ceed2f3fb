/**
 * How every benchmark here measures, and when it says that a goal is met.
 *
 * Cases run interleaved, in a new random order each round, in one run of the program: what the
 * machine does meanwhile happens to all of them. A case is compared by the ratio of medians over
 * the rounds and, as a cross-check, by the ratio of best rounds. The base is measured twice, as if
 * it were two cases: their ratio, A/A, shows what the machine's own noise looks like.
 *
 * `met` and `not met` need both ratios to agree. `noisy, repeat` is said when they do not, or when
 * two measurements of the same base differ by more than what would decide.
 */
import { loadavg } from "node:os";

export interface Goal {
  /** Which way is good: `atMost` for times, `atLeast` for speed-ups. */
  kind: "atMost" | "atLeast";
  ratio: number;
}

/** One number per round for our case, for the base, and for the same base again. */
export interface Comparison {
  /** What is measured, with its unit: `p50, ms`. */
  metric: string;
  base: { name: string; rounds: readonly number[]; again: readonly number[] };
  ours: { name: string; rounds: readonly number[] };
  /** `base`: the first base. `worse`: the worse of both, for tails that no run can tell apart. */
  against?: "base" | "worse";
  /** More is better, as in requests per second. Default: less is better. */
  moreIsBetter?: boolean;
  /** The ratio tells how many times less than the base ours is. Default: ours by base. */
  inverted?: boolean;
  goal?: Goal;
}

export type Verdict = "met" | "not met" | "noisy, repeat";

export interface Result {
  metric: string;
  base: Summary;
  ours: Summary;
  ratioOfMedians: number;
  ratioOfBest: number;
  /** The base's second measurement by its first. */
  sameAgain: number;
  goal?: Goal;
  verdict?: Verdict;
}

export interface Summary {
  name: string;
  median: number;
  best: number;
}

/** What has to stay within a limit by itself. */
export interface Figure {
  /** What was measured, with its unit. */
  metric: string;
  value: number;
  atMost: number;
}

export interface JudgedFigure extends Figure {
  verdict: Verdict;
}

export function judgeFigure(figure: Figure): JudgedFigure {
  return { ...figure, verdict: figure.value <= figure.atMost ? "met" : "not met" };
}

export function isFigure(measured: Comparison | Figure): measured is Figure {
  return "atMost" in measured;
}

export function compareRounds(comparison: Comparison): Result {
  const { metric, base, ours, against = "base", moreIsBetter = false, inverted, goal } = comparison;
  const summary = (name: string, rounds: readonly number[]): Summary => ({
    name,
    median: median(rounds),
    best: moreIsBetter ? Math.max(...rounds) : Math.min(...rounds),
  });
  const first = summary(base.name, base.rounds);
  const second = summary(base.name, base.again);
  const mine = summary(ours.name, ours.rounds);
  const chosen = {
    median: against === "worse" ? Math.max(first.median, second.median) : first.median,
    best: against === "worse" ? Math.max(first.best, second.best) : first.best,
  };
  const ratio = (by: "median" | "best") =>
    inverted ? chosen[by] / mine[by] : mine[by] / chosen[by];
  const result = {
    metric,
    base: first,
    ours: mine,
    ratioOfMedians: ratio("median"),
    ratioOfBest: ratio("best"),
    sameAgain: second.median / first.median,
  };
  return goal ? { ...result, goal, verdict: verdictOf(result, goal) } : result;
}

/**
 * Above a goal of 1 nothing can be told when equal cases differ by more than it allows; a goal of 1
 * and below is told as soon as the noise could not have made the difference.
 */
function isBlind(goal: number, noise: number, worst: number): boolean {
  return goal > 1 ? noise > goal : worst <= goal && worst * noise > goal;
}

type Ratios = Pick<Result, "ratioOfMedians" | "ratioOfBest" | "sameAgain">;

function verdictOf({ ratioOfMedians, ratioOfBest, sameAgain }: Ratios, goal: Goal): Verdict {
  const reached = (ratio: number) =>
    goal.kind === "atMost" ? ratio <= goal.ratio : ratio >= goal.ratio;
  const noise = Math.max(sameAgain, 1 / sameAgain);
  const ratios = [ratioOfMedians, ratioOfBest];
  const blind = goal.kind === "atMost" && isBlind(goal.ratio, noise, Math.max(...ratios));
  if (ratios.every(reached)) return blind ? "noisy, repeat" : "met";
  if (ratios.some(reached)) return "noisy, repeat";
  return blind && ratios.some((ratio) => ratio <= goal.ratio * noise) ? "noisy, repeat" : "not met";
}

/** Runs every case once per round, each round in a new random order. Returns one value per round. */
export async function interleave<Name extends string, Value>(
  cases: Readonly<Record<Name, (round: number) => Promise<Value>>>,
  rounds: number,
): Promise<Record<Name, Value[]>> {
  const names = Object.keys(cases) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Value[]
  >;
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(names)) values[name].push(await cases[name](round));
  }
  return values;
}

function shuffled<T>(items: readonly T[]): T[] {
  const drawn = items.map((item) => ({ item, at: Math.random() }));
  return drawn.sort((a, b) => a.at - b.at).map(({ item }) => item);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that a share of `q` of the values does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Of the thread that calls, user and system, in microseconds. */
export function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Processes that wanted a core, averaged over the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN;
}
