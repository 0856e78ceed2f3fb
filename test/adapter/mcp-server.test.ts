import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { tool } from "@langchain/core/tools";
import {
  Client,
  InMemoryTransport,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as V1StdioTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as V1HttpTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { toolServer } from "../../adapter/in-process.ts";
import { connectionServer } from "../../adapter/mcp-protocol.ts";
import { type McpOptions, mcpHttpHandler, serveMcpHttp } from "../../adapter/mcp-server.ts";
import { RESULT_META_KEY } from "../../core/tool.ts";

const IDENTITY = { name: "test", version: "1" };
const MODERN = { versionNegotiation: { mode: "auto" as const } };

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

const add = tool(async ({ a, b }) => ({ sum: a + b }), {
  name: "add",
  description: "adds",
  schema: z.object({ a: z.number(), b: z.number().default(2) }),
});
const broken = tool(async () => Promise.reject(new Error("out of paper")), {
  name: "print page!",
  description: "fails",
  schema: z.object({}),
});
const huge = tool(async () => ({ count: 10n, at: new Date(0) }), {
  name: "huge",
  description: "returns what JSON has no form for",
  schema: z.object({}),
});
const steps = tool(
  async function* () {
    yield "one";
    yield "two";
    return "done";
  } as unknown as () => Promise<string>,
  { name: "steps", description: "tells its progress", schema: z.object({}) },
);

/** Waits until it is told to stop, and says that it was. */
function patient() {
  const started = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const wait = tool(
    (_args, config) => {
      config.signal?.addEventListener("abort", () => stopped.resolve());
      started.resolve();
      return new Promise<string>(() => undefined);
    },
    { name: "wait", description: "", schema: z.object({}) },
  );
  return { wait, started: started.promise, stopped: stopped.promise };
}

const tools = [add, broken, huge, steps];

async function overMemory(served: readonly unknown[] = tools, options: McpOptions = {}) {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client(IDENTITY);
  await connectionServer(toolServer(served), options).connect(far);
  await client.connect(near);
  opened.push(client);
  return client;
}

async function overHttp(served: readonly unknown[] = tools, settings: object = {}) {
  const server = await serveMcpHttp(toolServer(served));
  const client = new Client(IDENTITY, settings);
  opened.push(server, client);
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
  return client;
}

async function overStdio(settings: object = {}) {
  const transport = new StdioClientTransport(childProcess());
  const errors: Error[] = [];
  const client = new Client(IDENTITY, settings);
  client.onerror = (error) => void errors.push(error);
  opened.push(client);
  await client.connect(transport);
  return { client, errors };
}

function childProcess() {
  const script = fileURLToPath(new URL("serve-stdio.ts", import.meta.url));
  return {
    command: process.execPath,
    args: [script],
    stderr: "ignore" as const,
    maxBufferSize: 64 * 1024 * 1024,
  };
}

const CLIENTS: [string, () => Promise<Client>][] = [
  ["in memory", overMemory],
  ["over HTTP, 2025-11-25", () => overHttp()],
  ["over HTTP, 2026-07-28", () => overHttp(tools, MODERN)],
  ["over stdio, 2025-11-25", async () => (await overStdio()).client],
  ["over stdio, 2026-07-28", async () => (await overStdio(MODERN)).client],
];

test("a client that offers 2026-07-28 is served in that revision, on HTTP and on stdio", async () => {
  const { client: piped } = await overStdio(MODERN);
  const overPort = await overHttp(tools, MODERN);

  expect(piped.getProtocolEra()).toBe("modern");
  expect(overPort.getProtocolEra()).toBe("modern");
});

test.each(CLIENTS)(
  "a client %s lists tools and gets structured and raw values",
  async (_, connect) => {
    const client = await connect();
    const { tools: listed } = await client.listTools();
    const result = await client.callTool({ name: "add", arguments: { a: 1 } });

    expect(listed[0]).toMatchObject({
      name: "add",
      inputSchema: { type: "object", required: ["a"] },
    });
    expect(result).toMatchObject({
      structuredContent: { sum: 3 },
      content: [{ text: '{"sum":3}' }],
    });
    expect(result._meta?.[RESULT_META_KEY]).toMatchObject({ raw: { sum: 3 }, lossy: false });
  },
);

test.each([
  ["stdio", () => new V1StdioTransport(childProcess())],
  [
    "HTTP",
    async () => {
      const server = await serveMcpHttp(toolServer(tools));
      opened.push(server);
      return new V1HttpTransport(new URL(server.url));
    },
  ],
])("a client of the first SDK works over %s", async (_, transport) => {
  const client = new V1Client(IDENTITY);
  opened.push(client);
  await client.connect((await transport()) as Parameters<typeof client.connect>[0]);

  expect((await client.listTools()).tools[0]?.name).toBe("add");
  expect(await client.callTool({ name: "add", arguments: { a: 1, b: 1 } })).toMatchObject({
    structuredContent: { sum: 2 },
  });
});

test("a name that is not legal keeps the author's as its title, and hints are only what was declared", async () => {
  const client = await overMemory(tools, { annotations: { add: { readOnlyHint: true } } });
  const [first, second] = (await client.listTools()).tools;

  expect(first).toMatchObject({ name: "add", annotations: { readOnlyHint: true } });
  expect(first).not.toHaveProperty("title");
  expect(second).toMatchObject({ name: "print_page_", title: "print page!" });
  expect(second).not.toHaveProperty("annotations");
});

test("a tool that fails is a result; a tool that is not there is a protocol error", async () => {
  const client = await overHttp();
  const failed = await client.callTool({ name: "print_page_", arguments: {} });

  expect(failed).toMatchObject({ isError: true, content: [{ text: "out of paper" }] });
  expect(failed).not.toHaveProperty("structuredContent");
  await expect(client.callTool({ name: "ad", arguments: {} })).rejects.toMatchObject({
    code: -32602,
  });
});

test("a value that JSON has no form for still gets an answer over HTTP", async () => {
  const result = await (await overHttp(tools, MODERN)).callTool({ name: "huge", arguments: {} });

  expect(result._meta?.[RESULT_META_KEY]).toMatchObject({
    lossy: true,
    raw: { count: { value: "10" } },
  });
});

test.each(CLIENTS.slice(0, 3))(
  "progress reaches a client %s that asked for it",
  async (_, connect) => {
    const seen: unknown[] = [];
    const client = await connect();
    await client.callTool(
      { name: "steps", arguments: {} },
      { onprogress: ({ progress, message }) => void seen.push([progress, message]) },
    );

    expect(seen).toEqual([
      [1, "one"],
      [2, "two"],
    ]);
  },
);

test.each([
  ["in memory", (served: readonly unknown[]) => overMemory(served)],
  ["over HTTP, 2025-11-25", (served: readonly unknown[]) => overHttp(served)],
  ["over HTTP, 2026-07-28", (served: readonly unknown[]) => overHttp(served, MODERN)],
])("a call that the client cancels is cancelled in the tool: %s", async (_, connect) => {
  const { wait, started, stopped } = patient();
  const client = await connect([wait]);
  const caller = new AbortController();
  const call = client.callTool({ name: "wait", arguments: {} }, { signal: caller.signal });
  await started;
  caller.abort("enough");

  await expect(call).rejects.toThrow();
  await stopped;
});

test("what tools print never reaches the protocol", async () => {
  const { client, errors } = await overStdio();

  expect(await client.callTool({ name: "noisy", arguments: {} })).toMatchObject({
    content: [{ text: "quiet" }],
  });
  expect(errors).toEqual([]);
});

test("an answer larger than a pipe's buffer arrives whole, beside others", async () => {
  const { client } = await overStdio();
  const sizes = Array.from({ length: 12 }, (_, index) => 200_000 + index);
  const results = await Promise.all(
    sizes.map((size) => client.callTool({ name: "big", arguments: { size } })),
  );

  expect(results.map(({ content }) => (content[0] as { text: string }).text.length)).toEqual(sizes);
});

test("injected values come from the host and not from the caller", async () => {
  const whoami = tool(async (_args, config) => ({ user: config.context?.user ?? "nobody" }), {
    name: "whoami",
    description: "",
    schema: z.object({}),
  });
  const client = await overMemory([whoami], { inject: () => ({ context: { user: "ada" } }) });
  const spoofed = { name: "whoami", arguments: { context: { user: "eve" } } };

  expect(await client.callTool(spoofed)).toMatchObject({ structuredContent: { user: "ada" } });
});

test("a foreign Host or Origin is refused", async () => {
  const handle = mcpHttpHandler(toolServer(tools));
  const post = (headers: Record<string, string>) =>
    handle(
      new Request("http://localhost/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
      }),
    );

  expect((await post({ host: "evil.example" })).status).toBe(403);
  expect((await post({ host: "localhost", origin: "https://evil.example" })).status).toBe(403);
  expect((await post({ host: "localhost:3000", origin: "http://localhost:5173" })).status).toBe(
    200,
  );
});

test("an address that others can reach is refused", async () => {
  await expect(serveMcpHttp(toolServer(tools), { host: "0.0.0.0" })).rejects.toMatchObject({
    code: "BIND_REFUSED",
  });
});

test("a port that is taken is named", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;

  await expect(serveMcpHttp(toolServer(tools), { port })).rejects.toMatchObject({
    code: "BIND_FAILED",
    message: expect.stringContaining(String(port)),
  });
  other.close();
});
