/**
 * The append-only history of one run, keyed by step name and attempt, never by position:
 * parallel steps may finish in any order and still replay to the same result.
 */

import type { LegacyCall } from "./counterpart.ts";
import { TwintrackError } from "./error.ts";
import type { Flow } from "./flow.ts";
import type { JsonValue } from "./json.ts";
import type { SerializedError } from "./outcome.ts";
import type { RunConfig } from "./run-config.ts";

export type RunEvent = { at: number } & (
  | {
      type: "run_started";
      flow: string;
      version: string;
      flowHash: string;
      input: JsonValue;
      config?: RunConfig;
    }
  | {
      type: "step_started";
      step: string;
      attempt: number;
      args?: JsonValue;
      /** The call of the old chain that the step stands for. */
      legacy?: LegacyCall;
    }
  | { type: "step_returned"; step: string; attempt: number; output: JsonValue; durationMs: number }
  /** `retryInMs` is null when no attempt is left. */
  | {
      type: "step_failed";
      step: string;
      attempt: number;
      error: SerializedError;
      retryInMs: number | null;
    }
  | { type: "step_skipped"; step: string }
  | { type: "step_continued"; step: string }
  | { type: "step_compensated"; step: string; output: JsonValue }
  | { type: "run_returned"; output: JsonValue }
  | { type: "run_failed"; error: SerializedError }
);

/** Where histories rest. A shadow run has none: it is flushed once, with its result. */
export interface RunStore {
  load(runId: string): Promise<readonly RunEvent[]>;
  /** Appends in order; `seq` is the position of the event in the run's history. */
  append(runId: string, seq: number, event: RunEvent): Promise<void>;
}

/** How a step ended. `halted` ends the run. */
export type StepEnd =
  | { kind: "returned"; output: JsonValue }
  | { kind: "absent" }
  | { kind: "halted"; error: SerializedError };

/** What a history says of one step. */
export interface StepPast {
  attempts: number;
  /** The arguments of the last attempt of a tool step. */
  args?: JsonValue;
  lastError?: SerializedError;
  end?: StepEnd;
}

/** Sorts a history by step. */
export function pastOf(events: readonly RunEvent[]): Map<string, StepPast> {
  const past = new Map<string, StepPast>();
  for (const event of events) {
    if (!("step" in event)) continue;
    const step = past.get(event.step) ?? { attempts: 0 };
    past.set(event.step, step);
    noteEvent(step, event);
  }
  return past;
}

function noteEvent(step: StepPast, event: Extract<RunEvent, { step: string }>): void {
  switch (event.type) {
    case "step_started":
      step.attempts = Math.max(step.attempts, event.attempt);
      if (event.args !== undefined) step.args = event.args;
      return;
    case "step_failed":
      step.lastError = event.error;
      if (event.retryInMs === null) step.end = { kind: "halted", error: event.error };
      return;
    case "step_returned":
    case "step_compensated":
      step.end = { kind: "returned", output: event.output };
      return;
    case "step_skipped":
    case "step_continued":
      step.end = { kind: "absent" };
      return;
    default:
      event satisfies never;
  }
}

/** A step that stands for a call of the old chain. */
export interface HintedStep {
  step: string;
  legacy: LegacyCall;
  /** Of its last attempt, since the run started. */
  startedAtMs: number;
  /** 0 when it did not return. */
  durationMs: number;
}

export function hintedSteps(events: readonly RunEvent[]): HintedStep[] {
  const origin = events[0]?.at ?? 0;
  const steps = new Map<string, HintedStep>();
  for (const event of events) {
    if (event.type === "step_started" && event.legacy) {
      const { step, legacy, at } = event;
      steps.set(step, { step, legacy, startedAtMs: at - origin, durationMs: 0 });
    } else if (event.type === "step_returned") {
      const step = steps.get(event.step);
      if (step) step.durationMs = event.durationMs;
    }
  }
  return [...steps.values()];
}

/**
 * Refuses a history that another flow, or another version of this one, has written.
 *
 * @throws {TwintrackError} `HISTORY_MISMATCH`, naming the step that the flow does not have.
 */
export function checkFits(flow: Flow, events: readonly RunEvent[]): void {
  const known = new Set(flow.steps.map((step) => step.name));
  const stranger = events.find((event) => "step" in event && !known.has(event.step));
  if (stranger && "step" in stranger)
    throw mismatch(flow.name, stranger.step, "the flow has no such step");
  const started = events.find((event) => event.type === "run_started");
  if (started?.type === "run_started" && started.flow !== flow.name) {
    throw new TwintrackError(
      "HISTORY_MISMATCH",
      `This is a history of "${started.flow}", not of "${flow.name}"`,
    );
  }
}

export function mismatch(flow: string, step: string, problem: string): TwintrackError {
  return new TwintrackError(
    "HISTORY_MISMATCH",
    `Flow "${flow}" does not fit the history at step "${step}": ${problem}`,
    { hint: "Run it with the flow version that wrote the history." },
  );
}
