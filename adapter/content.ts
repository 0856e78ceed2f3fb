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
import {
  asksGraph,
  type CommandPolicy,
  commandResult,
  dataOfCommands,
  INTERRUPT_HINT,
  interruptsOf,
} from "./command.ts";
import { type Direct, directOutputs, isToolMessage, type MessageLike } from "./message.ts";

export interface ToolReturn {
  /** What `invoke` resolved with: a `ToolMessage`, a `Command`, or anything. */
  output: unknown;
  /** What the tool's function returned; for `content_and_artifact` the pair. */
  raw: unknown;
  durationMs: number;
  commands?: CommandPolicy;
}

export function toolResult(result: ToolReturn): ToolResult {
  const { output, raw, durationMs, commands = "error" } = result;
  const direct = directOutputs(raw) ?? directOutputs(passedOn(output, raw));
  if (direct) return directResult(direct, durationMs, commands);
  const message = isToolMessage(output) ? output : undefined;
  const kept = keptRaw(raw);
  const meta: JsonObject = { ...kept, durationMs };
  if (message?.artifact !== undefined) meta.artifact = dataOf(message.artifact);
  const _meta = { [RESULT_META_KEY]: meta };
  const content = blocksOf(message ? message.content : output, { kept, of: raw });
  if (message?.status === "error") return { content, isError: true, _meta };
  const structured = structuredOf(raw, meta);
  return structured ? { content, structuredContent: structured, _meta } : { content, _meta };
}

/** What LangChain did not wrap in a message of its own, because it is direct output already. */
function passedOn(output: unknown, raw: unknown): unknown {
  const inPair = Array.isArray(raw) && raw[0] === output;
  return isToolMessage(output) && !inPair ? undefined : output;
}

/** A tool that threw, as a result: the model, or the flow, is told in the tool's own words. */
export function errorResult(thrown: unknown, durationMs: number): ToolResult {
  const interrupts = interruptsOf(thrown);
  const text = interrupts ? INTERRUPT_HINT : wordsOf(thrown);
  const error = { ...serializeError(thrown), message: wordsOf(thrown) };
  const meta = { error, ...(interrupts?.length ? { interrupts } : {}), durationMs };
  return { content: [textBlock(text)], isError: true, _meta: { [RESULT_META_KEY]: meta } };
}

/** A tool that returns nothing returned `null`: nothing is lost by saying so. */
export function rawJson(raw: unknown): JsonConversion {
  return raw === undefined ? { value: null, lossy: false } : toJson(raw);
}

/** The tool made its own messages or commands; LangChain passes them on untouched. */
function directResult(
  direct: readonly Direct[],
  durationMs: number,
  policy: CommandPolicy,
): ToolResult {
  const { commands, messages } = sorted(direct);
  if (commands.length > 0) return commandResult(commands, messages, durationMs, policy);
  return messagesResult(messages, durationMs);
}

function sorted(direct: readonly Direct[]) {
  return {
    commands: direct.filter((one) => one.kind === "command").map(({ command }) => command),
    messages: direct.filter((one) => one.kind === "message").map(({ message }) => message),
  };
}

/** What a caller is told of messages and commands, as data; undefined where it is told an error. */
export function toldBy(direct: readonly Direct[]): { data: unknown } | undefined {
  const { commands, messages } = sorted(direct);
  if (commands.some(asksGraph)) return undefined;
  return { data: commands.length > 0 ? dataOfCommands(commands) : contentsOf(messages) };
}

function contentsOf(messages: readonly MessageLike[]): unknown {
  return messages.length > 1 ? messages.map(({ content }) => content) : messages[0]?.content;
}

function messagesResult(messages: readonly MessageLike[], durationMs: number): ToolResult {
  const artifacts = messages.map(({ artifact }) => artifact).filter((one) => one !== undefined);
  const artifact = messages.length > 1 ? artifacts : artifacts[0];
  const meta = {
    ...keptRaw(contentsOf(messages)),
    ...(artifacts.length > 0 ? { artifact: dataOf(artifact) } : {}),
    durationMs,
  };
  return {
    content: messages.flatMap(({ content }) => blocksOf(content)),
    ...(messages.some(({ status }) => status === "error") ? { isError: true } : {}),
    _meta: { [RESULT_META_KEY]: meta },
  };
}

type Kept = { raw: JsonValue; lossy: boolean; reason?: string };

function keptRaw(raw: unknown): Kept {
  try {
    const { value, lossy } = rawJson(raw);
    return { raw: value, lossy };
  } catch (cause) {
    // A cycle has no JSON form at all; the content still tells what the model saw.
    return { raw: null, lossy: true, reason: messageOf(cause) };
  }
}

function dataOf(value: unknown): JsonValue {
  return keptRaw(value).raw;
}

/**
 * Objects only: before revision 2026-07-28 structured content may hold nothing else. Of content
 * and artifact, the artifact is the data, and the content a text about it.
 */
function structuredOf(raw: unknown, kept: JsonObject): JsonObject | undefined {
  if ("artifact" in kept) return isJsonObject(kept.artifact) ? kept.artifact : undefined;
  if (!isJsonObject(kept.raw)) return undefined;
  // Only fields make a structure; of bytes, a map or a date only the tagged form is an object.
  return kept.lossy === true && "$type" in kept.raw && !hasField(raw, "$type")
    ? undefined
    : kept.raw;
}

function hasField(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name);
}

/** `known`: a value and the form in which it was kept. */
function blocksOf(content: unknown, known?: { kept: Kept; of: unknown }): Block[] {
  if (content === undefined) return [textBlock("")];
  if (typeof content === "string") {
    const { raw, lossy } = known?.kept ?? {};
    return [textBlock(lossy && isJsonObject(raw) ? jsonOr(content, raw) : content)];
  }
  if (isBlockList(content) && content.length > 0) return content.map(toMcpBlock);
  return [textBlock(JSON.stringify(known?.of === content ? known?.kept.raw : dataOf(content)))];
}

/** LangChain's text where it is JSON; of a value that has none it makes `[object Object]`. */
function jsonOr(text: string, value: JsonObject): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(value);
  }
}

/** People throw texts and plain objects too; `[object Object]` would tell nobody anything. */
function wordsOf(thrown: unknown): string {
  if (thrown instanceof Error || typeof thrown !== "object" || thrown === null) {
    return messageOf(thrown);
  }
  const { message } = thrown as { message?: unknown };
  return typeof message === "string" ? message : JSON.stringify(dataOf(thrown));
}
