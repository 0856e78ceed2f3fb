/**
 * The interpreter: runs a flow's graph, one promise per step, and writes its history.
 *
 * A step starts as soon as the steps it needs have ended. What the history already says of a step
 * is taken from it, so the same function resumes a run after a crash and replays a finished one.
 */
import { type AskContext, noModels } from "./ask.ts";
import type { CallContext } from "./call.ts";
import { type Engine, inProcessEngine } from "./engine.ts";
import { isTwintrackError, TwintrackError } from "./error.ts";
import type { Flow, Step } from "./flow.ts";
import {
  checkFits,
  mismatch,
  pastOf,
  type RunEvent,
  type RunStore,
  type StepEnd,
  type StepPast,
} from "./history.ts";
import { toJson } from "./json.ts";
import { type Ledger, memoryLedger, occurrenceCounter, type ToolCall } from "./ledger.ts";
import { inCode } from "./long-integer.ts";
import type { ModelCall, ModelPort } from "./model.ts";
import { type Outcome, type SerializedError, serializeError } from "./outcome.ts";
import { pastEnd } from "./past.ts";
import { infoOf, type RunConfig, type RunInfo } from "./run-config.ts";
import { validate, validateJson } from "./schema.ts";
import { attemptStep, attemptsOf } from "./step.ts";
import type { ToolPort } from "./tool.ts";
import type { Side } from "./trigger.ts";
import { visible } from "./visible.ts";

export interface RunOptions {
  tools: ToolPort;
  /** For flows with model steps. */
  models?: ModelPort;
  /** Where the history rests; without one it is only in the result. */
  store?: RunStore;
  /** Grants writes; the default lives as long as this run. */
  ledger?: Ledger;
  engine?: Engine;
  /** Continues the run of this id when the store knows it. Default: a new id. */
  runId?: string;
  /** The trigger the run answers; part of every write's idempotency key. Default: the run id. */
  triggerId?: string;
  /** Of the trigger, for the flow's functions and its tools. */
  config?: RunConfig;
  side?: Side;
  signal?: AbortSignal;
}

export interface RunResult {
  runId: string;
  outcome: Outcome;
  history: RunEvent[];
  calls: ToolCall[];
  modelCalls: ModelCall[];
  durationMs: number;
}

/** State of one run while it runs. */
export interface Run {
  readonly flow: Flow;
  /** What its functions are told beside their context. */
  readonly info: RunInfo;
  readonly engine: Engine;
  readonly context: CallContext & AskContext;
  readonly past: ReadonlyMap<string, StepPast>;
  readonly mode: "run" | "replay";
  /** Aborted when a step halts the run, or by the caller. */
  readonly abort: AbortController;
  /** One for each attempt that is running; aborted with the run. */
  readonly attempts: Set<AbortController>;
  /** `input` and the outputs of the steps that have ended. */
  readonly outputs: { [name: string]: unknown };
  record(
    event: RunEvent extends infer Each ? (Each extends RunEvent ? Omit<Each, "at"> : never) : never,
  ): Promise<void> | undefined;
}

/** Runs a flow. What the flow does wrong is an outcome; it rejects only when the store does. */
export async function runFlow<Input, Output>(
  flow: Flow<Input, Output>,
  input: unknown,
  options: RunOptions,
): Promise<RunResult> {
  const runId = options.runId ?? (options.engine ?? inProcessEngine).id();
  const events = [...((await options.store?.load(runId)) ?? [])];
  checkFits(flow, events);
  return execute(flow, input, options, { runId, events, mode: "run" });
}

export interface Start {
  runId: string;
  events: RunEvent[];
  mode: Run["mode"];
}

export async function execute(
  flow: Flow,
  input: unknown,
  options: RunOptions,
  start: Start,
): Promise<RunResult> {
  const engine = options.engine ?? inProcessEngine;
  const startedMs = engine.monotonicMs();
  const run = newRun(flow, options, start, () => engine.monotonicMs() - startedMs);
  const outcome = pastOutcome(start) ?? (await outcomeOf(run, input, start.events.length === 0));
  return {
    runId: start.runId,
    outcome,
    history: start.events,
    calls: run.context.calls,
    modelCalls: run.context.modelCalls,
    durationMs: engine.monotonicMs() - startedMs,
  };
}

/** A run that has ended is not run again. */
function pastOutcome(start: Start): Outcome | undefined {
  const last = start.mode === "run" ? start.events.at(-1) : undefined;
  if (last?.type === "run_returned") return { status: "returned", value: last.output };
  return last?.type === "run_failed" ? { status: "threw", error: last.error } : undefined;
}

