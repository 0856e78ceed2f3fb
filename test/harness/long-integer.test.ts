/** Integers beyond 2^53 in what callers send: a chain that can hold them gets every digit. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { http, python, resolveConfig } from "../../harness/config.ts";
import { type Server, serve } from "../../harness/http/server.ts";
import { fitting } from "../../harness/tap.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { type Endpoint, endpoint } from "../adapter/http-server.ts";
import { here, interpreter } from "../adapter/python-process.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

/** JavaScript would round it to …992. */
const LONG = "9007199254740993";

const typed = flow("typed", {
  version: "1",
  input: z.object({ id: z.number(), list: z.array(z.number()) }),
  output: z.unknown(),
}).returns(({ input }) => input);

/** Finds the order after the one that is asked for, as the chain in Python does. */
const finding = flow("finding", {
  version: "1",
  input: z.object({ id: z.union([z.number(), z.bigint()]) }),
  output: z.object({ next: z.union([z.number(), z.bigint()]) }),
})
  .step("order", {
    tool: "shop.order",
    args: ({ input }) => ({ id: input.id }),
    output: z.object({ next: z.union([z.number(), z.bigint()]) }),
  })
  .returns(({ order }) => ({ next: order.next }));

let remote: Endpoint;
let fresh: TestDatabase;
let harness: Harness;
let server: Server;
const folder = mkdtempSync(join(tmpdir(), "twintrack-long-"));
const asked: string[] = [];

beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  remote = await endpoint(({ text }, response) => {
    asked.push(text);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`{"output":${text}}`);
  });
  const config = resolveConfig({
    dataDir: folder,
    database: { url: fresh.url ?? "" },
    tools: {
      shop: { python: "numbered:TOOLS", interpreter, cwd: here, effects: { order: "read" } },
    },
    flows: {
      inPython: { legacy: python("copy:copy", { interpreter }), candidate: typed },
      behindHttp: { legacy: http(`${remote.url}/echo`) },
      inJavaScript: { legacy: () => (input: unknown) => input },
      typed: { candidate: typed },
      finding: {
        legacy: python("numbered:chain", { interpreter, cwd: here }),
        candidate: finding,
        stage: "shadow",
      },
      cutOver: {
        legacy: python("numbered:chain", { interpreter, cwd: here }),
        candidate: finding,
        stage: "cutover",
      },
    },
  });
  harness = openHarness(config);
  server = await serve(harness, { port: 0 });
});
afterAll(async () => {
  await server.close();
  await harness.close();
  await remote.close();
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function answerOf(flowName: string, body: string): Promise<string> {
  const response = await fetch(`${server.url}/flows/${flowName}/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  return text;
}

const body = (id: string) => `{"input":{"id":${id},"list":[${id},1],"text":"${id}"}}`;

test("a chain in Python gets and gives every digit", async () => {
  const text = await answerOf("inPython", body(LONG));
  expect(text).toContain(`{"output":{"id":${LONG},"list":[${LONG},1],"text":"${LONG}"}`);
});

test("a chain behind HTTP gets and gives every digit", async () => {
  const text = await answerOf("behindHttp", body(LONG));
  expect(asked).toEqual([body(LONG)]);
  expect(text).toContain(`"id":${LONG},"list":[${LONG},1]`);
});

test.each(["inJavaScript", "typed"])(
  "%s gets the number that JavaScript has for it",
  async (name) => {
    const text = await answerOf(name, body(LONG));
    expect(text).toContain(`"id":9007199254740992,"list":[9007199254740992,1]`);
  },
);

test("a tool in Python gets and gives every digit over the server's MCP", async () => {
  const call = { name: "shop_order", arguments: { id: 0 } };
  const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: call };
  const response = await fetch(`${server.url}/mcp`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(request).replace(`{"id":0}`, `{"id":${LONG}}`),
  });
  expect(await response.text()).toContain(`{"id":${LONG},"next":9007199254740994,`);
});

test.each([
  ["finding", LONG],
  ["finding", "7"],
  ["cutOver", LONG],
  ["cutOver", "7"],
])("%s does with %s what the other side does", async (name, id) => {
  const next = String(BigInt(id) + 1n);
  const response = await fetch(`${server.url}/flows/${name}/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"input":{"id":${id}}}`,
  });
  expect(await response.text()).toContain(`{"output":{"next":${next}}`);
  await harness.settle();
  const trials = await fresh.db.query(
    "select verdict, reason, effect_differences as effects from twintrack.trials where id = $1",
    [response.headers.get("twintrack-trial")],
  );
  expect(trials).toEqual([{ verdict: "match", reason: null, effects: 0 }]);
});

test("what was tapped or recorded with one fits a schema of numbers", async () => {
  const input = { id: { $type: "bigint", value: LONG } };
  expect(await fitting(z.object({ id: z.number() }), input)).toBe(input);
  expect(await fitting(z.object({ id: z.boolean() }), input)).toBeUndefined();
});

test("a body that would change a prototype is refused with a long integer as without", async () => {
  const response = await fetch(`${server.url}/flows/typed/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"input":{"__proto__":{"id":${LONG}}}}`,
  });
  expect(response.status).toBe(400);
});
