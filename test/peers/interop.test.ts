/** Clients that others wrote call LangChain tools through our server, and get what a direct call gives. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ToolMessage } from "@langchain/core/messages";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1HttpTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { toolServer } from "../../adapter/in-process.ts";
import { type McpHttpServer, serveMcpHttp } from "../../adapter/mcp-server.ts";
import { CALLS, TOOLS } from "./tools.ts";

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const IDENTITY = { name: "test", version: "1" };
const NAMES = [...Object.keys(CALLS), "broken"];

let server: McpHttpServer;

beforeAll(async () => {
  server = await serveMcpHttp(toolServer(TOOLS));
});

afterAll(() => server.close());

interface Found {
  names: string[];
  /** Results by tool name, as MCP. */
  results: Record<string, { content: unknown; structuredContent?: unknown; isError?: boolean }>;
}

/** What the client told of each tool and each call. */
interface McpClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

async function everything(client: McpClient): Promise<Found> {
  const { tools } = await client.listTools();
  const results: Found["results"] = {};
  for (const name of NAMES) {
    const given = { name, arguments: CALLS[name]?.args ?? {} };
    results[name] = (await client.callTool(given)) as Found["results"][string];
  }
  await client.close();
  return { names: tools.map(({ name }) => name), results };
}

async function overSecondSdk(version?: "2026-07-28"): Promise<Found> {
  const mode = version ? { mode: { pin: version } } : { mode: "legacy" as const };
  const client = new Client(IDENTITY, { versionNegotiation: mode });
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
  expect(client.getProtocolEra()).toBe(version ? "modern" : "legacy");
  return everything(client as unknown as McpClient);
}

async function overFirstSdk(): Promise<Found> {
  const client = new V1Client(IDENTITY);
  const transport = new V1HttpTransport(new URL(server.url));
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return everything(client as unknown as McpClient);
}

async function overPython(mode: string): Promise<Found> {
  const calls = { ...CALLS, broken: { args: {} } };
  const script = here("mcp_client.py");
  const python = here("../../.venv/bin/python");
  const { stdout } = await run(python, [script, server.url, mode, JSON.stringify(calls)]);
  const { tools, results } = JSON.parse(stdout) as Pick<Found, "results"> & {
    tools: { name: string }[];
  };
  return { names: tools.map(({ name }) => name), results };
}

const CLIENTS: [string, () => Promise<Found>][] = [
  ["the first TypeScript SDK", overFirstSdk],
  ["the second TypeScript SDK, 2025-11-25", () => overSecondSdk()],
  ["the second TypeScript SDK, 2026-07-28", () => overSecondSdk("2026-07-28")],
  ["the Python SDK, 2025-11-25", () => overPython("legacy")],
  ["the Python SDK, 2026-07-28", () => overPython("2026-07-28")],
];

test.each(CLIENTS)("%s lists every tool, and each call equals a direct one", async (_, find) => {
  const { names, results } = await find();

  expect(names.toSorted()).toEqual(NAMES.toSorted());
  for (const [name, { text }] of Object.entries(CALLS)) {
    expect(results[name]?.content, name).toMatchObject([
      { type: "text", text },
      ...(name === "picture" ? [{ type: "image" }] : []),
    ]);
    expect(results[name]?.isError ?? false, name).toBe(false);
  }
  expect(results.add?.structuredContent).toEqual({ sum: 3 });
  expect(results.rows?.structuredContent).toEqual({ rows: [1, 2] });
  expect(results.broken).toMatchObject({ isError: true, content: [{ text: "out of paper" }] });
});

test("the texts that the matrix expects are those of a direct call", async () => {
  for (const tool of TOOLS as { name: string; invoke(call: object): Promise<ToolMessage> }[]) {
    const expected = CALLS[tool.name.replaceAll(" ", "_")];
    // A direct call wants the date itself: nothing but our server takes it from JSON.
    if (!expected || tool.name === "order") continue;
    const call = { type: "tool_call", id: "1", name: tool.name, args: expected.args };
    const { content } = await tool.invoke(call);
    const text = typeof content === "string" ? content : (content[0] as { text: string }).text;

    expect(text, tool.name).toBe(expected.text);
  }
});

interface AdaptedTool {
  name: string;
  invoke(call: object): Promise<ToolMessage>;
}

interface AdapterModule {
  MultiServerMCPClient: new (
    servers: object,
  ) => { getTools(): Promise<AdaptedTool[]>; close(): Promise<void> };
}

test("LangChain's MCP adapters make LangChain tools of ours, and each call equals a direct one", async () => {
  const entry = new URL("node_modules/@langchain/mcp-adapters/dist/index.js", import.meta.url);
  const { MultiServerMCPClient } = (await import(entry.href)) as AdapterModule;
  const client = new MultiServerMCPClient({
    mcpServers: { twintrack: { url: server.url, transport: "http" } },
  });
  const tools = await client.getTools();

  expect(tools.map(({ name }) => name).toSorted()).toEqual(NAMES.toSorted());
  for (const tool of tools.filter(({ name }) => name !== "broken")) {
    const { args, text } = CALLS[tool.name] ?? { args: {}, text: "" };
    const message = await tool.invoke({ type: "tool_call", id: "1", name: tool.name, args });

    expect(textIn(unpacked(message.content)), tool.name).toBe(text);
  }
  await client.close();
});

test("LangChain's MCP adapters for Python do too", async () => {
  const python = here(".venv/bin/python");
  const { stdout } = await run(python, [
    here("langchain_client.py"),
    server.url,
    JSON.stringify(CALLS),
  ]);
  const { tools, results } = JSON.parse(stdout) as {
    tools: string[];
    results: Record<string, { content: unknown; artifact: unknown }>;
  };

  expect(tools.toSorted()).toEqual(NAMES.toSorted());
  for (const [name, { text }] of Object.entries(CALLS)) {
    expect(textIn(results[name]?.content), name).toBe(text);
  }
  expect(results.rows?.artifact).toMatchObject({ structured_content: { rows: [1, 2] } });
});

/** This client shows its model one text of a server that also sends structure or `_meta` as JSON of all three. */
function unpacked(content: unknown): unknown {
  return typeof content === "string" && content.startsWith('{"type":"text"')
    ? [JSON.parse(content)]
    : content;
}

function textIn(content: unknown): unknown {
  return Array.isArray(content) ? (content[0] as { text?: unknown }).text : content;
}

test.each([
  // Strictness is of schemas: the Inspector has it for the list alone.
  ["tools/list", ["--strict"]],
  ["tools/call", ["--tool-name", "add", "--tool-args-json", '{"a":1}']],
])("the Inspector finds nothing wrong with %s", async (method, more) => {
  const inspector = here(
    "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js",
  );
  const ours = ["--", process.execPath, here("serve.ts")];
  const args = [inspector, "--cli", "--method", method, ...more, ...ours];
  // It exits with another code than 0 for anything wrong, and the call is rejected.
  const { stdout } = await run(process.execPath, args);

  expect(stdout).toContain(method === "tools/list" ? '"get_weather"' : '"sum"');
});
