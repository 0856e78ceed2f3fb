/**
 * The port through which a flow calls tools.
 *
 * `ToolResult` is the shape of MCP's `CallToolResult`, written down here because
 * `core` imports no protocol package. A tool that failed is a result with
 * `isError`; a call that could not be made is a thrown {@link TwintrackError}.
 */

import type { Counterpart } from "./counterpart.ts";
import type { Effect } from "./effect.ts";
import { TwintrackError } from "./error.ts";
import { isJsonObject, type JsonValue } from "./json.ts";
import type { RunConfig } from "./run-config.ts";

/** The one `_meta` key under which the adapter keeps what MCP content cannot carry. */
export const RESULT_META_KEY = "twintrack/result";

export interface ToolResult {
  content: readonly { type: string; [field: string]: unknown }[];
  structuredContent?: unknown;
  isError?: boolean;
  _meta?: { [key: string]: unknown };
}

export interface ToolCallOptions {
  signal?: AbortSignal;
  /** Limit for this call; afterwards it rejects with `TIMEOUT`. */
  timeoutMs?: number;
  /** Progress in the tool's own unit, strictly increasing. */
  onProgress?: (progress: { progress: number; total?: number; message?: string }) => void;
  /** Values for arguments that the host fills (runtime, state, store); never taken from the caller. */
  inject?: Readonly<Record<string, unknown>>;
  /** What the call is to the old chain: a shadow is answered by it. */
  counterpart?: Counterpart;
  /** Of the trigger that is answered: LangChain gives it to the tool as its config. */
  config?: RunConfig;
  /** Told to the tool beside its arguments, and never to the model: trace context, a tenant. */
  metadata?: Readonly<Record<string, unknown>>;
}

/** W3C trace context among a call's `metadata`; MCP carries it in `_meta` under the same names. */
export const TRACE_FIELDS: readonly string[] = ["traceparent", "tracestate", "baggage"];

export interface ToolPort {
  callTool(name: string, args: JsonValue, options?: ToolCallOptions): Promise<ToolResult>;
  /** The declared effect; a port without this method declares nothing, so every tool is a `write`. */
  effectOf?(name: string): Effect;
  /** Arguments after the input schema's defaults and coercions, as the tool itself would see them. */
  canonicalArgs?(name: string, args: JsonValue): JsonValue;
}

/** How a call was answered: by the tool, from the other side's record, from a snapshot of that time, or as its step says. */
export type Served = "live" | "recorded" | "snapshot" | "in_code";

const NOT_LIVE: readonly unknown[] = ["recorded", "snapshot", "in_code"] satisfies Served[];

/**
 * The value a tool returned: the raw one where our adapter kept it, else MCP's
 * structured content, else the text, parsed when it is JSON.
 *
 * @throws {TwintrackError} `TOOL_FAILED` with the tool's own text, and its own error as the cause, when
 *   `isError` is set.
 */
export function resultValue(result: ToolResult): JsonValue {
  if (result.isError) throw failureOf(result);
  const kept = result._meta?.[RESULT_META_KEY];
  if (isJsonObject(kept) && "raw" in kept) return kept.raw as JsonValue;
  if (result.structuredContent !== undefined) return result.structuredContent as JsonValue;
  return parseOrText(textOf(result));
}

/** The failure under its own class name, as our adapter keeps it beside the text. */
function failureOf(result: ToolResult): TwintrackError {
  const kept = result._meta?.[RESULT_META_KEY];
  const error = isJsonObject(kept) && isJsonObject(kept.error) ? kept.error : {};
  const cause = new Error(textOf(result));
  if (typeof error.name === "string") cause.name = error.name;
  return new TwintrackError("TOOL_FAILED", cause.message, { cause });
}

/** What a shadow's port says of its answer; without a word of it the tool itself answered. */
export function servedOf(result: ToolResult): Served {
  const kept = result._meta?.[RESULT_META_KEY];
  const served = isJsonObject(kept) ? kept.served : undefined;
  return NOT_LIVE.includes(served) ? (served as Served) : "live";
}

/** All text blocks of a result, joined by line ends. */
export function textOf(result: ToolResult): string {
  return result.content
    .filter((block) => block.type === "text")
    .map((block) => String(block.text))
    .join("\n");
}

function parseOrText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
