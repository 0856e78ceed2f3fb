/** An MCP server as a fetch handler, to be mounted under any HTTP server. */
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import { bodyOf, failure } from "./mcp-body.ts";
import { headerMismatch } from "./mcp-header.ts";
import { connectionServer, type McpOptions, protocolServer } from "./mcp-protocol.ts";
import { openSessions } from "./mcp-session.ts";
import type { ToolServer } from "./tool-server.ts";

export interface McpFetchOptions extends McpOptions {
  /** A larger request is refused with 413; default 16 MiB. */
  maxRequestBytes?: number;
}

export interface McpFetch {
  fetch(request: Request): Promise<Response>;
  /** Ends calls, streams and sessions; the tools stay open. */
  close(): Promise<void>;
}

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/** A fetch handler to mount anywhere. Other hosts and origins than this machine's are refused with 403. */
export function mcpHttpHandler(
  tools: ToolServer,
  options: McpFetchOptions = {},
): (request: Request) => Promise<Response> {
  return mcpFetch(tools, options).fetch;
}

export function mcpFetch(tools: ToolServer, options: McpFetchOptions = {}): McpFetch {
  const { maxRequestBytes = MAX_REQUEST_BYTES } = options;
  const handler = createMcpHandler(({ era }) => protocolServer(tools, options, era), {
    maxRequestBodySize: maxRequestBytes,
  });
  const sessions = openSessions(() => connectionServer(tools, options));
  const stop = tools.onListChanged?.(() => handler.notify.toolsChanged());
  const refusal = guard(options);
  return {
    async fetch(request) {
      const refused = refusal(request);
      if (refused) return refused;
      const body = await bodyOf(request, maxRequestBytes);
      if (body.kind === "refused") return body.response;
      const value = body.kind === "json" ? body.value : undefined;
      const mismatch = await headerMismatch(tools, value, request.headers);
      if (mismatch) return disagreeing(mismatch, value);
      const inSession = sessions.handle(request, value);
      return inSession ?? handler.fetch(request, body.kind === "json" ? { parsedBody: value } : {});
    },
    async close() {
      stop?.();
      await Promise.all([handler.close(), sessions.close()]);
    },
  };
}

const BAD_REQUEST = 400;
const HEADER_MISMATCH = -32_020;

function disagreeing(reason: string, body: unknown): Response {
  const { id } = body as { id?: unknown };
  return failure(BAD_REQUEST, HEADER_MISMATCH, `Headers and body disagree: ${reason}`, id);
}

/** A page in a browser must not reach the tools of the machine it is shown on (DNS rebinding). */
function guard({ allowedHosts = [] }: McpOptions): (request: Request) => Response | undefined {
  const hosts = [...localhostAllowedHostnames(), ...allowedHosts];
  const origins = [...localhostAllowedOrigins(), ...allowedHosts];
  return (request) =>
    hostHeaderValidationResponse(request, hosts) ?? originValidationResponse(request, origins);
}