function newRun(flow: Flow, options: RunOptions, start: Start, elapsedMs: () => number): Run {
  const engine = options.engine ?? inProcessEngine;
  const abort = new AbortController();
  if (options.signal?.aborted) abort.abort();
  else options.signal?.addEventListener("abort", () => abort.abort(), { once: true });
  const identity = {
    flow: flow.name,
    triggerId: options.triggerId ?? start.runId,
    side: options.side ?? ("candidate" as const),
  };
  return {
    flow,
    info: infoOf(options.config),
    engine,
    mode: start.mode,
    past: pastOf(start.events),
    abort,
    attempts: attemptsOf(abort.signal),
    outputs: {},
    context: {
      tools: options.tools,
      ledger: options.ledger ?? memoryLedger(),
      config: options.config,
      identity,
      nextOccurrence: occurrenceCounter(),
      calls: [],
      models: options.models ?? noModels,
      modelCalls: [],
      elapsedMs,
    },
    record(event) {
      if (start.mode === "replay") return undefined;
      const dated = { at: engine.now(), ...event } as RunEvent;
      start.events.push(dated);
      return options.store?.append(start.runId, start.events.length - 1, dated);
    },
  };
}

async function outcomeOf(run: Run, input: unknown, isNew: boolean): Promise<Outcome> {
  try {
    const plain = toJson(input).value;
    if (isNew)
      await run.record({
        type: "run_started",
        flow: run.flow.name,
        version: run.flow.version,
        flowHash: run.flow.hash,
        input: plain,
        ...(run.context.config && { config: run.context.config }),
      });
    run.outputs.input = await validateJson(
      run.flow.input,
      plain,
      `Input of flow "${run.flow.name}"`,
      "INPUT_INVALID",
    );
    const halted = await runSteps(run);
    if (halted) return await endFailed(run, halted);
    const answer = await validate(
      run.flow.output,
      run.flow.returns(run.outputs, run.info),
      `Output of flow "${run.flow.name}"`,
      "OUTPUT_INVALID",
    );
    const value = toJson(answer).value;
    await run.record({ type: "run_returned", output: value });
    return { status: "returned", value };
  } catch (thrown) {
    return fail(run, thrown);
  }
}

/** The history must not say that the flow failed when it was read wrongly or could not be written. */
const NOT_THE_FLOWS_FAULT: readonly string[] = ["HISTORY_MISMATCH", "STORE_UNAVAILABLE"];

async function fail(run: Run, thrown: unknown): Promise<Outcome> {
  if (isTwintrackError(thrown) && NOT_THE_FLOWS_FAULT.includes(thrown.code)) throw thrown;
  return endFailed(run, serializeError(thrown));
}

async function endFailed(run: Run, error: SerializedError): Promise<Outcome> {
  await run.record({ type: "run_failed", error });
  return { status: "threw", error };
}

/** Starts every step whose needs have ended, until none is left. Returns the error of the step that halted the run. */
async function runSteps(run: Run): Promise<SerializedError | undefined> {
  const waiting = new Set(run.flow.steps);
  const running = new Map<string, Promise<Ended>>();
  while (waiting.size > 0 || running.size > 0) {
    for (const step of waiting) {
      if (!step.needs.every((need) => need in run.outputs)) continue;
      waiting.delete(step);
      running.set(step.name, runStep(run, step));
    }
    const { step, end } = await run.engine.race([...running.values()]);
    if (end.kind === "halted") return halt(run, step, end.error, running);
    running.delete(step);
    // As it was made just now, or as the history has it.
    const output = end.kind === "returned" ? end.output : undefined;
    run.outputs[step] = output === undefined ? undefined : inCode(output);
  }
  return undefined;
}

const CANCELLED: StepEnd = {
  kind: "halted",
  error: { name: "TwintrackError", code: "CANCELLED", message: "the run was cancelled" },
};

interface Ended {
  step: string;
  end: StepEnd;
}

/** Stops the steps that still run and waits for them: no tool call outlives its run unseen. */
async function halt(
  run: Run,
  step: string,
  error: SerializedError,
  running: ReadonlyMap<string, Promise<Ended>>,
): Promise<SerializedError> {
  run.abort.abort();
  await Promise.allSettled(running.values());
  if (error.code === "HISTORY_MISMATCH")
    throw new TwintrackError("HISTORY_MISMATCH", error.message);
  return { ...error, step };
}

async function runStep(run: Run, step: Step): Promise<Ended> {
  const past = run.past.get(step.name);
  if (past?.end) return { step: step.name, end: pastEnd(run, step, past, past.end) };
  if (run.mode === "replay") {
    const error = serializeError(
      mismatch(run.flow.name, step.name, "the history has no end of this step"),
    );
    return { step: step.name, end: { kind: "halted", error } };
  }
  if (run.abort.signal.aborted) return { step: step.name, end: CANCELLED };
  const context = visible(run, step);
  const wanted = isWanted(run, step, context);
  if (wanted === false) {
    await run.record({ type: "step_skipped", step: step.name });
    return { step: step.name, end: { kind: "absent" } };
  }
  if (wanted !== true) return { step: step.name, end: wanted };
  return { step: step.name, end: await attemptStep(run, step, context, past?.attempts ?? 0) };
}

/** A condition that throws halts the run as its step. */
function isWanted(run: Run, step: Step, context: object): boolean | StepEnd {
  try {
    return step.when?.(context as never, run.info) ?? true;
  } catch (thrown) {
    return { kind: "halted", error: serializeError(thrown) };
  }
}
