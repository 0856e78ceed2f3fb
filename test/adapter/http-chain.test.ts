import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import type { ChainOptions } from "../../adapter/chain.ts";
import { httpChain } from "../../adapter/http-chain.ts";

const LIVE: ChainOptions = { tools: { mode: "live" }, effects: {} };

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Asked {
  body: unknown;
  headers: Record<string, unknown>;
}

/** A real endpoint; `undefined` leaves the caller waiting. */
async function endpoint(status: number, answer?: string): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const opened = createServer(async (request, response) => {
    asked.push({ body: await json(request), headers: request.headers });
    if (answer !== undefined) response.writeHead(status).end(answer);
  });
  server = opened;
  await new Promise<void>((resolve) => opened.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(opened.address() as AddressInfo).port}/invoke`, asked };
}

test("the input is posted as LangServe takes it, and the output comes back", async () => {
  const { url, asked } = await endpoint(200, '{"output":{"answer":42},"metadata":{}}');
  const run = await httpChain(url, { headers: { "x-key": "k" } }).invoke({ q: 1 }, LIVE);

  expect(run).toMatchObject({ outcome: { status: "returned", value: { answer: 42 } }, calls: [] });
  expect(asked).toMatchObject([{ body: { input: { q: 1 } }, headers: { "x-key": "k" } }]);
});

test.each([
  ["a failure status", 500, "boom", "answered 500: boom"],
  ["a body that is not JSON", 200, "<html>", "did not answer with JSON: <html>"],
  ["a body without output", 200, "{}", "answered without an output"],
])("%s is LEGACY_FAILED with what the endpoint said", async (_, status, body, text) => {
  const { url } = await endpoint(status, body);

  expect((await httpChain(url).invoke({}, LIVE)).outcome).toMatchObject({
    status: "threw",
    error: { code: "LEGACY_FAILED", message: expect.stringContaining(text) },
  });
});

test("an endpoint that does not answer is timed out", async () => {
  const { url } = await endpoint(200);

  expect((await httpChain(url).invoke({}, { ...LIVE, timeoutMs: 30 })).outcome).toEqual({
    status: "timed_out",
    afterMs: 30,
  });
});

test("a remote chain is never called in a shadow, because its writes could not be kept back", async () => {
  const { url, asked } = await endpoint(200, '{"output":1}');
  const tools = { mode: "recorded", recording: [], reads: "live" } as const;
  const run = await httpChain(url).invoke({}, { tools, effects: {} });

  expect(run.outcome).toMatchObject({ status: "threw", error: { code: "SIDE_MISSING" } });
  expect(asked).toEqual([]);
});
