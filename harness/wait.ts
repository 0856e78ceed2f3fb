/** Waits that have an end. */
import { setTimeout as pause } from "node:timers/promises";

/** Ends with the time, or when the signal is aborted. */
export async function until(waitMs: number, signal: AbortSignal): Promise<void> {
  await pause(waitMs, undefined, { signal }).catch(() => undefined);
}

/** Waits for `work`, but no longer, and not beyond `stop`; it is then left to itself. */
export async function within(
  limitMs: number,
  work: Promise<void>,
  stop?: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const signal = stop ? AbortSignal.any([stop, ended.signal]) : ended.signal;
  await Promise.race([work, until(limitMs, signal)]).finally(() => ended.abort());
}
