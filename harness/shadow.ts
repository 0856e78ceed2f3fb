/**
 * The shadow worker: takes open trials from the store, has them judged, writes the judgements.
 *
 * Trials run several at a time. When their process dies nobody knows which one killed it, so each
 * is judged once more alone; one that loses its process alone has earned its verdict.
 */
import { isTwintrackError } from "../core/error.ts";
import type { ResolvedConfig } from "./config.ts";
import { DEFAULT_SHADOW_TIMEOUT_MS } from "./flow-config.ts";
import { lostTrial, reasonOf } from "./lost-trial.ts";
import type { ShadowHost } from "./shadow-host.ts";
import type { Database } from "./store/database.ts";
import { type JudgedTrial, settle } from "./store/judgements.ts";
import { claim, giveUpLost, type OpenTrial, releaseLeases, renewLeases } from "./store/trials.ts";

const BATCH_TRIALS = 64;
const CONCURRENT_TRIALS = 4;
/** A dead worker's trials are taken over after this. */
const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 10_000;
/** Start of Python and the compare itself, on top of the sides' own limits. */
const GRACE_MS = 5_000;

export interface ShadowWorker {
  /** Judges until no trial is open, or until stopped: what is under way then is given back. */
  drain(stop: AbortSignal): Promise<number>;
}

export function openShadowWorker(
  db: Database,
  host: ShadowHost,
  config: ResolvedConfig,
): ShadowWorker {
  const judge = (trial: OpenTrial) => host.judge(trial, limitOf(config, trial));
  return {
    async drain(stop) {
      let judged = 0;
      while (!stop.aborted) {
        const trials = await claim(db, BATCH_TRIALS, LEASE_MS);
        if (trials.length === 0) return judged + (await giveUpLost(db));
        judged += await judgeBatch(db, trials, judge, stop);
      }
      return judged;
    },
  };
}

function limitOf(config: ResolvedConfig, trial: OpenTrial): number {
  const sideMs = config.flows[trial.flow]?.shadow?.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS;
  return sideMs * (trial.noiseWanted ? 2 : 1) + GRACE_MS;
}

type Judge = (trial: OpenTrial) => Promise<JudgedTrial>;

async function judgeBatch(
  db: Database,
  trials: readonly OpenTrial[],
  judge: Judge,
  stop: AbortSignal,
): Promise<number> {
  const ids = trials.map((trial) => trial.id);
  const renew = () => void renewLeases(db, ids, LEASE_MS).catch(() => undefined);
  const renewal = setInterval(renew, RENEW_EVERY_MS);
  try {
    const judged = await judgeEach(trials, judge, stop);
    const settled = await settle(db, judged);
    const done = new Set(judged.map((trial) => trial.id));
    const left = ids.filter((id) => !done.has(id));
    if (left.length > 0) await releaseLeases(db, left);
    return settled;
  } finally {
    clearInterval(renewal);
  }
}

async function judgeEach(
  trials: readonly OpenTrial[],
  judge: Judge,
  stop: AbortSignal,
): Promise<JudgedTrial[]> {
  const stopped = once(stop);
  const judged: JudgedTrial[] = [];
  const suspects: OpenTrial[] = [];
  await eachOf(trials, CONCURRENT_TRIALS, stop, async (trial) => {
    const result = await Promise.race([judge(trial).catch(() => "lost" as const), stopped]);
    if (result === "lost") suspects.push(trial);
    else if (result !== "stopped") judged.push(result);
  });
  await eachOf(suspects, 1, stop, async (trial) => {
    const lost = (error: unknown) => verdictOfLoss(trial, error);
    const result = await Promise.race([judge(trial).catch(lost), stopped]);
    if (result !== "stopped") judged.push(result);
  });
  return judged;
}

function once(stop: AbortSignal): Promise<"stopped"> {
  const { promise, resolve } = Promise.withResolvers<"stopped">();
  if (stop.aborted) resolve("stopped");
  stop.addEventListener("abort", () => resolve("stopped"), { once: true });
  return promise;
}

function verdictOfLoss(trial: OpenTrial, error: unknown): JudgedTrial {
  const timedOut = isTwintrackError(error) && error.code === "TIMEOUT";
  return lostTrial(trial, timedOut ? "candidate_timeout" : "candidate_error", reasonOf(error));
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
