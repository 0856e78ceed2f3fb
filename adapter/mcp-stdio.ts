/** MCP on this process's standard input and output. */
import { Transform } from "node:stream";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { mayHoldLongInteger } from "../core/long-integer.ts";
import { FrameSplitter } from "./frame.ts";
import { parseMessage } from "./mcp-message.ts";
import { connectionServer, type McpOptions } from "./mcp-protocol.ts";
import { claimStdout } from "./stdout.ts";
import type { ToolServer } from "./tool-server.ts";

/** A message may carry a document; the SDK's own limit of 10 MiB would close the connection. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Serves until the client closes its end, then closes the tools. */
export async function serveMcpStdio(tools: ToolServer, options: McpOptions = {}): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const input = process.stdin.pipe(exactly());
  process.stdin.once("close", () => input.end());
  input.once("end", ended.resolve);
  input.once("close", ended.resolve);
  const transport = new StdioServerTransport(input, claimStdout(), {
    maxBufferSize: Number.POSITIVE_INFINITY, // What comes in is limited before.
  });
  const connection = serveStdio(({ era }) => connectionServer(tools, options, era), { transport });
  await ended.promise;
  await connection.close();
  await tools.close();
}

/** The same lines, but for integers that the SDK's parser would round. */
function exactly(): Transform {
  const splitter = new FrameSplitter(MAX_FRAME_BYTES);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (const frame of splitter.feed(chunk)) {
        if (frame.kind === "oversize") return done(new Error(TOO_LONG));
        this.push(`${rewritten(frame.text)}\n`);
      }
      done();
    },
  });
}

const TOO_LONG = `A message is longer than ${MAX_FRAME_BYTES} bytes`;

function rewritten(text: string): string {
  if (!mayHoldLongInteger(text)) return text;
  try {
    return JSON.stringify(parseMessage(text));
  } catch {
    return text; // No JSON, or nested too deep: the SDK says so.
  }
}
