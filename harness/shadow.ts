/**
 * The shadow worker: takes open trials from the store, has them judged, writes the judgements.
 *
 * Trials run several at a time. When their process dies nobody knows which one killed it, so each
 * is judged once more alone; one that loses its process alone has earned its verdict.
 */
import { isTwintrackError } from "../core/error.ts";
import { type Breaker, openBreaker } from "./breaker.ts";
import type { ResolvedConfig } from "./config.ts";
import { DEFAULT_SHADOW_TIMEOUT_MS } from "./flow-config.ts";
import { lostTrial, reasonOf } from "./lost-trial.ts";
import type { Privacy } from "./privacy/privacy.ts";
import { protectTrial } from "./privacy/protect.ts";
import type { ShadowHost } from "./shadow-host.ts";
import type { Database } from "./store/database.ts";
import type { TrialJob, TrialJobs } from "./store/jobs.ts";
import { type JudgedTrial, settle } from "./store/judgements.ts";
import { closeLost, type OpenTrial, openTrials } from "./store/trials.ts";
import { openTurns, type Turns } from "./turn.ts";

/** Taken at once: many while they are judged fast, few while others could help. */
const BATCH_TRIALS = { least: 8, most: 64 };
const FAST_BATCH_MS = 1_000;
const CONCURRENT_TRIALS = 4;
/** Well within the heartbeat that keeps the jobs ours. */
const KEEP_EVERY_MS = 4_000;
/** Start of Python and the compare itself, on top of the sides' own limits. */
const GRACE_MS = 5_000;

export interface ShadowWorker {
  /** Judges until no trial is open, or until stopped: what is under way then is given back. */
  drain(stop: AbortSignal): Promise<number>;
}

export interface ShadowWorkerOptions {
  db: Database;
  jobs: TrialJobs;
  host: ShadowHost;
  privacy: Privacy;
  /** Of each flow, see {@link shadowTimeoutsMs}. */
  timeoutsMs: Readonly<Record<string, number>>;
}

/** How long one side of a trial may run, for each flow. */
export function shadowTimeoutsMs({ flows }: Pick<ResolvedConfig, "flows">): Record<string, number> {
  const limits = Object.entries(flows).map(([flow, { shadow }]) => [
    flow,
    shadow?.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS,
  ]);
  return Object.fromEntries(limits) as Record<string, number>;
}

interface Bench extends ShadowWorkerOptions {
  breaker: Breaker;
  judging: Turns;
}

/** While the judgements of one batch are written, the next is judged. */
const LANES = 2;

export function openShadowWorker(options: ShadowWorkerOptions): ShadowWorker {
  const bench: Bench = { ...options, breaker: openBreaker(), judging: openTurns() };
  const { db, jobs } = bench;
  let size = BATCH_TRIALS.least;
  return {
    async drain(stop) {
      const taking = openTurns();
      let isLeft = true;
      const take = async (): Promise<TrialJob[]> => {
        if (!isLeft || stop.aborted) return [];
        const asked = size;
        const taken = await jobs.take(asked);
        isLeft = taken.length === asked;
        return taken;
      };
      const lane = async (): Promise<number> => {
        let written = 0;
        for (;;) {
          const taken = await taking(take);
          if (taken.length === 0) return written;
          const batch = await judgeBatch(bench, taken, stop);
          written += batch.written;
          const isFast = batch.judgedInMs < FAST_BATCH_MS;
          size = isFast ? Math.min(size * 2, BATCH_TRIALS.most) : BATCH_TRIALS.least;
        }
      };
      const lanes = Array.from({ length: LANES }, lane);
      await Promise.allSettled(lanes); // When one fails, the other is not left to itself.
      const written = (await Promise.all(lanes)).reduce((sum, count) => sum + count, 0);
      return stop.aborted ? written : written + (await closeLost(db, jobs));
    },
  };
}

interface Batch {
  written: number;
  judgedInMs: number;
}

