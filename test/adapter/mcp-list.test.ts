/** What an MCP client is told of the tools: pages, hints, schemas, changes, limits, traces. */
import { tool } from "@langchain/core/tools";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { catalog } from "../../adapter/catalog.ts";
import { catalogServer } from "../../adapter/catalog-server.ts";
import { toolServer } from "../../adapter/in-process.ts";
import { type McpHttpOptions, mcpHttpHandler, serveMcpHttp } from "../../adapter/mcp-server.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { RESULT_META_KEY } from "../../core/tool.ts";

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

interface Fields {
  metadata?: Record<string, unknown>;
  responseFormat?: "content_and_artifact";
}

function named(name: string, run: (args: unknown, config: object) => unknown, fields: Fields = {}) {
  const options = { name, description: `is ${name}`, schema: z.looseObject({}), ...fields };
  return tool(run as () => Promise<unknown>, options as never);
}

const ERAS = [
  ["2025-11-25", {}],
  ["2026-07-28", { versionNegotiation: { mode: "auto" as const } }],
] as const;

async function connected(tools: ToolServer, settings: object, options: McpHttpOptions = {}) {
  const server = await serveMcpHttp(tools, options);
  const client = new Client({ name: "test", version: "1" }, settings);
  opened.push(server, client);
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
  return client;
}

