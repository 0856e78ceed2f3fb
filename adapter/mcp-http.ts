/** MCP over streamable HTTP on a port of this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { TwintrackError } from "../core/error.ts";
import { type McpFetchOptions, mcpFetch } from "./mcp-fetch.ts";
import type { ToolServer } from "./tool-server.ts";

export interface McpHttpOptions extends McpFetchOptions {
  /** Default 127.0.0.1. Any other machine would reach the tools without a password, so it is refused. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
}

export interface McpHttpServer {
  /** Where clients connect, for example `http://127.0.0.1:3333/mcp`. */
  url: string;
  close(): Promise<void>;
}

const PATH = "/mcp";

/**
 * @throws {TwintrackError} `BIND_REFUSED` for an address other than loopback, `BIND_FAILED` when
 *   the port cannot be opened.
 */
export async function serveMcpHttp(
  tools: ToolServer,
  { host = "127.0.0.1", port = 0, ...options }: McpHttpOptions = {},
): Promise<McpHttpServer> {
  if (!isLoopback(host)) throw refused(host);
  const handler = mcpFetch(tools, options);
  const server = createServer((request, response) => {
    exchange(request, response, handler.fetch).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  });
  await listen(server, host, port);
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}${PATH}`,
    async close() {
      await handler.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await tools.close();
    },
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function refused(host: string): TwintrackError {
  return new TwintrackError(
    "BIND_REFUSED",
    `MCP on ${host} would let every machine that reaches it call your tools`,
    { hint: "Bind to 127.0.0.1 and put a proxy with authentication in front." },
  );
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject).listen(port, host, listening.resolve);
  try {
    await listening.promise;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "EADDRINUSE" ? "another process has it" : String(code);
    throw new TwintrackError("BIND_FAILED", `Port ${port} on ${host} cannot be opened: ${reason}`, {
      cause,
      hint: "Choose another port with --port, or 0 for any free one.",
    });
  }
}

async function exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: (request: Request) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController();
  // In 2026-07-28 a client cancels by closing the response stream.
  outgoing.once("close", () => gone.abort());
  const request = requestOf(incoming, gone.signal);
  const found = new URL(request.url).pathname === PATH;
  const response = found ? await answer(request) : new Response(null, { status: 404 });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (!response.body) return void outgoing.end();
  const body = Readable.fromWeb(response.body as ReadableStream);
  // A client that hangs up is not an error of ours.
  await pipeline(body, outgoing).catch(() => undefined);
}

function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = "GET", url = "/", headers } = incoming;
  const pairs = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  const body = method === "GET" || method === "HEAD" ? null : Readable.toWeb(incoming);
  return new Request(new URL(url, "http://localhost"), {
    method,
    headers: pairs as [string, string][],
    signal,
    ...(body && { body, duplex: "half" }),
  } as unknown as RequestInit);
}
