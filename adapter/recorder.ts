/**
 * The calls of one chain run: recorded, and in recorded mode answered or refused.
 *
 * Only the outermost call counts: what a tool calls inside itself is part of that tool, and is not
 * called when the tool is answered from a record. A write never runs in recorded mode, neither by
 * itself nor inside a read that runs live.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Effect, effectOf } from "../core/effect.ts";
import { TwintrackError } from "../core/error.ts";
import {
  type AnswerBook,
  alikeBut,
  answerBook,
  occurrenceCounter,
  type ToolCall,
} from "../core/ledger.ts";
import type { MemoryRead } from "../core/memory.ts";
import type { ModelCall } from "../core/model.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import { readUnrecorded, recordLossy, writeRefused } from "../core/refusal.ts";
import type { AnswerRead, ChainOptions } from "./chain.ts";
import type { InterceptedCall, Interceptor } from "./context.ts";
import { observe } from "./derive.ts";
import { permitEgress } from "./egress.ts";
import { memoryRecorder } from "./memory.ts";
import { revivedDirect } from "./message-record.ts";
import { modelRecorder } from "./model-recorder.ts";
import { rebuilt } from "./recorded-error.ts";
import { recordedArgs, recordedReturn } from "./tool-record.ts";

export interface Recorder {
  interceptor: Interceptor;
  /** The calls so far; one that has not ended is `timed_out`. */
  calls(): ToolCall[];
  modelCalls(): ModelCall[];
  memoryReads(): MemoryRead[];
  elapsedMs(): number;
}

/** A call from its start on; the outcome comes when it ends. */
type Entry = Omit<ToolCall, "outcome"> & { outcome?: Outcome };

/** The name of the outermost tool whose code runs. */
const insideTool = new AsyncLocalStorage<string>();

export function recorder({ tools, effects }: Pick<ChainOptions, "tools" | "effects">): Recorder {
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  const entries: Entry[] = [];
  const nextOccurrence = occurrenceCounter();
  const book =
    tools.mode === "recorded" ? answerBook(tools.recording, alikeBut(tools.free ?? {})) : undefined;
  const reads = tools.mode === "recorded" ? tools.reads : "live";

  function begin(call: InterceptedCall, effect: Effect): Entry {
    const tool = call.tool.name;
    const args = recordedArgs(call);
    const occurrence = nextOccurrence(tool, args);
    const startedAtMs = elapsedMs();
    const entry: Entry = {
      tool,
      args,
      effect,
      occurrence,
      startedAtMs,
      durationMs: 0,
      served: "live",
    };
    entries.push(entry);
    return entry;
  }

  function intercept(call: InterceptedCall): unknown {
    const effect = effectOf(effects, call.tool.name);
    if (insideTool.getStore() !== undefined) {
      if (book && effect === "write") throw refusedInside(call.tool.name);
      return call.proceed();
    }
    const entry = begin(call, effect);
    if (!book) return runLive(entry, call, elapsedMs);
    return answered(entry, book, { reads, call, elapsedMs });
  }

  const models = modelRecorder(tools, { elapsedMs, insideTool: () => insideTool.getStore() });
  const memory = memoryRecorder(tools, () => insideTool.getStore() !== undefined);
  return {
    interceptor: { tool: intercept, model: models.interceptor, memory: memory.memory },
    elapsedMs,
    calls: () => entries.map((entry) => ended(entry, elapsedMs())),
    modelCalls: models.calls,
    memoryReads: memory.reads,
  };
}

function ended(entry: Entry, nowMs: number): ToolCall {
  const waitedMs = nowMs - entry.startedAtMs;
  if (entry.outcome) return { ...entry, outcome: entry.outcome };
  return { ...entry, outcome: { status: "timed_out", afterMs: waitedMs }, durationMs: waitedMs };
}

function runLive(entry: Entry, call: InterceptedCall, elapsedMs: () => number): Promise<unknown> {
  const { proceed, callId } = call;
  return recorded(entry, () => permitEgress(proceed), { elapsedMs, callId });
}

interface Observed {
  elapsedMs: () => number;
  callId?: string | undefined;
}

function recorded(
  entry: Entry,
  work: () => unknown,
  { elapsedMs, callId }: Observed,
): Promise<unknown> {
  const end = (outcome: Outcome) => {
    entry.outcome = outcome;
    entry.durationMs = elapsedMs() - entry.startedAtMs;
  };
  return observe(() => insideTool.run(entry.tool, work), {
    onReturn(raw) {
      const { outcome, marks } = recordedReturn(raw, callId);
      Object.assign(entry, marks);
      end(outcome);
    },
    onThrow: (thrown) => end({ status: "threw", error: serializeError(thrown) }),
  });
}

interface Unrecorded {
  reads: "recorded" | "live" | AnswerRead;
  call: InterceptedCall;
  elapsedMs: () => number;
}

function answered(entry: Entry, book: AnswerBook, more: Unrecorded): unknown {
  const answer = book.answer(entry.tool, entry.args, entry.effect);
  const { reads, call, elapsedMs } = more;
  if (answer.kind === "recorded") return fromRecord(entry, answer.call, call.callId);
  if (answer.kind === "unrecorded" && reads === "live") return runLive(entry, call, elapsedMs);
  if (answer.kind === "unrecorded" && typeof reads === "function") {
    entry.served = "snapshot";
    return recorded(entry, () => reads(entry.tool, entry.args), { elapsedMs });
  }
  const error = answer.kind === "refused" ? writeRefused(entry.tool) : readUnrecorded(entry.tool);
  entry.served = "refused";
  entry.outcome = { status: "threw", error: serializeError(error) };
  throw error;
}

function fromRecord(
  entry: Entry,
  { outcome, lossy, direct }: ToolCall,
  callId: string | undefined,
): unknown {
  entry.served = "recorded";
  entry.outcome = outcome;
  if (lossy) entry.lossy = true;
  if (direct !== undefined) return revivedDirect(direct, callId);
  switch (outcome.status) {
    case "returned":
      if (lossy) throw recordLossy(entry.tool);
      return structuredClone(outcome.value);
    case "threw":
      throw rebuilt(outcome.error);
    case "timed_out":
      throw new TwintrackError(
        "TIMEOUT",
        `${entry.tool} did not finish within ${outcome.afterMs} ms when it was recorded`,
      );
    default:
      return outcome satisfies never;
  }
}

function refusedInside(tool: string): TwintrackError {
  return new TwintrackError(
    "EFFECT_REFUSED",
    `${tool} is a write inside a tool that is declared a read; it was not executed`,
    { hint: "Declare the outer tool as a write, or the inner one as a read." },
  );
}
