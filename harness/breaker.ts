/**
 * Stops running the compared side of a flow that mostly fails: every further failure costs time and
 * money and tells nothing new. One breaker per flow.
 *
 * closed: every trial runs. open: none does, for a while; they are `not_run(breaker)`. half open: one
 * trial probes; if it fails, the wait begins again.
 */

/** Trials that are looked back on. */
const WINDOW = 20;
/** In [0, 1] of a full window. */
const FAILURE_SHARE = 0.5;
const WAIT_MS = 30_000;

type State =
  | { kind: "closed"; failures: boolean[] }
  | { kind: "open"; until: number }
  | { kind: "half_open" };

export interface Breaker {
  /** Whether this trial may run; the one that probes is told so once. */
  admits(flow: string): boolean;
  /** What became of an admitted trial. */
  note(flow: string, failed: boolean): void;
  /** An admitted trial did not end: if it was to probe, the next one does. */
  giveUp(flow: string): void;
}

/** @param now milliseconds of a clock that never goes back. */
export function openBreaker(now: () => number = () => performance.now()): Breaker {
  const states = new Map<string, State>();
  return {
    admits(flow) {
      const state = states.get(flow);
      if (!state || state.kind === "closed") return true;
      if (state.kind === "half_open" || now() < state.until) return false;
      states.set(flow, { kind: "half_open" });
      return true;
    },
    note(flow, failed) {
      states.set(flow, next(states.get(flow), failed, now()));
    },
    giveUp(flow) {
      if (states.get(flow)?.kind === "half_open") states.set(flow, { kind: "open", until: now() });
    },
  };
}

function next(state: State | undefined, failed: boolean, at: number): State {
  switch (state?.kind) {
    case "half_open":
      return failed ? { kind: "open", until: at + WAIT_MS } : { kind: "closed", failures: [] };
    case "open":
      // It was under way when others opened the breaker, or it was the probe that did not end.
      return failed ? { kind: "open", until: at + WAIT_MS } : state;
    case "closed":
    case undefined:
      return after([...(state?.failures ?? []), failed].slice(-WINDOW), at);
    default:
      return state satisfies never;
  }
}

function after(failures: boolean[], at: number): State {
  const failed = failures.filter(Boolean).length;
  return failures.length === WINDOW && failed >= WINDOW * FAILURE_SHARE
    ? { kind: "open", until: at + WAIT_MS }
    : { kind: "closed", failures };
}
