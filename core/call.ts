/** One tool call of a flow: granted by the ledger when it writes, recorded always. */
import type { Counterpart } from "./counterpart.ts";
import type { Effect } from "./effect.ts";
import { TwintrackError } from "./error.ts";
import { type JsonValue, toJson } from "./json.ts";
import { idempotencyKey, type Ledger, type LedgerKeyParts, type ToolCall } from "./ledger.ts";
import { type Outcome, serializeError } from "./outcome.ts";
import type { RunConfig } from "./run-config.ts";
import { resultValue, servedOf, type ToolPort } from "./tool.ts";

/** What a run lends to its tool calls. */
export interface CallContext {
  tools: ToolPort;
  ledger: Ledger;
  /** Of the trigger. */
  config: RunConfig | undefined;
  identity: Pick<LedgerKeyParts, "flow" | "triggerId" | "side">;
  nextOccurrence: (tool: string, args: JsonValue) => number;
  calls: ToolCall[];
  elapsedMs: () => number;
}

export interface CallRequest {
  step: string;
  tool: string;
  args: JsonValue;
  counterpart: Counterpart;
  signal: AbortSignal;
  timeoutMs: number;
}

/** Arguments as data, after the tool's own defaults and coercions. */
export function argsOf(tools: ToolPort, tool: string, args: unknown): JsonValue {
  const plain = toJson(args).value;
  return tools.canonicalArgs?.(tool, plain) ?? plain;
}

/**
 * Calls a tool and records the call, whatever came of it.
 *
 * @throws {TwintrackError} `TOOL_FAILED`, `EFFECT_UNKNOWN` for a write whose earlier result is
 *   not known, or what the port throws.
 */
export async function callTool(context: CallContext, request: CallRequest): Promise<JsonValue> {
  const effect = context.tools.effectOf?.(request.tool) ?? "write";
  const record = startRecord(context, request, effect);
  context.calls.push(record);
  try {
    const value = await (effect === "write" ? write : read)(context, request, record);
    record.outcome = { status: "returned", value };
    return value;
  } catch (error) {
    record.outcome = outcomeOf(error, request.timeoutMs);
    if (REFUSED.includes(codeOf(error))) record.served = "refused";
    throw error;
  } finally {
    record.durationMs = context.elapsedMs() - record.startedAtMs;
  }
}

function startRecord(context: CallContext, request: CallRequest, effect: Effect): ToolCall {
  const { tool, args, counterpart, step } = request;
  const { as, inCode } = counterpart;
  return {
    tool,
    args,
    ...(as && { as }),
    ...(inCode && { inCode: true as const }),
    effect,
    occurrence: context.nextOccurrence(tool, args),
    step,
    outcome: { status: "timed_out", afterMs: request.timeoutMs },
    startedAtMs: context.elapsedMs(),
    durationMs: 0,
    served: "live",
  };
}

async function read(
  context: CallContext,
  request: CallRequest,
  record: ToolCall,
): Promise<JsonValue> {
  const { tool, args, counterpart, signal, timeoutMs } = request;
  const { config } = context;
  const options = { signal, timeoutMs, counterpart, ...(config && { config }) };
  const result = await context.tools.callTool(tool, args, options);
  record.served = servedOf(result);
  return resultValue(result);
}

async function write(
  context: CallContext,
  request: CallRequest,
  record: ToolCall,
): Promise<JsonValue> {
  const { tool, args, step } = request;
  // A step makes one call, however often it is attempted: its retries share one key.
  const key = idempotencyKey({ ...context.identity, step, occurrence: 0, tool, args });
  const grant = await context.ledger.acquire(key, { tool, args });
  if (grant.kind === "returned") return grant.value;
  if (grant.kind === "unknown") {
    throw new TwintrackError(
      "EFFECT_UNKNOWN",
      `${tool} was called before for step "${step}" and its result is not known; it is not repeated`,
      { hint: "Check the outside system, then settle the call or start a new trigger." },
    );
  }
  try {
    const value = await read(context, request, record);
    await context.ledger.settle(key, { kind: "returned", value });
    return value;
  } catch (error) {
    const surelyNotDone = SURELY_NOT_DONE.includes(codeOf(error));
    await context.ledger.settle(key, { kind: surelyNotDone ? "failed" : "unknown" });
    throw error;
  }
}

/** Failures after which the tool has surely done nothing; after any other a write may have happened. */
const SURELY_NOT_DONE: readonly unknown[] = [
  "TOOL_FAILED",
  "TOOL_UNKNOWN",
  "EFFECT_REFUSED",
  "READ_UNRECORDED",
];
const REFUSED: readonly unknown[] = ["EFFECT_REFUSED", "READ_UNRECORDED"];

function outcomeOf(error: unknown, timeoutMs: number): Outcome {
  return codeOf(error) === "TIMEOUT"
    ? { status: "timed_out", afterMs: timeoutMs }
    : { status: "threw", error: serializeError(error) };
}

function codeOf(error: unknown): unknown {
  return error instanceof TwintrackError ? error.code : undefined;
}
