/** The tracer inside a service: what it tells of real chains, and that the service is left alone. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { RunnableLambda, RunnableSequence } from "@langchain/core/runnables";
import { DynamicTool, StructuredTool, tool } from "@langchain/core/tools";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { createAgent } from "langchain";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { TapSender } from "../../adapter/tap-sender.ts";
import { type TracerOptions, TwintrackTracer } from "../../adapter/tracer.ts";
import type { TapBatch, TappedRun } from "../../core/tap.ts";
import { EchoLlm, RuleModel } from "./models.ts";

let server: Server;
let url: string;
let batches: TapBatch[];
let statuses: number[];
let asked: { path: string; authorization: string | undefined }[];
/** Requests are answered when it resolves. */
let open: Promise<void>;

beforeEach(async () => {
  [batches, statuses, asked, open] = [[], [], [], Promise.resolve()];
  server = createServer(async (request, response) => {
    asked.push({ path: request.url ?? "", authorization: request.headers.authorization });
    const batch = (await json(request)) as TapBatch;
    await open;
    const status = statuses.shift() ?? 200;
    if (status === 200) batches.push(batch);
    response.writeHead(status).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function tracer(more: Partial<TracerOptions> = {}): Promise<TwintrackTracer> {
  const made = new TwintrackTracer({ flow: "f", url, ...more });
  await made.ready;
  return made;
}

/** What was told after everything was sent. */
async function told(from: TwintrackTracer): Promise<TappedRun[]> {
  await from.close(10_000);
  return batches.flatMap(({ runs }) => runs);
}

const shout = tool(({ text, times }) => ({ loud: text.toUpperCase().repeat(times) }), {
  name: "shout",
  description: "Says it louder.",
  schema: z.object({ text: z.string(), times: z.number().default(1) }),
});

test("an agent's run is told with its trigger, answer, parsed arguments, raw results and model calls", async () => {
  const watching = await tracer();
  const agent = createAgent({ model: new RuleModel(), tools: [shout] });
  const state = await agent.invoke(
    { messages: [{ role: "user", content: "hi" }] },
    { callbacks: [watching] },
  );
  const [run, ...others] = await told(watching);

  expect(others).toEqual([]);
  expect(state.messages).toHaveLength(4);
  expect(run?.outcome).toMatchObject({ status: "returned", value: { messages: { length: 4 } } });
  expect(run?.calls).toMatchObject([
    {
      tool: "shout",
      args: { text: "hi", times: 1 },
      outcome: { status: "returned", value: { loud: "HI" } },
    },
  ]);
  expect(run?.modelCalls.map(({ request }) => [request.model, request.messages.length])).toEqual([
    ["rule-1", 1],
    ["rule-1", 3],
  ]);
  expect(run?.modelCalls[0]?.request.tools).toMatchObject([{ name: "shout" }]);
  expect(JSON.stringify(batches)).not.toContain("sk-secret");
  expect(asked[0]).toEqual({ path: "/tap/f", authorization: undefined });
});

const state = Annotation.Root({ text: Annotation<string> });
const graph = new StateGraph(state)
  .addNode("louder", async ({ text }) => ({ text: (await shout.invoke({ text })).loud }))
  .addEdge(START, "louder")
  .addEdge("louder", END)
  .compile();

test.each([
  ["a lambda", RunnableLambda.from((text: string) => `${text}!`), "hi", { input: "hi" }, "hi!"],
  ["a record", RunnableLambda.from((given: object) => given), { a: 1 }, { a: 1 }, { a: 1 }],
  ["a graph", graph, { text: "hi" }, { text: "hi" }, { text: "HI" }],
] as const)("the input and the answer of %s are told", async (_, chain, input, trigger, answer) => {
  const watching = await tracer();
  await chain.invoke(input as never, { callbacks: [watching] });
  const [run] = await told(watching);

  expect(run).toMatchObject({ input: trigger, outcome: { status: "returned", value: answer } });
});

test("a streamed run is told once, with the whole answer", async () => {
  const watching = await tracer();
  const chain = RunnableSequence.from([(text: string) => text, new RuleModel()]);
  for await (const _ of await chain.stream("one two", { callbacks: [watching] }));
  const runs = await told(watching);

  expect(runs).toHaveLength(1);
  expect(runs[0]?.outcome).toMatchObject({ value: { kwargs: { content: "I say one two" } } });
  expect(runs[0]?.modelCalls).toMatchObject([{ outcome: { value: { content: "I say one two" } } }]);
});

test("failures of the chain, of a tool and of a model are told as such", async () => {
  const watching = await tracer();
  const broken = tool(() => Promise.reject(new RangeError("no")), {
    name: "broken",
    description: "Fails.",
    schema: z.object({}),
  });
  const model = new RuleModel();
  const chain = RunnableLambda.from(async (_: string, config) => {
    await broken.invoke({}, config).catch(() => undefined);
    await model.invoke("fail", config).catch(() => undefined);
    throw new TypeError("the end");
  });
  await expect(chain.invoke("x", { callbacks: [watching] })).rejects.toThrow("the end");
  const [run] = await told(watching);

  expect(run).toMatchObject({
    outcome: { status: "threw", error: { name: "TypeError", message: "the end" } },
    calls: [{ tool: "broken", outcome: { status: "threw", error: { name: "RangeError" } } }],
    modelCalls: [{ outcome: { status: "threw", error: { name: "RangeError" } } }],
  });
});

test("only the outermost tool is told, and a model inside names it", async () => {
  const watching = await tracer();
  const model = new EchoLlm({});
  const outer = tool(
    async ({ text }, config) => {
      await shout.invoke({ text, times: 1 }, config);
      return model.invoke(text, config);
    },
    { name: "outer", description: "Uses others.", schema: z.object({ text: z.string() }) },
  );
  const chain = RunnableLambda.from((text: string, config) => outer.invoke({ text }, config));
  await chain.invoke("hi", { callbacks: [watching] });
  const [run] = await told(watching);

  expect(run?.calls.map(({ tool: name }) => name)).toEqual(["outer"]);
  expect(run?.modelCalls).toMatchObject([
    { insideTool: "outer", outcome: { value: { content: "echo hi" } } },
  ]);
});

class Counting extends StructuredTool<z.ZodObject<{ n: z.ZodNumber }>> {
  #calls = 0;
  override name = "counting";
  override description = "Has a private field.";
  override schema = z.object({ n: z.number() });
  protected override async _call({ n }: { n: number }): Promise<string> {
    this.#calls += n;
    return `${this.#calls}`;
  }
}

test("tools of every make run as before, and are told by the author's name", async () => {
  const watching = await tracer();
  const counting = new Counting();
  const plain = new DynamicTool({
    name: "plain",
    description: "Text.",
    func: async (x) => `<${x}>`,
  });
  const pair = tool(async () => ["text", { data: [1] }], {
    name: "pair",
    description: "Text and data.",
    schema: z.object({}),
    responseFormat: "content_and_artifact",
  });
  const chain = RunnableLambda.from(async (_: string, config) => [
    await counting.invoke({ n: 2 }, config),
    await plain.invoke("x", config),
    (await pair.invoke({ type: "tool_call", id: "1", name: "pair", args: {} }, config)).artifact,
  ]);
  const answer = await chain.invoke("x", { callbacks: [watching] });
  const [run] = await told(watching);

  expect(answer).toEqual(["2", "<x>", { data: [1] }]);
  expect(run?.calls.map(({ tool: name, outcome }) => [name, outcome])).toEqual([
    ["counting", { status: "returned", value: "2" }],
    ["plain", { status: "returned", value: "<x>" }],
    ["pair", { status: "returned", value: ["text", { data: [1] }] }],
  ]);
});

test("a frozen tool runs as before, and is told as callbacks tell it", async () => {
  const watching = await tracer();
  const frozen = Object.freeze(
    Object.assign(new Counting(), { _call: async ({ n }: { n: number }) => `${n + 1}` }),
  );
  const chain = RunnableLambda.from(async (_: string, config) => frozen.invoke({ n: 2 }, config));
  expect(await chain.invoke("x", { callbacks: [watching] })).toBe("3");
  const [run] = await told(watching);

  expect(run?.calls).toMatchObject([{ args: { n: 2 }, outcome: { status: "returned", value: 3 } }]);
});

test("runs at once are told apart, each once, although the tracer is given twice", async () => {
  const watching = await tracer();
  const chain = RunnableLambda.from(async (n: number, config) => {
    await new Promise((resolve) => setImmediate(resolve));
    return shout.invoke({ text: `t${n}`, times: 1 }, config);
  });
  const both = chain.withConfig({ callbacks: [watching] });
  const inputs = Array.from({ length: 40 }, (_, index) => index);
  await Promise.all(inputs.map((n) => both.invoke(n, { callbacks: [watching] })));
  const runs = await told(watching);

  expect(runs.map(({ calls }) => calls.map(({ args }) => args))).toEqual(
    runs.map(({ input }) => [{ text: `t${(input as { input: number }).input}`, times: 1 }]),
  );
  expect(new Set(runs.map(({ triggerId }) => triggerId)).size).toBe(40);
  expect(runs.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
});

test("the name of the run and the mapping of the input say what a trigger is", async () => {
  const watching = await tracer({
    runName: "refund",
    input: (given) => (given as { input: string }).input,
    apiKey: "k-1",
  });
  const chain = RunnableLambda.from((text: string) => text);
  await chain.invoke("other", { callbacks: [watching] });
  await chain.invoke("mine", { callbacks: [watching], runName: "refund" });
  const runs = await told(watching);

  expect(runs.map(({ input }) => input)).toEqual(["mine"]);
  expect(asked[0]?.authorization).toBe("Bearer k-1");
});

test("a batch that failed is sent again with the same numbers, and what was given up is told", async () => {
  // However long the chain takes, the server is away for all of it.
  statuses = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 500 : 503));
  const watching = await tracer({ maxQueuedRuns: 2 });
  const chain = RunnableLambda.from((text: string) => text);
  for (const text of ["a", "b", "c", "d"]) await chain.invoke(text, { callbacks: [watching] });
  expect(watching.counts.dropped).toEqual({ queue_full: 2 });
  await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(2), { timeout: 20_000 });
  statuses = [];
  const runs = await vi.waitFor(
    async () => {
      expect(batches.flatMap(({ gaps }) => gaps)).not.toEqual([]);
      return batches.flatMap((batch) => batch.runs);
    },
    { timeout: 20_000 },
  );

  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(runs.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(batches.flatMap(({ gaps }) => gaps)).toEqual([
    { fromSeq: 3, toSeq: 4, cause: "queue_full" },
  ]);
  const told = { sent: 2, queued: 0, dropped: { queue_full: 2 } };
  await vi.waitFor(() => expect(watching.counts).toEqual(told), { timeout: 20_000 });
  await watching.close();
});

const RUN = {
  triggerId: "t",
  receivedAt: "2026-11-21T00:00:00Z",
  input: "a",
  outcome: { status: "returned", value: "a" },
  calls: [],
  modelCalls: [],
  durationMs: 1,
} as const satisfies Omit<TappedRun, "seq">;

const arrived = (requests: number) =>
  vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(requests), { timeout: 20_000 });

test("what is given up while a gap is on its way is told, too", async () => {
  const held = Promise.withResolvers<void>();
  open = held.promise;
  const sender = new TapSender({ url, maxQueuedRuns: 0 });
  sender.offer(RUN);
  await arrived(1);
  sender.offer(RUN);
  held.resolve();
  await sender.flush(20_000);

  expect(batches.flatMap(({ gaps }) => gaps)).toEqual([
    { fromSeq: 1, toSeq: 1, cause: "queue_full" },
    { fromSeq: 2, toSeq: 2, cause: "queue_full" },
  ]);
});

test("gaps outlive a refused batch that carried them", async () => {
  const held = Promise.withResolvers<void>();
  [open, statuses] = [held.promise, [503, 400]];
  const sender = new TapSender({ url, maxQueuedRuns: 1 });
  sender.offer(RUN);
  await arrived(1);
  sender.offer(RUN);
  held.resolve();
  await arrived(2);
  await sender.flush(20_000);

  const gaps = batches.flatMap((batch) => batch.gaps);
  expect(gaps.toSorted((a, b) => a.fromSeq - b.fromSeq)).toEqual([
    { fromSeq: 1, toSeq: 1, cause: "refused" },
    { fromSeq: 2, toSeq: 2, cause: "queue_full" },
  ]);
});

test("what the server refuses is not sent again, and its number is accounted for", async () => {
  statuses = [400];
  const watching = await tracer();
  await RunnableLambda.from((text: string) => text).invoke("a", { callbacks: [watching] });
  await told(watching);

  expect(batches).toMatchObject([{ runs: [], gaps: [{ fromSeq: 1, toSeq: 1, cause: "refused" }] }]);
});

test("a run that is too large is given up by itself", async () => {
  const watching = await tracer();
  const chain = RunnableLambda.from((text: string) => text);
  await chain.invoke("x".repeat(4 * 1024 * 1024), { callbacks: [watching] });
  await chain.invoke("small", { callbacks: [watching] });
  const runs = await told(watching);

  expect(runs.map(({ seq }) => seq)).toEqual([2]);
  expect(watching.counts.dropped).toEqual({ oversize: 1 });
});

test("a value that cannot be told does not reach the service as an error", async () => {
  const watching = await tracer();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const chain = RunnableLambda.from((_: string) => cycle);

  expect(await chain.invoke("x", { callbacks: [watching] })).toBe(cycle);
  const [run] = await told(watching);
  expect(run).toMatchObject({ lossy: true, outcome: { status: "returned", value: null } });
});
