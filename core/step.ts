/** One step: its attempts, backoff, time limit and error policy. */
import { askedFor, askModel, questionOf } from "./ask.ts";
import { argsOf, callTool } from "./call.ts";
import { counterpartOf, legacyCall } from "./counterpart.ts";
import { isTwintrackError, TwintrackError } from "./error.ts";
import type { Step } from "./flow.ts";
import type { StepEnd } from "./history.ts";
import { type JsonValue, toJson } from "./json.ts";
import { serializeError } from "./outcome.ts";
import type { Run } from "./run.ts";
import { type Schema, validate, validateJson } from "./schema.ts";

const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 2_000;

/** Wait before the attempt after `attempt` (1-based): 200 ms · 2^n, at most 2,000 ms, times `random`. */
export function backoffMs(attempt: number, random: number): number {
  return Math.min(BACKOFF_BASE_MS * 2 ** (attempt - 1), BACKOFF_CAP_MS) * random;
}

/** One attempt of one step. */
interface Attempt {
  run: Run;
  step: Step;
  /** `input` and the outputs that the step needs. */
  context: object;
  /** 1 for the first. */
  number: number;
}

/** Attempts a step until it returns or its retries are used up, then applies its error policy. */
export async function attemptStep(
  run: Run,
  step: Step,
  context: object,
  earlierAttempts: number,
): Promise<StepEnd> {
  for (let number = earlierAttempts + 1; ; number++) {
    const attempt = { run, step, context, number };
    const startedMs = run.engine.monotonicMs();
    try {
      const output = await attemptOnce(attempt);
      const durationMs = run.engine.monotonicMs() - startedMs;
      await run.record({
        type: "step_returned",
        step: step.name,
        attempt: number,
        output: output ?? null,
        durationMs,
      });
      return output === undefined ? { kind: "absent" } : { kind: "returned", output };
    } catch (thrown) {
      const retryInMs = nextDelayMs(attempt, thrown);
      const error = serializeError(thrown);
      await run.record({ type: "step_failed", step: step.name, attempt: number, error, retryInMs });
      if (retryInMs === null) return giveUp(attempt, thrown);
      await run.engine.sleep(`${step.name}#${number}/backoff`, retryInMs, run.abort.signal);
    }
  }
}

/** Asking again cannot change these. */
const FINAL: readonly string[] = [
  "EFFECT_REFUSED",
  "EFFECT_UNKNOWN",
  "READ_UNRECORDED",
  "MODEL_UNRECORDED",
  "MODEL_UNKNOWN",
  "TOOL_UNKNOWN",
  "FLOW_INVALID",
  "CANCELLED",
];

function nextDelayMs({ run, step, number }: Attempt, thrown: unknown): number | null {
  if (number > step.retries || run.abort.signal.aborted) return null;
  if (isTwintrackError(thrown) && FINAL.includes(thrown.code)) return null;
  return backoffMs(number, step.jitter === "full" ? run.engine.random() : 1);
}

async function giveUp({ run, step, context }: Attempt, thrown: unknown): Promise<StepEnd> {
  if (step.onError === "halt") return { kind: "halted", error: serializeError(thrown) };
  if (step.onError === "continue") {
    await run.record({ type: "step_continued", step: step.name });
    return { kind: "absent" };
  }
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  try {
    const output = toJson(await step.onError.compensate(context, cause, run.info)).value;
    await run.record({ type: "step_compensated", step: step.name, output });
    return { kind: "returned", output };
  } catch (failed) {
    return { kind: "halted", error: serializeError(failed) };
  }
}

/** Where a run keeps its running attempts: one listener stops them all, instead of one for each. */
export function attemptsOf(runSignal: AbortSignal): Set<AbortController> {
  const attempts = new Set<AbortController>();
  const stopAll = () => {
    for (const attempt of attempts) attempt.abort();
  };
  runSignal.addEventListener("abort", stopAll, { once: true });
  return attempts;
}