describe.each(ERAS)("%s", (era, settings) => {
  test("a long list comes in pages, whole and in order", async () => {
    const names = Array.from({ length: 7 }, (_, index) => `tool_${index}`);
    const tools = toolServer(names.map((name) => named(name, async () => "")));
    const client = await connected(tools, settings, { pageSize: 3 });
    const listed = (await client.listTools()).tools.map(({ name }) => name);

    expect(listed).toEqual(names);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(names);
  });

  test("a cursor of no page is refused", async () => {
    const client = await connected(toolServer([named("one", async () => "")]), settings);

    await expect(client.listTools({ cursor: "bm9uc2Vuc2U" })).rejects.toMatchObject({
      code: -32602,
    });
  });

  test("hints are what somebody declared: the tool's metadata, the config's effects, the host", async () => {
    const metadata = { annotations: { idempotentHint: true } };
    const tools = [
      named("find", async () => "", { metadata }),
      named("pay", async () => ""),
      named("other", async () => ""),
    ];
    const shop = { server: toolServer(tools), effects: { find: "read", pay: "write" } as const };
    const annotations = { "shop.pay": { destructiveHint: false } };
    const server = catalogServer(catalog({ shop }));
    const client = await connected(server, settings, { annotations });
    const [find, pay, other] = (await client.listTools()).tools;

    expect(find?.annotations).toEqual({ idempotentHint: true, readOnlyHint: true });
    expect(pay?.annotations).toEqual({ readOnlyHint: false, destructiveHint: false });
    expect(other).not.toHaveProperty("annotations");
  });

  test("a client hears that the list changed, and the next list is the new one", async () => {
    const tools = toolServer([named("before", async () => "")]);
    const server = catalogServer(catalog({ shop: { server: tools, effects: {} } }));
    const heard = Promise.withResolvers<void>();
    const listChanged = {
      tools: { autoRefresh: false, debounceMs: 0, onChanged: () => heard.resolve() },
    };
    const client = await connected(server, { ...settings, listChanged });
    const names = async () => (await client.listTools()).tools.map(({ name }) => name);

    expect(await names()).toEqual(["shop_before"]);
    // The client's stream for news opens beside its first requests: it is told until it hears.
    const telling = setInterval(
      () => void tools.replaceTools([named("after", async () => "")]),
      50,
    );
    await heard.promise;
    clearInterval(telling);
    expect(await names()).toEqual(["shop_after"]);
    expect(client.getServerCapabilities()?.tools?.listChanged).toBe(true);
  });

  test("of an unknown tool a client is told the names that it sees", async () => {
    const tools = toolServer([named("send_email", async () => "sent")]);
    const client = await connected(
      catalogServer(catalog({ pa: { server: tools, effects: {} } })),
      settings,
    );
    const call = (name: string) => client.callTool({ name, arguments: {} });
    await expect(call("pa_send_emial")).rejects.toThrow("Did you mean pa_send_email?");
    await expect(call("email")).rejects.toThrow("Did you mean pa_send_email?");
    await expect(call("refund")).rejects.toThrow("There are: pa_send_email.");
  });

  test("an output schema that is no object is told to those who may read it", async () => {
    const metadata = { outputSchema: z.array(z.int()) };
    const tools = toolServer([named("numbers", async () => [1, 2], { metadata })]);
    const client = await connected(tools, settings);
    const [numbers] = (await client.listTools()).tools;
    const result = await client.callTool({ name: "numbers", arguments: {} });

    expect(result.isError ?? false).toBe(false);
    expect(result.content).toMatchObject([{ type: "text", text: "[1,2]" }]);
    expect(numbers?.outputSchema?.type).toBe(era === "2026-07-28" ? "array" : undefined);
    expect(result.structuredContent).toEqual(era === "2026-07-28" ? [1, 2] : undefined);
  });

  test("arguments and results beyond the limit are refused with the limit", async () => {
    const tools = toolServer([
      named("big", async () => "x".repeat(5_000)),
      named("small", async () => "x"),
    ]);
    const limits = { maxArgumentBytes: 1_000, maxResultBytes: 4_000 };
    const client = await connected(tools, settings, limits);
    const small = (text: string) => client.callTool({ name: "small", arguments: { text } });
    const big = await client.callTool({ name: "big", arguments: {} });

    await expect(small("x".repeat(2_000))).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("limit of 1000 bytes"),
    });
    expect(await small("x".repeat(500))).toMatchObject({ content: [{ text: "x" }] });
    expect(big.isError).toBe(true);
    expect(big.content).toMatchObject([{ text: expect.stringContaining("limit of 4000 bytes") }]);
    expect(big._meta?.[RESULT_META_KEY]).toMatchObject({ error: { code: "VALUE_TOO_LARGE" } });
  });

  test("trace context reaches the tool, and comes back with the result", async () => {
    const tools = toolServer([
      named("trace", async (_args, config) => (config as { metadata: object }).metadata),
    ]);
    const client = await connected(tools, settings);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const result = await client.callTool({ name: "trace", arguments: {}, _meta: { traceparent } });

    expect(result.structuredContent).toMatchObject({ traceparent });
    expect(result._meta).toMatchObject({ traceparent });
  });
});

test("in 2026-07-28 the list says how long it may be kept", async () => {
  const client = await connected(toolServer([named("one", async () => "")]), ERAS[1][1], {
    cache: { ttlMs: 5_000, cacheScope: "public" },
  });

  expect(await client.listTools()).toMatchObject({ ttlMs: 5_000, cacheScope: "public" });
});

test("a request beyond the limit is refused before it is read", async () => {
  const handle = mcpHttpHandler(toolServer([]), { maxRequestBytes: 100 });
  const post = (body: string) =>
    handle(
      new Request("http://localhost/mcp", { method: "POST", body, headers: { host: "localhost" } }),
    );
  const large = await post(JSON.stringify({ text: "x".repeat(200) }));

  expect(large.status).toBe(413);
  expect(await large.json()).toMatchObject({
    error: { message: expect.stringContaining("limit of 100 bytes") },
  });
  expect((await post("{")).status).toBe(400);
});

test("a session that nobody opened is not found", async () => {
  const handle = mcpHttpHandler(toolServer([]));
  const headers = { host: "localhost", "mcp-session-id": "nobody's" };
  const response = await handle(
    new Request("http://localhost/mcp", { method: "POST", body: "{}", headers }),
  );

  expect(response.status).toBe(404);
});
