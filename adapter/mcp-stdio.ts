/** MCP on this process's standard input and output. */
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { connectionServer, type McpOptions } from "./mcp-protocol.ts";
import { claimStdout } from "./stdout.ts";
import type { ToolServer } from "./tool-server.ts";

/** A message may carry a document; the SDK's own limit of 10 MiB would close the connection. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Serves until the client closes its end, then closes the tools. */
export async function serveMcpStdio(tools: ToolServer, options: McpOptions = {}): Promise<void> {
  const ended = Promise.withResolvers<void>();
  process.stdin.once("end", ended.resolve);
  process.stdin.once("close", ended.resolve);
  const transport = new StdioServerTransport(process.stdin, claimStdout(), {
    maxBufferSize: MAX_FRAME_BYTES,
  });
  const connection = serveStdio(({ era }) => connectionServer(tools, options, era), { transport });
  await ended.promise;
  await connection.close();
  await tools.close();
}
