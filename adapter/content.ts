/**
 * What a LangChain JavaScript tool gave back → MCP's `CallToolResult`.
 *
 * The content is what the model would have read. LangChain turns objects into text and drops
 * artifacts there, so the raw value travels beside it under one `_meta` key:
 * `{ raw, lossy, artifact?, durationMs }`, and `{ error, durationMs }` for a tool that failed.
 * Everything is JSON data: over HTTP a value that JSON refuses would leave the client waiting.
 */
import { messageOf } from "../core/error.ts";
import {
  isJsonObject,
  type JsonConversion,
  type JsonObject,
  type JsonValue,
  toJson,
} from "../core/json.ts";
import { serializeError } from "../core/outcome.ts";
import { RESULT_META_KEY, type ToolResult } from "../core/tool.ts";
import { type Block, isBlockList, textBlock, toMcpBlock } from "./block.ts";

export interface ToolReturn {
  /** What `invoke` resolved with: a `ToolMessage`, a `Command`, or anything. */
  output: unknown;
  /** What the tool's function returned; for `content_and_artifact` the pair. */
  raw: unknown;
  durationMs: number;
}

const COMMAND_HINT =
  "The tool returned a LangGraph Command (goto, update). Only a graph can follow it: return the data, and let the typed flow decide the next step.";
const INTERRUPT_HINT =
  "The tool called interrupt(), which only works inside a graph. In a typed flow, put a `wait` step before the tool instead.";

export function toolResult(result: ToolReturn): ToolResult {
  const { output, raw, durationMs } = result;
  if (hasCommand(output) || hasCommand(raw))
    return errorResult(new Error(COMMAND_HINT), durationMs);
  const message = isToolMessage(output) ? output : undefined;
  const seen = message ? message.content : output;
  const meta = { ...keptRaw(raw), ...keptArtifact(message?.artifact), durationMs };
  if (message?.status === "error") {
    return { content: blocksOf(seen), isError: true, _meta: { [RESULT_META_KEY]: meta } };
  }
  const content = blocksOf(seen);
  const structuredContent = structuredOf(raw, message);
  return {
    content,
    ...(structuredContent && { structuredContent }),
    _meta: { [RESULT_META_KEY]: meta },
  };
}

/** A tool that threw, as a result: the model, or the flow, is told in the tool's own words. */
export function errorResult(thrown: unknown, durationMs: number): ToolResult {
  const text = isInterrupt(thrown) ? INTERRUPT_HINT : messageOf(thrown);
  const meta = { error: { ...serializeError(thrown) }, durationMs };
  return { content: [textBlock(text)], isError: true, _meta: { [RESULT_META_KEY]: meta } };
}

/** A tool that returns nothing returned `null`: nothing is lost by saying so. */
export function rawJson(raw: unknown): JsonConversion {
  return raw === undefined ? { value: null, lossy: false } : toJson(raw);
}

interface MessageLike {
  content: unknown;
  artifact?: unknown;
  status?: string;
}

function isToolMessage(value: unknown): value is MessageLike {
  return isRecord(value) && typeof value.tool_call_id === "string" && "content" in value;
}

function keptRaw(raw: unknown): JsonObject {
  try {
    const { value, lossy } = rawJson(isToolMessage(raw) ? raw.content : raw);
    return { raw: value, lossy };
  } catch (cause) {
    // A cycle has no JSON form at all; the content still tells what the model saw.
    return { raw: null, lossy: true, reason: messageOf(cause) };
  }
}

function keptArtifact(artifact: unknown): { artifact?: JsonValue } {
  if (artifact === undefined) return {};
  try {
    return { artifact: toJson(artifact).value };
  } catch {
    return { artifact: null };
  }
}

/** Objects only: before revision 2026-07-28 structured content may hold nothing else. */
function structuredOf(raw: unknown, message: MessageLike | undefined): JsonObject | undefined {
  const content =
    message && "artifact" in message && message.artifact !== undefined ? first(raw) : raw;
  if (!isRecord(content) || isToolMessage(content) || isBlockList(content)) return undefined;
  const { raw: value } = keptRaw(content);
  return isJsonObject(value) ? value : undefined;
}

function first(raw: unknown): unknown {
  return Array.isArray(raw) ? raw[0] : raw;
}

function blocksOf(content: unknown): Block[] {
  if (content === undefined) return [textBlock("")];
  if (typeof content === "string") return [textBlock(content)];
  if (isBlockList(content) && content.length > 0) return content.map(toMcpBlock);
  return [textBlock(jsonText(content))];
}

function jsonText(content: unknown): string {
  try {
    return JSON.stringify(toJson(content).value);
  } catch {
    return String(content);
  }
}

function hasCommand(value: unknown): boolean {
  return Array.isArray(value) ? value.some(isCommand) : isCommand(value);
}

function isCommand(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return value.lg_name === "Command" || (value.lc_direct_tool_output === true && "goto" in value);
}

function isInterrupt(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return (
    thrown.name === "GraphInterrupt" || /interrupt\(\)|No configurable found/.test(thrown.message)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
