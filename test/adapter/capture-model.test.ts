/** Model calls of JavaScript chains: captured in one form, and answered from a record. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import type { ChainOptions, ChainRun } from "../../adapter/chain.ts";
import type { ModelCall } from "../../core/model.ts";
import { EchoLlm, RuleModel } from "./models.ts";

const EFFECTS = { shout: "read" } as const;
const LIVE: ChainOptions = { tools: { mode: "live" }, effects: EFFECTS };

function recorded(run: ChainRun, models: "live" | "recorded" = "recorded"): ChainOptions {
  const { calls, modelCalls } = JSON.parse(JSON.stringify(run)) as ChainRun;
  return {
    tools: {
      mode: "recorded",
      recording: calls,
      reads: "recorded",
      modelRecording: modelCalls,
      models,
    },
    effects: EFFECTS,
  };
}

const shout = tool(({ text }) => ({ text: text.toUpperCase() }), {
  name: "shout",
  description: "Says it louder.",
  schema: z.object({ text: z.string() }),
});

const agentOf = (model: RuleModel) => {
  const agent = createAgent({ model, tools: [shout], systemPrompt: "Be loud." });
  return async (text: string) => {
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: text }] });
    return messages.at(-1)?.text ?? "";
  };
};

const finishedAs = ({ outcome }: ModelCall) =>
  outcome.status === "returned" ? outcome.value : outcome;

test("an agent's model calls are told as asked and answered, in one form", async () => {
  const run = await chain(agentOf(new RuleModel())).invoke("hello", LIVE);

  expect(run.outcome).toEqual({ status: "returned", value: 'I say {"text":"HELLO"}' });
  expect(run.models).toBe("independent");
  const [first, second] = run.modelCalls;
  expect(first?.request).toEqual({
    model: "rule-1",
    messages: [
      { role: "system", content: "Be loud." },
      { role: "user", content: "hello" },
    ],
    tools: [
      {
        name: "shout",
        description: "Says it louder.",
        parameters: expect.objectContaining({ required: ["text"] }),
      },
    ],
    params: { temperature: 0.5, maxTokens: 64 },
  });
  expect(first).toMatchObject({ served: "live", durationMs: expect.any(Number) });
  expect(first && finishedAs(first)).toMatchObject({
    content: "",
    toolCalls: [{ name: "shout", args: { text: "hello" }, id: expect.stringMatching(/^call_/) }],
    usage: { inputTokens: 2, outputTokens: 2, totalTokens: 4 },
    finishReason: "tool_calls",
  });
  expect(second?.request.messages.slice(2)).toEqual([
    {
      role: "assistant",
      content: "",
      name: "model",
      toolCalls: [{ id: "call_0", name: "shout", args: { text: "hello" } }],
    },
    { role: "tool", content: '{"text":"HELLO"}', name: "shout", toolCallId: "call_0" },
  ]);
  expect(JSON.stringify(run.modelCalls)).not.toContain("sk-secret");
});

test("a recorded run shares the model's answers and asks it nothing", async () => {
  const model = new RuleModel();
  const legacy = chain(agentOf(model));
  const live = await legacy.invoke("hello", LIVE);
  expect(model.asked).toBe(2);
  const again = await legacy.invoke("hello", recorded(live));

  expect(again.outcome).toEqual(live.outcome);
  expect(again.models).toBe("shared");
  expect(again.modelCalls.map(({ served }) => served)).toEqual(["recorded", "recorded"]);
  expect(model.asked).toBe(2);
});

test("a model call that was not recorded runs when models are live, and is refused when not", async () => {
  const model = new RuleModel();
  const legacy = chain(
    RunnableLambda.from((text: string) => model.invoke(text).then((m) => m.text)),
  );
  const live = await legacy.invoke("hello", LIVE);
  const other = await legacy.invoke("bye", recorded(live, "live"));
  const refused = await legacy.invoke("bye", recorded(live, "recorded"));

  expect(other.outcome).toEqual({ status: "returned", value: "I say bye" });
  expect(other.models).toBe("independent");
  expect(refused.outcome).toMatchObject({ status: "threw", error: { code: "MODEL_UNRECORDED" } });
  expect(refused.modelCalls).toMatchObject([{ served: "refused" }]);
  expect(model.asked).toBe(2);
});

test("equal requests are answered in the order they were recorded, each once", async () => {
  let count = 0;
  class Counting extends RuleModel {
    override async _generate(...args: Parameters<RuleModel["_generate"]>) {
      const result = await super._generate(...args);
      const [generation] = result.generations;
      if (generation) generation.message.content = `answer ${count++}`;
      return result;
    }
  }
  const model = new Counting();
  const legacy = chain(async () => {
    const said = [await model.invoke("again"), await model.invoke("again")];
    return said.map(({ text }) => text);
  });
  const live = await legacy.invoke(null, LIVE);
  const again = await legacy.invoke(null, recorded(live));

  expect(live.outcome).toEqual({ status: "returned", value: ["answer 0", "answer 1"] });
  // A model that calls the one it descends from makes one call, not two.
  expect(live.modelCalls).toHaveLength(2);
  expect(again.outcome).toEqual(live.outcome);
  expect(count).toBe(2);
});

test("a streamed model call is recorded whole, and its record answers a call that is not streamed", async () => {
  const model = new RuleModel();
  const prompt = ChatPromptTemplate.fromTemplate("{text}");
  const streaming = chain(prompt.pipe(model).pipe(new StringOutputParser()));
  const stream = streaming.stream({ text: "one two" }, LIVE);
  const chunks = [];
  let step = await stream.next();
  for (; !step.done; step = await stream.next()) chunks.push(step.value);
  const live = step.value;

  expect(chunks.filter((chunk) => chunk !== "")).toEqual(["I ", "say ", "one ", "two"]);
  expect(live.outcome).toEqual({ status: "returned", value: "I say one two" });
  expect(live.modelCalls).toMatchObject([
    {
      streamed: true,
      outcome: {
        value: { content: "I say one two", usage: { totalTokens: 3 }, finishReason: "stop" },
      },
    },
  ]);
  const again = await streaming.invoke({ text: "one two" }, recorded(live));
  expect(again.outcome).toEqual(live.outcome);
  expect(again.models).toBe("shared");
  const restreamed = streaming.stream({ text: "one two" }, recorded(live));
  let last = await restreamed.next();
  while (!last.done) last = await restreamed.next();
  expect(last.value).toMatchObject({ outcome: live.outcome, models: "shared" });
  expect(model.asked).toBe(1);
});

test("a stream of a model that is left is recorded as not whole, and does not stand in", async () => {
  const model = new RuleModel();
  const legacy = chain(async (text: string) => {
    for await (const { text: word } of await model.stream(text)) return word;
    return "nothing";
  });
  const live = await legacy.invoke("one two", LIVE);
  const again = await legacy.invoke("one two", recorded(live));

  expect(live.outcome).toEqual({ status: "returned", value: "I " });
  expect(live.modelCalls).toMatchObject([{ streamed: true, lossy: true }]);
  expect(again.outcome).toMatchObject({ status: "threw", error: { code: "MODEL_UNRECORDED" } });
});

test("a model that fails is recorded with its error, and fails the same way from the record", async () => {
  const model = new RuleModel();
  const legacy = chain(async (text: string) => {
    try {
      return (await model.invoke(text)).text;
    } catch (error) {
      return `caught ${(error as Error).name}: ${(error as Error).message}`;
    }
  });
  const live = await legacy.invoke("fail", LIVE);
  const again = await legacy.invoke("fail", recorded(live));

  expect(live.modelCalls).toMatchObject([
    { outcome: { status: "threw", error: { name: "RangeError" } } },
  ]);
  expect(live.outcome).toEqual({
    status: "returned",
    value: "caught RangeError: the model is overloaded",
  });
  expect(again.outcome).toEqual(live.outcome);
  expect(model.asked).toBe(1);
});

test("a text model is captured and answered like a chat model", async () => {
  const model = new EchoLlm({});
  const legacy = chain(model);
  const live = await legacy.invoke("hi", LIVE);
  const again = await legacy.invoke("hi", recorded(live));

  expect(live.modelCalls).toMatchObject([
    {
      request: { model: "EchoLlm", messages: [{ role: "user", content: "hi" }] },
      outcome: { value: { content: "echo hi" } },
    },
  ]);
  expect(again.outcome).toEqual({ status: "returned", value: "echo hi" });
  expect(model.asked).toBe(1);
});

test("a model call inside a tool names the tool, and is not made when the tool is answered", async () => {
  const model = new RuleModel();
  const asking = tool(async ({ text }) => (await model.invoke(text)).text, {
    name: "shout",
    description: "Asks a model.",
    schema: z.object({ text: z.string() }),
  });
  const legacy = chain((text: string) => asking.invoke({ text }));
  const live = await legacy.invoke("hi", LIVE);
  const again = await legacy.invoke("hi", recorded(live));

  expect(live.modelCalls).toMatchObject([{ insideTool: "shout" }]);
  expect(again).toMatchObject({ outcome: live.outcome, modelCalls: [] });
  expect(model.asked).toBe(1);
});

test("fifty runs at once, half of them streamed, keep their calls apart", async () => {
  const model = new RuleModel();
  const legacy = chain(agentOf(model));
  const streaming = chain(model);
  const texts = Array.from({ length: 50 }, (_, index) => `run${index}`);
  const runs = await Promise.all(
    texts.map(async (text, index) => {
      if (index % 2 === 0) return legacy.invoke(text, LIVE);
      const stream = streaming.stream(text, LIVE);
      let step = await stream.next();
      while (!step.done) step = await stream.next();
      return step.value;
    }),
  );

  for (const [index, run] of runs.entries()) {
    expect(run.modelCalls).toHaveLength(index % 2 === 0 ? 2 : 1);
    for (const { request } of run.modelCalls) {
      const users = request.messages.filter(({ role }) => role === "user");
      expect(users).toEqual([{ role: "user", content: texts[index] }]);
    }
  }
});

test.each(["import", "require"] as const)(
  "calls through core 0.3, loaded by %s, are captured as well",
  async (how) => {
    const peers = new URL("../peers/node_modules/", import.meta.url).pathname;
    const folder = mkdtempSync(join(tmpdir(), "twintrack-core-0.3-"));
    mkdirSync(join(folder, "node_modules/@langchain"), { recursive: true });
    symlinkSync(join(peers, "core-0.3"), join(folder, "node_modules/@langchain/core"));
    try {
      const entry = join(peers, `core-0.3/utils/testing.${how === "import" ? "js" : "cjs"}`);
      const require = createRequire(import.meta.url);
      const { FakeListChatModel } = (how === "import" ? await import(entry) : require(entry)) as {
        FakeListChatModel: new (
          fields: object,
        ) => { invoke(text: string): Promise<{ content: string }> };
      };
      const model = new FakeListChatModel({ responses: ["first", "second"] });
      const legacy = chain(async () => (await model.invoke("hi")).content, { from: folder });
      const live = await legacy.invoke(null, LIVE);
      const again = await legacy.invoke(null, recorded(live));

      expect(live.modelCalls).toMatchObject([{ outcome: { value: { content: "first" } } }]);
      expect(again).toMatchObject({ outcome: { value: "first" }, models: "shared" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
