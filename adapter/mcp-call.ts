/** One `tools/call` of an MCP client, put to a tool server. */
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { isTwintrackError, TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../core/json.ts";
import { exact, holdsLongInteger } from "../core/long-integer.ts";
import {
  RESULT_META_KEY,
  type ToolCallOptions,
  type ToolResult,
  TRACE_FIELDS,
} from "../core/tool.ts";
import { errorResult } from "./content.ts";
import { contractValue } from "./contract.ts";
import { canSay, type Era } from "./mcp-list.ts";
import { tooLarge } from "./payload.ts";
import type { ToolServer } from "./tool-server.ts";

export interface CallOptions {
  /** Values for arguments that the host fills; the caller cannot send them. */
  inject?: (tool: string, request: Request | undefined) => ToolCallOptions["inject"];
  /** Larger arguments are refused, and a larger result becomes an error; default 16 MiB each. */
  maxArgumentBytes?: number;
  maxResultBytes?: number;
}

const MAX_BYTES = 16 * 1024 * 1024;

export interface Call {
  name: string;
  arguments?: Record<string, unknown> | undefined;
}

/** What a call needs of the connection it came over. */
export interface CallContext {
  /** Aborted when the client cancels, or goes away. */
  signal: AbortSignal;
  /** The request's `_meta`. */
  meta: Readonly<Record<string, unknown>> | undefined;
  /** Sends `notifications/progress`. */
  notify(params: Record<string, unknown>): Promise<void>;
  /** Over HTTP. */
  request?: Request | undefined;
}

/** The same of the SDK's own context. */
export function callContext({ mcpReq, http }: ServerContext): CallContext {
  return {
    signal: mcpReq.signal,
    meta: mcpReq._meta,
    notify: (params) =>
      mcpReq.notify({ method: "notifications/progress", params } as Parameters<
        typeof mcpReq.notify
      >[0]),
    request: http?.req,
  };
}

/** Two planes: a tool that failed is a result with `isError`, an unknown tool is a protocol error. */
export async function callOverMcp(
  tools: ToolServer,
  { name, arguments: args = {} }: Call,
  options: CallOptions,
  { context, era }: { context: CallContext; era: Era },
): Promise<CallToolResult> {
  const startedAt = performance.now();
  const { maxArgumentBytes = MAX_BYTES, maxResultBytes = MAX_BYTES } = options;
  const refused = tooLarge(`The arguments of ${name}`, args, maxArgumentBytes);
  if (refused) throw new ProtocolError(ProtocolErrorCode.InvalidParams, refused);
  const trace = traceOf(context);
  try {
    const inject = options.inject?.(name, context.request);
    const call: ToolCallOptions = { signal: context.signal };
    if (inject) call.inject = inject;
    if (trace) call.metadata = trace;
    const onProgress = progressOf(context);
    if (onProgress) call.onProgress = onProgress;
    const given = await tools.callTool(name, args as JsonValue, call);
    refuseLarge(name, given, maxResultBytes);
    const result = hasStructure(given) ? given : await withStructure(tools, name, given, era);
    return inDigits(asData(trace ? { ...result, _meta: { ...result._meta, ...trace } } : result));
  } catch (error) {
    if (isTwintrackError(error) && error.code === "TOOL_UNKNOWN") {
      const { message, hint = "" } = error;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${message}. ${hint}`.trim());
    }
    return asData(errorResult(error, performance.now() - startedAt));
  }
}

/** Raw value and structure are what the content tells, so content and artifact give the size. */
function refuseLarge(name: string, { content, _meta }: ToolResult, limitBytes: number): void {
  const kept = _meta?.[RESULT_META_KEY];
  const artifact = isJsonObject(kept) ? (kept.artifact ?? null) : null;
  const reason = tooLarge(`The content of the result of ${name}`, [content, artifact], limitBytes);
  if (reason) {
    throw new TwintrackError("VALUE_TOO_LARGE", reason, {
      hint: "Return less, a page of it for example, or raise maxResultBytes.",
    });
  }
}

/** Progress only for a caller that asked for it. */
function progressOf(context: CallContext): ToolCallOptions["onProgress"] {
  const progressToken = context.meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return (progress) => {
    // A caller that went away is told nothing; the call's own end says so.
    context.notify({ progressToken, ...progress }).catch(() => undefined);
  };
}

/** W3C trace context, from the request's `_meta` or else its HTTP headers; the result gives it back. */
function traceOf({ meta, request }: CallContext): JsonObject | undefined {
  const headers = request?.headers;
  const parent = meta?.traceparent ?? headers?.get("traceparent");
  if (typeof parent !== "string") return undefined;
  const fields = TRACE_FIELDS.map((name) => [name, meta?.[name] ?? headers?.get(name)]);
  return Object.fromEntries(fields.filter(([, value]) => typeof value === "string"));
}

function hasStructure({ isError, structuredContent }: ToolResult): boolean {
  return isError === true || structuredContent !== undefined;
}

/** A client holds us to a declared output schema: no structured content would be its error. */
async function withStructure(
  tools: ToolServer,
  name: string,
  result: ToolResult,
  era: Era,
): Promise<ToolResult> {
  const promised = (await tools.listTools()).find((known) => known.name === name)?.outputSchema;
  if (!promised || !canSay(promised.type, era)) return result;
  const value = contractValue(result);
  if (promised.type !== "object" || isJsonObject(value)) {
    return { ...result, structuredContent: value };
  }
  throw new Error(`${name} did not return the object that its output schema promises`);
}

/** The schema promises integers, and whoever reads them in another language may hold them. */
function inDigits(result: CallToolResult): CallToolResult {
  const structure = result.structuredContent as JsonValue | undefined;
  if (structure === undefined || !holdsLongInteger(structure)) return result;
  return { ...result, structuredContent: exact(structure) } as CallToolResult;
}

/** Over HTTP, a value that JSON refuses would leave the client without any answer. */
function asData(result: ToolResult): CallToolResult {
  const kept = result._meta?.[RESULT_META_KEY];
  // What has our key was made by us, of JSON data alone.
  if (kept !== undefined) return result as unknown as CallToolResult;
  return toJson(result).value as unknown as CallToolResult;
}
