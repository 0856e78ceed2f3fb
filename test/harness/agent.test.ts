/** Answers of real LangChain agents of both languages, made comparable. */
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { createAgent } from "langchain";
import { afterAll, expect, test } from "vitest";
import { chain, pythonChain } from "../../adapter/index.ts";
import type { JsonValue } from "../../core/json.ts";
import type { Outcome } from "../../core/outcome.ts";
import { PolicyModel } from "../../fixtures/refunds/model.ts";
import { tools } from "../../fixtures/refunds/tools.ts";
import { agentAnswer } from "../../harness/compare/agent.ts";
import { resolveConfig, type TwintrackConfig } from "../../harness/config.ts";
import { judgeRuns } from "../../harness/judgement.ts";
import { here, interpreter } from "../adapter/python-process.ts";
import { PRIVACY } from "../app/privacy.ts";

const GAVE_UP = { status: "threw", error: { name: "IterationLimit" } };
const LIVE = { tools: { mode: "live" }, effects: {} } as const;
const messages = [{ role: "user", content: "where is a?" }];

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

async function python(name: string, input: JsonValue): Promise<Outcome> {
  const agent = pythonChain({ target: `agents:${name}`, interpreter, cwd: `${here}/../app` });
  closers.push(() => agent.close());
  return (await agent.invoke(input, LIVE)).outcome;
}

test.each([
  ["an AgentExecutor", "executor", { input: "where is a?" }],
  ["a LangGraph agent", "graph", { messages }],
])("the answer of %s in Python is its text", async (_, name, input) => {
  const outcome = await python(name, input);
  expect(outcome).toMatchObject({ status: "returned", value: expect.any(Object) });
  expect(agentAnswer(outcome)).toEqual({ status: "returned", value: "it is a" });
});

test.each([
  ["an AgentExecutor, which returns a sentence", "limited_executor", { input: "where is a?" }],
  ["a LangGraph agent, which throws", "limited_graph", { messages }],
])("%s, gives up in the same way as any other", async (_, name, input) => {
  expect(agentAnswer(await python(name, input))).toMatchObject(GAVE_UP);
});

test("the answer of createAgent in JavaScript is its last message's text", async () => {
  const model = new FakeListChatModel({ responses: ["it is a"] });
  const agent = chain(createAgent({ model, tools: [] }));
  const { outcome } = await agent.invoke({ messages }, LIVE);
  expect(outcome).toMatchObject({ value: { messages: expect.any(Array) } });
  expect(agentAnswer(outcome)).toEqual({ status: "returned", value: "it is a" });
});

test("an agent in JavaScript that meets its recursion limit gives up, too", async () => {
  const agent = createAgent({ model: new PolicyModel({}), tools });
  const limited = chain((input: never) => agent.invoke(input, { recursionLimit: 2 }));
  const request = { orderId: "A-10001", email: "a@example.com", message: "broken" };
  const asked = { messages: [{ role: "user", content: JSON.stringify(request) }] };
  const { outcome } = await limited.invoke(asked, LIVE);
  expect(agentAnswer(outcome)).toMatchObject(GAVE_UP);
});

test.each<[string, JsonValue, JsonValue]>([
  ["a structured response", { messages: [], structuredResponse: { a: 1 } }, { a: 1 }],
  ["a structured response of Python", { messages: [], structured_response: { a: 1 } }, { a: 1 }],
  ["a message", { type: "ai", content: "hi" }, "hi"],
  [
    "a message of blocks",
    { type: "ai", content: [{ type: "text", text: "h" }, { type: "image" }, "i"] },
    "hi",
  ],
  ["output that is a message", { output: { role: "assistant", content: "hi" } }, "hi"],
  ["an object that is no agent's", { total: 3, content: "x" }, { total: 3, content: "x" }],
  ["an empty conversation", { messages: [] }, []],
])("of %s, the answer is what counts", (_, value, answer) => {
  expect(agentAnswer({ status: "returned", value })).toEqual({ status: "returned", value: answer });
});

test("a flow with extract.legacy: agent is judged by the answer alone", () => {
  const conversation = {
    messages: [
      { type: "human", content: "?" },
      { type: "ai", content: "a" },
    ],
  };
  const runs = {
    legacy: { outcome: { status: "returned" as const, value: conversation }, calls: [] },
    candidate: { outcome: { status: "returned" as const, value: "a" }, calls: [] },
    noise: undefined,
  };
  const judged = (config: TwintrackConfig["flows"][string]) => {
    const { flows } = resolveConfig({ flows: { ask: config } });
    return judgeRuns({ flow: "ask", config: flows.ask ?? {}, rules: [], mask: PRIVACY.mask }, runs)
      .verdict;
  };
  expect(judged({ extract: { legacy: "agent" } })).toBe("match");
  expect(judged({})).toBe("mismatch");
});

test("another error stays as it is", () => {
  const outcome: Outcome = { status: "threw", error: { name: "Error", message: "x" } };
  expect(agentAnswer(outcome)).toBe(outcome);
  expect(agentAnswer({ status: "timed_out", afterMs: 1 })).toEqual({
    status: "timed_out",
    afterMs: 1,
  });
});
