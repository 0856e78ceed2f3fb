/**
 * A tool server as an MCP server: stdio and streamable HTTP, clients of 2025-11-25 and 2026-07-28.
 *
 * Built on the SDK's low-level `Server`: contracts are JSON Schema already, and LangChain's parser
 * has the last word on arguments, so there is nothing to validate twice. Two planes stay apart: a
 * tool that failed is a result with `isError`, an unknown tool is a protocol error.
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import {
  type CallToolResult,
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  type McpHttpHandler,
  originValidationResponse,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type Tool,
  type ToolAnnotations,
} from "@modelcontextprotocol/server";
import { isTwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonValue, toJson } from "../core/json.ts";
import { RESULT_META_KEY, type ToolCallOptions, type ToolResult } from "../core/tool.ts";
import { errorResult } from "./content.ts";
import type { Contract, ToolServer } from "./tool-server.ts";

export interface McpOptions {
  /** Told to clients; default `twintrack`. */
  name?: string;
  /** Hints for clients by the author's tool name. Never guessed: a wrong hint is worse than none. */
  annotations?: Readonly<Record<string, ToolAnnotations>>;
  /** Values for arguments that the host fills; the caller cannot send them. */
  inject?: (tool: string, request: Request | undefined) => ToolCallOptions["inject"];
  /** Names that a `Host` and an `Origin` may hold beside those of this machine. */
  allowedHosts?: readonly string[];
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** One protocol instance; the SDK asks for one per connection, and over HTTP one per request. */
export function protocolServer(tools: ToolServer, options: McpOptions = {}): Server {
  const server = new Server(
    { name: options.name ?? "twintrack", version: packageVersion() },
    { capabilities: { tools: {} } },
  );
  server.setRequestHandler("tools/list", async () => {
    const contracts = await tools.listTools();
    return { tools: contracts.map((contract) => toolOf(contract, options)) };
  });
  server.setRequestHandler("tools/call", ({ params }, context) =>
    callTool(tools, params.name, (params.arguments ?? {}) as JsonValue, options, context),
  );
  return server;
}

/** A fetch handler to mount anywhere. Other hosts and origins than this machine's are refused with 403. */
export function mcpHttpHandler(
  tools: ToolServer,
  options: McpOptions = {},
): (request: Request) => Promise<Response> {
  return guarded(httpHandler(tools, options), options);
}

export function httpHandler(tools: ToolServer, options: McpOptions): McpHttpHandler {
  return createMcpHandler(() => protocolServer(tools, options), {
    maxRequestBodySize: MAX_BODY_BYTES,
  });
}

/** A page in a browser must not reach the tools of the machine it is shown on (DNS rebinding). */
export function guarded(
  handler: McpHttpHandler,
  { allowedHosts = [] }: McpOptions,
): (request: Request) => Promise<Response> {
  const hosts = [...localhostAllowedHostnames(), ...allowedHosts];
  const origins = [...localhostAllowedOrigins(), ...allowedHosts];
  return async (request) =>
    hostHeaderValidationResponse(request, hosts) ??
    originValidationResponse(request, origins) ??
    handler.fetch(request);
}

function toolOf(contract: Contract, { annotations = {} }: McpOptions): Tool {
  const { name, originalName, description, inputSchema, outputSchema } = contract;
  const hints = annotations[originalName];
  return {
    name,
    description,
    inputSchema: inputSchema as Tool["inputSchema"],
    ...(originalName === name ? {} : { title: originalName }),
    // Clients of 2025 throw on any other root.
    ...(outputSchema?.type === "object"
      ? { outputSchema: outputSchema as Tool["outputSchema"] }
      : {}),
    ...(hints && { annotations: hints }),
  };
}

async function callTool(
  tools: ToolServer,
  name: string,
  args: JsonValue,
  options: McpOptions,
  context: ServerContext,
): Promise<CallToolResult> {
  const startedAt = performance.now();
  try {
    const inject = options.inject?.(name, context.http?.req);
    const result = await tools.callTool(name, args, {
      signal: context.mcpReq.signal,
      ...progressOf(context),
      ...(inject && { inject }),
    });
    return asData(await withStructure(tools, name, result));
  } catch (error) {
    if (isTwintrackError(error) && error.code === "TOOL_UNKNOWN") {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
    }
    return asData(errorResult(error, performance.now() - startedAt));
  }
}

/** Progress only for a caller that asked for it. */
function progressOf(context: ServerContext): Pick<ToolCallOptions, "onProgress"> {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return {};
  return {
    onProgress: (progress) => {
      const params = { progressToken, ...progress };
      // A caller that went away is told nothing; the call's own end says so.
      context.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
    },
  };
}

/** A client holds us to a declared output schema: no structured content would be its error. */
async function withStructure(
  tools: ToolServer,
  name: string,
  result: ToolResult,
): Promise<ToolResult> {
  if (result.isError || result.structuredContent !== undefined) return result;
  const contract = (await tools.listTools()).find((known) => known.name === name);
  if (contract?.outputSchema?.type !== "object") return result;
  const kept = result._meta?.[RESULT_META_KEY];
  const raw = isJsonObject(kept) ? kept.raw : undefined;
  if (isJsonObject(raw)) return { ...result, structuredContent: raw };
  return errorResult(
    new Error(`${name} did not return the object that its output schema promises`),
    0,
  );
}

/** Over HTTP, a value that JSON refuses would leave the client without any answer. */
function asData(result: ToolResult): CallToolResult {
  return toJson(result).value as unknown as CallToolResult;
}

function packageVersion(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) return "0.0.0";
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version?: string }).version ?? "0.0.0";
}
