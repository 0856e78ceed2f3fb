/** MCP on this process's standard input and output. */
import { Writable } from "node:stream";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { connectionServer, type McpOptions } from "./mcp-protocol.ts";
import type { ToolServer } from "./tool-server.ts";

/** A message may carry a document; the SDK's own limit of 10 MiB would close the connection. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

let protocolOut: Writable | undefined;

/**
 * Sends what anything in this process prints to stderr from now on, and keeps stdout for the
 * protocol. Call it before user modules are imported: some print while they load.
 */
export function claimStdout(): Writable {
  protocolOut ??= takeStdout();
  return protocolOut;
}

function takeStdout(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  const out = new Writable({
    write: (chunk, _encoding, done) => void write(chunk, (error) => done(error)),
  });
  // Each large answer in flight waits for `drain`; that is no leak.
  out.setMaxListeners(0);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return out;
}

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
