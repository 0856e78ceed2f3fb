/**
 * What the interpreter needs from its surroundings: wake-ups, timers, time, chance. Nothing else
 * in a run may be nondeterministic, so any engine that supplies these can drive the same flows.
 *
 * Engines never retry: the interpreter does, so that every attempt is in the history.
 */
import { randomUUID } from "node:crypto";

export interface Engine {
  /** Runs one attempt. `key` is `step#attempt`, stable over restarts. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** The first of `pending` to settle. */
  race<T>(pending: readonly Promise<T>[]): Promise<T>;
  /** Resolves after `ms`, or at once when `signal` is aborted. */
  sleep(key: string, ms: number, signal?: AbortSignal): Promise<void>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes back; for durations. */
  monotonicMs(): number;
  /** In [0, 1). */
  random(): number;
  id(): string;
}

/** The engine of one process: promises, timers, and nothing that survives it. */
export const inProcessEngine: Engine = {
  run: (_key, work) => work(),
  // Steps in a chain run one at a time: nothing to race.
  race: (pending) => (pending[0] && pending.length === 1 ? pending[0] : Promise.race(pending)),
  sleep: (_key, ms, signal) => sleepUntil(ms, signal),
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  id: () => randomUUID(),
};

function sleepUntil(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    resolve();
  };
  const timer = setTimeout(wake, ms);
  signal?.addEventListener("abort", wake, { once: true });
  return promise;
}
