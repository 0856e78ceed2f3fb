/** Any tool server as an MCP server, on the transport that the caller asks for. */
import { type McpHttpOptions, type McpHttpServer, serveMcpHttp } from "./mcp-http.ts";
import { serveMcpStdio } from "./mcp-stdio.ts";
import type { ToolServer } from "./tool-server.ts";

export { mcpHttpHandler } from "./mcp-fetch.ts";
export { type McpHttpOptions, type McpHttpServer, serveMcpHttp } from "./mcp-http.ts";
export type { McpOptions } from "./mcp-protocol.ts";
export { serveMcpStdio } from "./mcp-stdio.ts";

/**
 * Serves over HTTP when a port is given, and resolves once it listens; else on stdin and stdout,
 * and resolves with undefined once the client has closed them.
 */
export async function serveMcp(
  tools: ToolServer,
  options: McpHttpOptions = {},
): Promise<McpHttpServer | undefined> {
  if (options.port !== undefined) return serveMcpHttp(tools, options);
  await serveMcpStdio(tools, options);
  return undefined;
}
