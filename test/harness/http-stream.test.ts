/** `POST /flows/:flow/stream`: chunks as the live side makes them, and the trial of the whole answer. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnableLambda } from "@langchain/core/runnables";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { httpChain } from "../../adapter/http-chain.ts";
import { flow } from "../../core/flow.ts";
import { http, resolveConfig } from "../../harness/config.ts";
import { type Server, serve } from "../../harness/http/server.ts";
import { books } from "../../harness/store/books.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { type Endpoint, endpoint } from "../adapter/http-server.ts";
import { RuleModel } from "../adapter/models.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const input = z.object({ text: z.string() });
const gate = Promise.withResolvers<void>();
const left = Promise.withResolvers<void>();

const says = flow("says", { version: "1", input, output: z.unknown() })
  .step("said", { run: ({ input: { text } }) => `I say ${text}` })
  .returns(({ said }) => said);

const model = new RuleModel();
const chatty = RunnableLambda.from(({ text }: { text: string }) => text)
  .pipe(model)
  .pipe(RunnableLambda.from((message: { text: string }) => message.text));

async function* inTwo() {
  yield "first ";
  await gate.promise;
  yield "second";
}

async function* endless(_: unknown, { signal }: { signal: AbortSignal }) {
  signal.addEventListener("abort", () => left.resolve());
  yield "first";
  await left.promise;
}

/** Beyond 2^53, which JavaScript would round to …992. */
const LONG = '{"id":9007199254740993,"near":9007199254740991,"text":"9007199254740993"}';
const counts = flow("counts", { version: "1", input, output: z.unknown() }).returns(() => ({
  id: 9007199254740993n,
  near: Number.MAX_SAFE_INTEGER,
  text: "9007199254740993",
}));

let remote: Endpoint;
let fresh: TestDatabase;
let harness: Harness;
let server: Server;
const folder = mkdtempSync(join(tmpdir(), "twintrack-stream-"));

beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  remote = await endpoint(({ path }, response) => {
    const isStream = path.endsWith("/stream");
    const type = isStream ? "text/event-stream" : "application/json";
    const events = `event: data\ndata: ${LONG}\n\nevent: end\n\n`;
    response.writeHead(200, { "content-type": type });
    response.end(isStream ? events : `{"output":${LONG}}`);
  });
  const config = resolveConfig({
    dataDir: folder,
    flows: {
      chatty: { legacy: () => chatty, candidate: says, input: says.input, stage: "shadow" },
      inTwo: { legacy: () => inTwo },
      endless: { legacy: () => endless },
      fails: { legacy: () => () => Promise.reject(new RangeError("no")) },
      halfway: {
        legacy: () =>
          async function* () {
            yield "half";
            throw new RangeError("no");
          },
      },
      typed: { candidate: says, stage: "retired" },
      counts: { legacy: http(`${remote.url}/invoke`), candidate: counts, stage: "shadow" },
    },
  });
  harness = openHarness({ ...config, databaseUrl: fresh.url });
  server = await serve(harness, { port: 0 });
});
afterAll(async () => {
  await server.close();
  await harness.close();
  await fresh.drop();
  remote.close();
  rmSync(folder, { recursive: true, force: true });
});

const post = (name: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/flows/${name}/stream`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const LIVE = { tools: { mode: "live" as const }, effects: {} };

test("a client of LangServe reads the stream as it is, and the whole answer is compared", async () => {
  const client = httpChain(`${server.url}/flows/chatty/invoke`);
  const stream = client.stream({ text: "one two" }, LIVE);
  const chunks = [];
  let step = await stream.next();
  for (; !step.done; step = await stream.next()) chunks.push(step.value);

  expect(chunks.join("")).toBe("I say one two");
  expect(step.value.outcome).toEqual({ status: "returned", value: "I say one two" });
  await vi.waitFor(
    async () => expect((await books(fresh.db)).verdicts).toMatchObject({ match: 1 }),
    { timeout: 30_000 },
  );
});

test.each([
  ["invoke", `{"output":${LONG},"metadata":`],
  ["stream", `event: data\ndata: ${LONG}\n`],
])(
  "an integer that JavaScript would round reaches the caller as it was, and is compared (%s)",
  async (way, text) => {
    const response = await fetch(`${server.url}/flows/counts/${way}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"input":{"text":"x"}}',
    });
    expect(response.headers.get("content-type")).toMatch(/^(application\/json|text\/event-stream)/);
    expect(await response.text()).toContain(text);
    await harness.settle();
    const trials = await fresh.db.query<{ verdict: string }>(
      "select distinct verdict from twintrack.trials where flow = 'counts'",
    );
    expect(trials).toEqual([{ verdict: "match" }]);
  },
);

test("a chunk is sent when it is made, not with the answer", async () => {
  const response = await post("inTwo", { input: {} });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  gate.resolve();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += new TextDecoder().decode(value);
  }

  expect(first).toBe('event: data\ndata: "first "\n\n');
  expect(rest).toContain('event: data\ndata: "second"\n\n');
  expect(rest).toMatch(
    /event: metadata\ndata: \{"trial":"\d{8}-[0-9a-f-]{36}\.\d+".*\n\nevent: end\n\n$/,
  );
});

test("what does not stream is one chunk", async () => {
  const text = await (await post("typed", { input: { text: "hi" } })).text();
  expect(text).toMatch(/^event: data\ndata: "I say hi"\n\nevent: metadata\n/);
});

test("an answer that was given before is one chunk, and runs nothing", async () => {
  const key = { "idempotency-key": "stream-1" };
  await (await post("chatty", { input: { text: "again" } }, key)).text();
  const asked = model.asked;
  const text = await (await post("chatty", { input: { text: "again" } }, key)).text();

  expect(text).toMatch(/^event: data\ndata: "I say again"\n\n/);
  expect(model.asked).toBe(asked);
});

test("a failure before the first chunk has its status, one after it is an event", async () => {
  const refused = await post("chatty", { input: {} });
  const failed = await post("fails", { input: {} });
  const halfway = await (await post("halfway", { input: {} })).text();

  expect([refused.status, failed.status]).toEqual([422, 502]);
  expect(await refused.json()).toMatchObject({ code: "INPUT_INVALID" });
  expect(await failed.json()).toMatchObject({ code: "LEGACY_FAILED" });
  expect(halfway).toMatch(
    /^event: data\ndata: "half"\n\nevent: error\ndata: \{.*"LEGACY_FAILED".*\}\n\n$/,
  );
});

test("a caller that leaves ends the chain", async () => {
  const response = await post("endless", { input: {} });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await reader.cancel();
  await left.promise;

  expect(await books(await harness.database())).toMatchObject({ unexplained: 0 });
});
