/**
 * Work under the caller's signal and time limit.
 *
 * Many LangChain tools ignore both (string tools, subclasses), so the race is ours: the caller is
 * answered in time, and is told that the work itself may go on.
 */
import { TwintrackError } from "../core/error.ts";
import { startLimit } from "./expiry.ts";

export interface Limits {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** Errors made here, so that a chain's own `TIMEOUT` is not mistaken for our limit. */
const expired = new WeakSet<Error>();

/** True for the error that {@link withinLimits} made because time ran out. */
export function isExpiry(thrown: unknown): boolean {
  return thrown instanceof Error && expired.has(thrown);
}

/**
 * @param work gets a signal that aborts with the caller's, or when time is up.
 * @throws {TwintrackError} `TIMEOUT` or `CANCELLED`, naming `what`.
 */
export function withinLimits<T>(
  what: string,
  { signal, timeoutMs }: Limits,
  work: (signal?: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!signal && timeoutMs === undefined) return work();
  if (signal?.aborted) {
    const error = new TwintrackError("CANCELLED", `${what} was cancelled before it started`);
    return Promise.reject(error);
  }
  return new Promise((resolve, reject) => {
    // Without a limit of ours, the caller's own signal says all there is to say.
    const stop = timeoutMs === undefined ? undefined : new AbortController();
    const end = (error: TwintrackError) => {
      reject(error);
      stop?.abort(error);
    };
    const cancel = () => end(new TwintrackError("CANCELLED", `${what} was cancelled; ${MAY_RUN}`));
    signal?.addEventListener("abort", cancel, { once: true });
    const stopTimer = timeoutMs === undefined ? undefined : expiry(what, timeoutMs, end);
    const settle = <Value>(how: (value: Value) => void, value: Value) => {
      stopTimer?.();
      signal?.removeEventListener("abort", cancel);
      how(value);
    };
    work(stop?.signal ?? signal).then(
      (value) => settle(resolve, value),
      (thrown: unknown) => settle(reject, thrown),
    );
  });
}

const MAY_RUN = "it may still be running";

function expiry(what: string, timeoutMs: number, end: (error: TwintrackError) => void) {
  return startLimit(timeoutMs, () => {
    const text = `${what} did not finish within ${timeoutMs} ms; ${MAY_RUN}`;
    const error = new TwintrackError("TIMEOUT", text);
    expired.add(error);
    end(error);
  });
}
