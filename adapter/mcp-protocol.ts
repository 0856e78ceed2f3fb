/**
 * A tool server as an MCP server: stdio and streamable HTTP, clients of 2025-11-25 and 2026-07-28.
 *
 * Built on the SDK's low-level `Server`: contracts are JSON Schema already, and LangChain's parser
 * has the last word on arguments, so there is nothing to validate twice.
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { type CacheHint, Server } from "@modelcontextprotocol/server";
import { type CallOptions, callContext, callOverMcp } from "./mcp-call.ts";
import { directly } from "./mcp-direct.ts";
import { type Era, type ListOptions, pageOf } from "./mcp-list.ts";
import type { ToolServer } from "./tool-server.ts";

export interface McpOptions extends ListOptions, CallOptions {
  /** Told to clients; default `twintrack`. */
  name?: string;
  /** Names that a `Host` and an `Origin` may hold beside those of this machine. */
  allowedHosts?: readonly string[];
  /** How long and for whom a client may keep the list of tools; default one minute, for itself. */
  cache?: CacheHint;
}

const CACHE: CacheHint = { ttlMs: 60_000, cacheScope: "private" };

/** One protocol instance; the SDK asks for one per connection, and over HTTP one per request. */
export function protocolServer(
  tools: ToolServer,
  options: McpOptions = {},
  era: Era = "legacy",
): Server {
  const server = new Server(
    { name: options.name ?? "twintrack", version: packageVersion() },
    {
      capabilities: { tools: tools.onListChanged ? { listChanged: true } : {} },
      cacheHints: { "tools/list": options.cache ?? CACHE },
    },
  );
  server.setRequestHandler("tools/list", async ({ params }) =>
    pageOf(await tools.listTools(), params?.cursor, options, era),
  );
  server.setRequestHandler("tools/call", ({ params }, context) =>
    callOverMcp(tools, params, options, { context: callContext(context), era }),
  );
  return server;
}

/** The same for a connection that stays: it is told when the list changes. */
export function connectionServer(
  tools: ToolServer,
  options: McpOptions = {},
  era: Era = "legacy",
): Server {
  const server = protocolServer(tools, options, era);
  if (era === "legacy") {
    const connect = server.connect.bind(server);
    server.connect = (transport) =>
      connect(
        directly(transport, (call, context) => callOverMcp(tools, call, options, { context, era })),
      );
  }
  const stop = tools.onListChanged?.(() => {
    // A client that is about to leave need not hear of it.
    server.sendToolListChanged().catch(() => undefined);
  });
  server.onclose = () => stop?.();
  return server;
}

let version: string | undefined;

function packageVersion(): string {
  version ??= readVersion(findPackageJSON(import.meta.url));
  return version;
}

function readVersion(manifest: string | undefined): string {
  if (manifest === undefined) return "0.0.0";
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version?: string }).version ?? "0.0.0";
}