/** One attempt under the step's time limit. An output of undefined means: no output. */
async function attemptOnce(attempt: Attempt): Promise<JsonValue | undefined> {
  const { run, step, number } = attempt;
  const abort = new AbortController();
  run.attempts.add(abort);
  try {
    const work = run.engine.run(`${step.name}#${number}`, () => act(attempt, abort.signal));
    return await withinLimit(attempt, work, abort);
  } finally {
    run.attempts.delete(abort);
  }
}

/** With a reason of its own, `abort` need not make an exception, stack and all, that nobody reads. */
const ENDED = "the step has ended";

async function withinLimit<T>(
  { run, step, number }: Attempt,
  work: Promise<T>,
  abort: AbortController,
): Promise<T> {
  const finished = new AbortController();
  const key = `${step.name}#${number}/limit`;
  const limit = run.engine.sleep(key, step.timeoutMs, finished.signal).then(() => {
    if (finished.signal.aborted) return work;
    abort.abort();
    throw new TwintrackError(
      "TIMEOUT",
      `Step "${step.name}" did not finish within ${step.timeoutMs} ms`,
    );
  });
  try {
    return await run.engine.race([work, limit]);
  } finally {
    // The race has told its result; what settles later has no reader.
    limit.catch(() => undefined);
    work.catch(() => undefined);
    finished.abort(ENDED);
  }
}

async function act(attempt: Attempt, signal: AbortSignal): Promise<JsonValue | undefined> {
  const { step } = attempt;
  const produced = await perform(attempt, signal);
  const checked = step.output ? await checkedBy(step.output, step, produced) : produced;
  return checked === undefined ? undefined : toJson(checked).value;
}

/** Code may return more than JSON; what tools and models answer is no more. */
function checkedBy(schema: Schema, { name, action }: Step, produced: unknown): Promise<unknown> {
  const what = `Output of step "${name}"`;
  return action.kind === "run"
    ? validate(schema, produced, what, "OUTPUT_INVALID")
    : validateJson(schema, produced as JsonValue, what, "OUTPUT_INVALID");
}

function perform(attempt: Attempt, signal: AbortSignal): Promise<unknown> {
  const { action } = attempt.step;
  switch (action.kind) {
    case "run":
      return runCode(attempt, action, signal);
    case "tool":
      return callStepTool(attempt, action, signal);
    case "model":
      return askStepModel(attempt, action, signal);
    default:
      return action satisfies never;
  }
}

function startOf(step: Step, attempt: number) {
  return { type: "step_started" as const, step: step.name, attempt, ...legacyCall(step.legacy) };
}

async function runCode(
  { run, step, context, number }: Attempt,
  action: Extract<Step["action"], { kind: "run" }>,
  signal: AbortSignal,
): Promise<unknown> {
  await run.record(startOf(step, number));
  const { now, random, id } = run.engine;
  return action.run(context, { ...run.info, signal, attempt: number, now, random, id });
}

async function callStepTool(
  { run, step, context, number }: Attempt,
  action: Extract<Step["action"], { kind: "tool" }>,
  signal: AbortSignal,
): Promise<JsonValue> {
  const args = argsOf(run.context.tools, action.tool, action.args(context, run.info));
  await run.record({ ...startOf(step, number), args });
  const { name, timeoutMs } = step;
  const counterpart = counterpartOf(step.legacy, { context, info: run.info, own: args });
  return callTool(run.context, {
    step: name,
    tool: action.tool,
    args,
    counterpart,
    signal,
    timeoutMs,
  });
}

async function askStepModel(
  { run, step, context, number }: Attempt,
  action: Extract<Step["action"], { kind: "model" }>,
  signal: AbortSignal,
): Promise<JsonValue> {
  const question = questionOf(action.prompt(context, run.info), step.output);
  const args = askedFor(action.model, question);
  await run.record({ ...startOf(step, number), args });
  return askModel(run.context, action.model, question, signal);
}
