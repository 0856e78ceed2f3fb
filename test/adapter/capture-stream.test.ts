/** Streams and batches of JavaScript chains: chunks as they come, and the same run as without. */
import { AIMessage } from "@langchain/core/messages";
import { RunnableLambda, RunnablePassthrough } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { Annotation, END, interrupt, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import type { ChainOptions, ChainRun, ChainStream } from "../../adapter/chain.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { RuleModel } from "./models.ts";

const LIVE: ChainOptions = { tools: { mode: "live" }, effects: {} };

const shout = tool(({ text }) => text.toUpperCase(), {
  name: "shout",
  description: "Says it louder.",
  schema: z.object({ text: z.string() }),
});

async function drained(stream: ChainStream): Promise<{ chunks: JsonValue[]; run: ChainRun }> {
  const chunks: JsonValue[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, run: value };
    chunks.push(value);
  }
}

const state = Annotation.Root({
  text: Annotation<string>,
  said: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

const graph = new StateGraph(state)
  .addNode("louder", async ({ text }) => ({ text: await shout.invoke({ text }) }))
  .addNode("say", async ({ text }) => ({ said: [text] }))
  .addEdge(START, "louder")
  .addEdge("louder", "say")
  .addEdge("say", END)
  .compile();

const chains: [string, unknown, JsonValue][] = [
  ["a model", new RuleModel(), "one two three"],
  [
    "a record of a model and its input",
    RunnablePassthrough.assign({
      said: RunnableLambda.from(({ text }: { text: string }) => text).pipe(new RuleModel()),
    }),
    { text: "one two" },
  ],
  [
    "a lambda",
    RunnableLambda.from(async (text: string) => ({ loud: await shout.invoke({ text }) })),
    "hi",
  ],
  ["a compiled graph", graph, { text: "hi", said: ["before"] }],
  ["an async function", async (text: string) => shout.invoke({ text }), "hi"],
  [
    "a chain that throws",
    RunnableLambda.from(() => {
      throw new RangeError("no");
    }),
    "hi",
  ],
];

/** Times and random ids are another's in every run; this model tells usage and reason in a stream only. */
function stable(run: ChainRun): JsonObject {
  const drop = new Set([
    "durationMs",
    "startedAtMs",
    "id",
    "streamed",
    "metadata",
    "response_metadata",
    "usage_metadata",
  ]);
  const text = JSON.stringify(run, (key, value) =>
    drop.has(key) && !Array.isArray(value) ? undefined : value,
  );
  return JSON.parse(text) as JsonObject;
}

const requestsIn = ({ modelCalls }: JsonObject) =>
  (modelCalls as JsonObject[]).map(({ request }) => request);

const answerOf = ({ outcome }: ChainRun) =>
  (outcome.status === "returned" ? outcome.value : undefined) as JsonObject;

test.each(chains)("a stream of %s ends in the run that invoke gives", async (_, legacy, input) => {
  const invoked = await chain(legacy).invoke(input, LIVE);
  const { chunks, run } = await drained(chain(legacy).stream(input, LIVE));

  if (invoked.outcome.status === "returned") expect(chunks.length).toBeGreaterThan(0);
  const [whole, expected] = [stable(run), stable(invoked)];
  expect(whole.outcome).toEqual(expected.outcome);
  expect(whole.calls).toEqual(expected.calls);
  expect(requestsIn(whole)).toEqual(requestsIn(expected));
});

test("a graph's chunks are those of its own stream mode, and its answer is the last state", async () => {
  const { chunks, run } = await drained(chain(graph).stream({ text: "hi" }, LIVE));

  expect(chunks).toEqual([{ louder: { text: "HI" } }, { say: { said: ["HI"] } }]);
  expect(run.outcome).toEqual({ status: "returned", value: { text: "HI", said: ["HI"] } });
  expect(run.calls.map(({ tool: name, args }) => [name, args])).toEqual([
    ["shout", { text: "hi" }],
  ]);
});

test("an agent streams, and ends in its whole state", async () => {
  const agent = createAgent({ model: new RuleModel(), tools: [shout] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { chunks, run } = await drained(chain(agent).stream(input, LIVE));

  expect(chunks.length).toBeGreaterThan(1);
  expect(run.outcome.status).toBe("returned");
  const messages = answerOf(run).messages as unknown as { id: string[] }[];
  expect(messages.map(({ id }) => id.at(-1))).toEqual([
    "HumanMessage",
    "AIMessage",
    "ToolMessage",
    "AIMessage",
  ]);
  expect(run.calls).toHaveLength(1);
  expect(run.modelCalls).toHaveLength(2);
});

test("a graph that waits for a person says so in a stream as in invoke", async () => {
  const compile = () =>
    new StateGraph(state)
      .addNode("ask", () => ({ said: [interrupt("sure?") as string] }))
      .addEdge(START, "ask")
      .compile({ checkpointer: new MemorySaver() });
  const asked = (run: ChainRun) =>
    (answerOf(run).__interrupt__ as JsonObject[]).map(({ value }) => value);
  const configured = { configurable: { thread_id: "1" } };
  const invoked = await chain(compile().withConfig(configured)).invoke({ text: "x" }, LIVE);
  const { run } = await drained(
    chain(compile().withConfig(configured)).stream({ text: "x" }, LIVE),
  );

  expect(asked(invoked)).toEqual(["sure?"]);
  expect(asked(run)).toEqual(["sure?"]);
});

test("a function that gives a generator is streamed item by item", async () => {
  const legacy = chain(async function* (text: string) {
    for (const letter of text) yield await shout.invoke({ text: letter });
  });
  const { chunks, run } = await drained(legacy.stream("abc", LIVE));

  expect(chunks).toEqual(["A", "B", "C"]);
  expect(run.outcome).toEqual({ status: "returned", value: "ABC" });
  expect(run.calls).toHaveLength(3);
});

test("a reader that waits makes the chain wait", async () => {
  let made = 0;
  const legacy = chain(async function* () {
    for (; made < 1_000; made++) yield "x";
  });
  const stream = legacy.stream(null, LIVE);
  await stream.next();
  await stream.next();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));

  expect(made).toBeLessThan(5);
  const { run } = await drained(stream);
  expect(run.outcome).toMatchObject({ value: "x".repeat(1_000) });
});

test.each(["cancel", "deadline", "leaving"])("a stream ended by %s ends the chain", async (how) => {
  const stopped = Promise.withResolvers<void>();
  const legacy = chain(async function* (_: unknown, { signal }: { signal: AbortSignal }) {
    signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    await shout.invoke({ text: "a" });
    yield "first";
    await stopped.promise;
    yield "never read";
  });
  const stop = new AbortController();
  const limits = how === "deadline" ? { timeoutMs: 1_000 } : { signal: stop.signal };
  const stream = legacy.stream(null, { ...LIVE, ...limits });

  expect(await stream.next()).toEqual({ done: false, value: "first" });
  if (how === "leaving") {
    await stream.return(undefined as never);
    return stopped.promise;
  }
  if (how === "cancel") stop.abort();
  const { run } = await drained(stream);
  await stopped.promise;
  expect(run.outcome).toMatchObject(
    how === "cancel" ? { error: { code: "CANCELLED" } } : { status: "timed_out", afterMs: 1_000 },
  );
  expect(run.calls).toHaveLength(1);
});

test("a recorded stream executes no write that was not made before", async () => {
  const legacy = chain(RunnableLambda.from((text: string) => shout.invoke({ text })));
  const tools = { mode: "recorded", recording: [], reads: "live" } as const;
  const { chunks, run } = await drained(legacy.stream("hi", { tools, effects: {} }));

  expect(chunks).toEqual([]);
  expect(run).toMatchObject({
    outcome: { error: { code: "EFFECT_REFUSED" } },
    calls: [{ served: "refused" }],
  });
});

test("streams read in turns keep their calls apart", async () => {
  const legacy = chain(async function* (text: string) {
    for (let turn = 0; turn < 3; turn++) yield await shout.invoke({ text: `${text}${turn}` });
  });
  const streams = ["a", "b", "c"].map((text) => legacy.stream(text, LIVE));
  const ends: ChainRun[] = [];
  for (let open = [...streams]; open.length > 0; ) {
    const steps = await Promise.all(open.map((stream) => stream.next()));
    open = open.filter((_, index) => !steps[index]?.done);
    ends.push(...steps.flatMap((step) => (step.done ? [step.value] : [])));
  }

  expect(ends.map(({ calls }) => calls.map(({ args }) => (args as { text: string }).text))).toEqual(
    [
      ["a0", "a1", "a2"],
      ["b0", "b1", "b2"],
      ["c0", "c1", "c2"],
    ],
  );
});

test("a batch gives one run per input in order, a few at a time, and a failure stays alone", async () => {
  let running = 0;
  let most = 0;
  const legacy = chain(async (n: number) => {
    running += 1;
    most = Math.max(most, running);
    const text = await shout.invoke({ text: `n${n}` });
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (n === 4) throw new RangeError("four");
    return text;
  });
  const inputs = Array.from({ length: 10 }, (_, index) => index);
  const runs = await legacy.batch(inputs, { ...LIVE, maxConcurrency: 3 });

  expect(most).toBe(3);
  expect(
    runs.map(({ outcome }) => (outcome.status === "returned" ? outcome.value : outcome.status)),
  ).toEqual(inputs.map((n) => (n === 4 ? "threw" : `N${n}`)));
  expect(runs.map(({ calls }) => calls.map(({ args }) => args))).toEqual(
    inputs.map((n) => [{ text: `n${n}` }]),
  );
});

test("a batch that is cancelled ends what runs and starts nothing more", async () => {
  const stop = new AbortController();
  let started = 0;
  const legacy = chain(async () => {
    started += 1;
    stop.abort();
    return new Promise<never>(() => undefined);
  });
  const runs = await legacy.batch([1, 2, 3], { ...LIVE, maxConcurrency: 1, signal: stop.signal });

  expect(started).toBe(1);
  expect(runs.map(({ outcome }) => outcome)).toMatchObject(
    Array(3).fill({ status: "threw", error: { code: "CANCELLED" } }),
  );
});

test("a whole message is a message in the answer, and a chunk on the way", async () => {
  const { chunks, run } = await drained(chain(new RuleModel()).stream("hi", LIVE));

  expect((chunks[0] as { id: string[] }).id.at(-1)).toBe("AIMessageChunk");
  expect(run.outcome).toMatchObject({
    value: { id: new AIMessage("").lc_id, kwargs: { content: "I say hi" } },
  });
});
