/** The authoritative side: which one it is, and its run. */
import type { ChainRun, ChainStream } from "../adapter/chain.ts";
import { isTwintrackError } from "../core/error.ts";
import type { RunEvent } from "../core/history.ts";
import { digest, type JsonValue } from "../core/json.ts";
import type { Ledger, ToolCall } from "../core/ledger.ts";
import { rounded } from "../core/long-integer.ts";
import type { MemoryRead } from "../core/memory.ts";
import type { ModelCall } from "../core/model.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import { runFlow } from "../core/run.ts";
import { infoOf } from "../core/run-config.ts";
import type { Side, Trigger } from "../core/trigger.ts";
import type { FlowConfig } from "./config.ts";
import type { Sides } from "./side.ts";
import type { FlowStage } from "./stage.ts";

const DEFAULT_TIMEOUT_MS = 60_000;

/** What the caller wants of a run. */
export interface RunWishes {
  signal?: AbortSignal;
  /** Takes legacy's chunks as it makes them; legacy waits for it. */
  onChunk?: (chunk: JsonValue) => Promise<void>;
}

/** What an answer needs beside its trigger. */
interface AnswerContext {
  sides: Sides;
  ledger: Ledger;
}

/** Which side answers. In a canary the same key always gets the same side. */
export function sideOf(stage: FlowStage, config: FlowConfig, trigger: Trigger): Side {
  switch (stage.stage) {
    case "legacy":
    case "shadow":
      return "legacy";
    case "canary": {
      const key = keyOf(config, trigger);
      return shareOf(trigger.flow, key) * 100 < stage.canaryPercent ? "candidate" : "legacy";
    }
    case "cutover":
    case "retired":
      return "candidate";
    default:
      return stage.stage satisfies never;
  }
}

/** A function of the configuration that fails costs the trigger its key, and nobody an answer. */
function keyOf({ canaryKey }: FlowConfig, { id, input, config }: Trigger): string {
  try {
    return canaryKey?.(rounded(input), infoOf(config).config) ?? id;
  } catch {
    return id;
  }
}

/** A stable number in [0, 1) for a key. */
function shareOf(flow: string, key: string): number {
  return Number.parseInt(digest(flow, key).slice(0, 8), 16) / 2 ** 32;
}

/** What the side that answers did. */
export interface AuthoritativeRun {
  outcome: Outcome;
  lossy: boolean;
  calls: ToolCall[];
  modelCalls: ModelCall[];
  memory?: MemoryRead[];
  history?: RunEvent[];
  durationMs: number;
}

export async function runSide(
  context: AnswerContext,
  config: FlowConfig,
  trigger: Trigger,
  side: Side,
  wishes: RunWishes,
): Promise<AuthoritativeRun> {
  const timeoutMs = config.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return side === "legacy"
    ? runLegacy(context, trigger, timeoutMs, wishes)
    : runCandidate(context, trigger, timeoutMs, wishes.signal);
}

async function runLegacy(
  { sides }: AnswerContext,
  trigger: Trigger,
  timeoutMs: number,
  { signal, onChunk }: RunWishes,
): Promise<AuthoritativeRun> {
  const legacy = await sides.legacy(trigger.flow);
  try {
    // Effects are told apart off the live path: here every tool runs anyway.
    const options = {
      tools: { mode: "live" as const },
      effects: {},
      timeoutMs,
      ...(signal ? { signal } : {}),
      ...(trigger.config ? { config: trigger.config } : {}),
    };
    if (!onChunk) return await legacy.invoke(trigger.input, options);
    return await streamed(legacy.stream(trigger.input, options), onChunk);
  } catch (error) {
    // A chain that never started is refused at the door; one that died on the way may have acted.
    if (isTwintrackError(error) && error.code === "PYTHON_UNAVAILABLE") throw error;
    return {
      outcome: { status: "threw", error: serializeError(error) },
      lossy: false,
      calls: [],
      modelCalls: [],
      durationMs: 0,
    };
  }
}

async function streamed(
  stream: ChainStream,
  onChunk: NonNullable<RunWishes["onChunk"]>,
): Promise<ChainRun> {
  for (;;) {
    const step = await stream.next();
    if (step.done) return step.value;
    await onChunk(step.value);
  }
}

async function runCandidate(
  { sides, ledger }: AnswerContext,
  trigger: Trigger,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<AuthoritativeRun> {
  const flow = await sides.candidate(trigger.flow);
  const tools = await sides.catalog();
  await tools.entries();
  const limit = AbortSignal.timeout(timeoutMs);
  const result = await runFlow(flow, trigger.input, {
    tools,
    models: sides.models,
    ledger,
    triggerId: trigger.id,
    ...(trigger.config ? { config: trigger.config } : {}),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  const outcome: Outcome = limit.aborted
    ? { status: "timed_out", afterMs: timeoutMs }
    : result.outcome;
  const { calls, modelCalls, history, durationMs } = result;
  return { outcome, lossy: false, calls, modelCalls, history, durationMs };
}