async function judgeBatch(
  bench: Bench,
  taken: readonly TrialJob[],
  stop: AbortSignal,
): Promise<Batch> {
  const { db, jobs } = bench;
  const keeping = setInterval(() => void jobs.keep(taken).catch(() => undefined), KEEP_EVERY_MS);
  try {
    const ids = taken.map(({ trialId }) => trialId);
    const trials = await openTrials(db, ids);
    const { judged, judgedInMs } = await bench.judging(async () => {
      const startedAt = performance.now();
      const judged = await judgeEach(bench, trials, suspectsOf(taken), stop);
      return { judged, judgedInMs: performance.now() - startedAt };
    });
    const left = new Set(trials.map(({ id }) => id));
    for (const { id } of judged) left.delete(id);
    // A trial that was not open any more needs no job either.
    const ended = taken.filter(({ trialId }) => !left.has(trialId));
    const written = await settle(db, judged, (query) => jobs.end(query, ended));
    await jobs.giveBack(taken.filter(({ trialId }) => left.has(trialId)));
    return { written, judgedInMs };
  } catch (error) {
    await jobs.giveBack(taken).catch(() => undefined); // Without a database the heartbeat tells.
    throw error;
  } finally {
    clearInterval(keeping);
  }
}

/** Trials over which a worker died already. */
function suspectsOf(taken: readonly TrialJob[]): ReadonlySet<string> {
  return new Set(taken.filter(({ retries }) => retries > 0).map(({ trialId }) => trialId));
}

async function judgeEach(
  bench: Bench,
  trials: readonly OpenTrial[],
  suspected: ReadonlySet<string>,
  stop: AbortSignal,
): Promise<JudgedTrial[]> {
  // The drain may go on for days: what hangs on its signal beyond the batch would never be let go.
  const batch = new AbortController();
  const stopped = once(stop, batch.signal);
  const judged: JudgedTrial[] = [];
  const suspects = trials.filter(({ id }) => suspected.has(id));
  const others = trials.filter(({ id }) => !suspected.has(id));
  await eachOf(others, CONCURRENT_TRIALS, stop, async (trial) => {
    const result = await Promise.race([judge(bench, trial).catch(() => "lost" as const), stopped]);
    if (result === "lost") suspects.push(trial);
    else if (result !== "stopped") judged.push(result);
  });
  await eachOf(suspects, 1, stop, async (trial) => {
    const lost = (error: unknown) => {
      bench.breaker.note(trial.flow, true);
      return verdictOfLoss(trial, error, bench.privacy);
    };
    const result = await Promise.race([judge(bench, trial).catch(lost), stopped]);
    if (result !== "stopped") judged.push(result);
  });
  batch.abort();
  return judged;
}

/** Rejects when the trial's process was lost. */
async function judge({ host, timeoutsMs, breaker }: Bench, trial: OpenTrial): Promise<JudgedTrial> {
  if (!breaker.admits(trial.flow)) return lostTrial(trial, "not_run", "breaker");
  try {
    const judged = await host.judge(trial, limitMs(timeoutsMs, trial));
    breaker.note(trial.flow, judged.verdict in FAILURES);
    return judged;
  } catch (error) {
    breaker.giveUp(trial.flow); // Whether it was this trial's fault, the next try says.
    throw error;
  }
}

const FAILURES = { candidate_error: true, candidate_timeout: true };

function limitMs(timeoutsMs: Bench["timeoutsMs"], { flow, noiseWanted }: OpenTrial): number {
  const sideMs = timeoutsMs[flow] ?? DEFAULT_SHADOW_TIMEOUT_MS;
  return sideMs * (noiseWanted ? 2 : 1) + GRACE_MS;
}

/** @param until whoever waits for it has ended */
function once(stop: AbortSignal, until: AbortSignal): Promise<"stopped"> {
  const { promise, resolve } = Promise.withResolvers<"stopped">();
  if (stop.aborted) resolve("stopped");
  stop.addEventListener("abort", () => resolve("stopped"), { once: true, signal: until });
  return promise;
}

/** The last words of a process may be anybody's. */
function verdictOfLoss(trial: OpenTrial, error: unknown, privacy: Privacy): JudgedTrial {
  const timedOut = isTwintrackError(error) && error.code === "TIMEOUT";
  const verdict = timedOut ? "candidate_timeout" : "candidate_error";
  return protectTrial(lostTrial(trial, verdict, reasonOf(error)), privacy);
}

async function eachOf<T>(
  items: readonly T[],
  concurrency: number,
  stop: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    while (!stop.aborted) {
      const item = queue.shift();
      if (item === undefined) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
