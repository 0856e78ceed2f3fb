/** Tool calls that are answered where they are read: to a client they are the SDK's own. */
import { tool } from "@langchain/core/tools";
import { InMemoryTransport } from "@modelcontextprotocol/client";
import type { Server } from "@modelcontextprotocol/server";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { toolServer } from "../../adapter/in-process.ts";
import { connectionServer, protocolServer } from "../../adapter/mcp-protocol.ts";

let seen: string[];

const add = tool(async ({ a, b }) => ({ sum: a + b }), {
  name: "add",
  description: "Adds.",
  schema: z.object({ a: z.number(), b: z.number() }),
});
const count = tool(
  async function* ({ upto }) {
    for (let n = 1; n <= upto; n += 1) yield n;
    return "counted";
  },
  { name: "count", description: "Counts.", schema: z.object({ upto: z.number() }) },
);
const wait = tool(
  (_: object, config) =>
    new Promise<string>((_resolve, reject) => {
      seen.push("started");
      config.signal?.addEventListener("abort", () => {
        seen.push("stopped");
        reject(new Error("stopped"));
      });
    }),
  { name: "wait", description: "Waits.", schema: z.object({}) },
);

interface Message {
  id?: unknown;
  method?: string;
  result?: { _meta?: unknown };
  error?: unknown;
  params?: unknown;
}

const open: InMemoryTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

/** A client that sends what it is told to, and keeps what it gets. */
async function connected(server: Server) {
  seen = [];
  const got: Message[] = [];
  const [near, far] = InMemoryTransport.createLinkedPair();
  open.push(near);
  near.onmessage = (message) => void got.push(message as Message);
  await near.start();
  await server.connect(far);
  const send = (message: object) => near.send({ jsonrpc: "2.0", ...message } as never);
  const clientInfo = { name: "raw", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  await send({ id: "init", method: "initialize", params });
  await send({ method: "notifications/initialized" });
  await vi.waitFor(() => expect(got).toHaveLength(1));
  got.length = 0;
  return { send, got, close: () => near.close() };
}

const SERVERS = {
  sdk: () => protocolServer(toolServer([add, count, wait])),
  direct: () => connectionServer(toolServer([add, count, wait])),
};

const call = (id: unknown, params: unknown) => ({ id, method: "tools/call", params });

/** How long a call took is the only thing in which two answers may differ. */
function timeless(messages: readonly Message[]): unknown {
  return JSON.parse(JSON.stringify(messages, (key, value) => (key === "durationMs" ? 0 : value)));
}

test.each([
  ["a call", call(1, { name: "add", arguments: { a: 1, b: 2 } })],
  ["a call with a text for its id", call("one", { name: "add", arguments: { a: 1, b: 2 } })],
  ["a call without arguments", call(1, { name: "add" })],
  ["arguments that the tool refuses", call(1, { name: "add", arguments: { a: "1" } })],
  ["arguments that are no object", call(1, { name: "add", arguments: [1] })],
  ["an unknown tool", call(1, { name: "nope", arguments: {} })],
  ["no name", call(1, { arguments: {} })],
  ["no parameters", { id: 1, method: "tools/call" }],
  ["a field that calls do not have", call(1, { name: "add", arguments: { a: 1, b: 2 }, x: 1 })],
  [
    "trace context",
    call(1, { name: "add", arguments: { a: 1, b: 2 }, _meta: { traceparent: "00-1" } }),
  ],
  ["another method", { id: 1, method: "ping" }],
  ["an unknown method", { id: 1, method: "tools/forget" }],
])("%s gets the SDK's own answer", async (_, message) => {
  const answers = [];
  for (const server of [SERVERS.sdk(), SERVERS.direct()]) {
    const client = await connected(server);
    await client.send(message);
    await vi.waitFor(() => expect(client.got).toHaveLength(1), { timeout: 20_000 });
    answers.push(timeless(client.got));
  }
  expect(answers[1]).toEqual(answers[0]);
});

test("progress is told to who asked for it, before the answer", async () => {
  const client = await connected(SERVERS.direct());
  const params = { name: "count", arguments: { upto: 3 } };
  await client.send(call(1, { ...params, _meta: { progressToken: "p" } }));
  await vi.waitFor(() => expect(client.got).toHaveLength(4), { timeout: 20_000 });
  expect(client.got.map(({ method }) => method)).toEqual([
    ...Array(3).fill("notifications/progress"),
    undefined,
  ]);
  expect(client.got[2]).toMatchObject({ params: { progressToken: "p", progress: 3 } });
  await client.send(call(2, params));
  await vi.waitFor(() => expect(client.got).toHaveLength(5), { timeout: 20_000 });
});

test.each(["is taken back", "loses its client"])(
  "a call that %s is stopped in the tool, and not answered",
  async (how) => {
    const client = await connected(SERVERS.direct());
    await client.send(call(7, { name: "wait", arguments: {} }));
    await vi.waitFor(() => expect(seen).toEqual(["started"]), { timeout: 20_000 });
    if (how === "is taken back") {
      await client.send({ method: "notifications/cancelled", params: { requestId: 7 } });
    } else await client.close();
    await vi.waitFor(() => expect(seen).toEqual(["started", "stopped"]), { timeout: 20_000 });
    if (how === "is taken back") {
      await client.send({ id: 8, method: "ping" });
      await vi.waitFor(() => expect(client.got).toHaveLength(1), { timeout: 20_000 });
    }
    expect(client.got.filter(({ id }) => id === 7)).toEqual([]);
  },
);

test("calls side by side are answered each under its own id", async () => {
  const client = await connected(SERVERS.direct());
  const ids = Array.from({ length: 50 }, (_, index) => index);
  await Promise.all(
    ids.map((id) => client.send(call(id, { name: "add", arguments: { a: id, b: 1 } }))),
  );
  await vi.waitFor(() => expect(client.got).toHaveLength(50), { timeout: 20_000 });
  for (const { id, result } of client.got) {
    expect(result).toMatchObject({ structuredContent: { sum: Number(id) + 1 } });
  }
});
