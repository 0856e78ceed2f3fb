/** Tools that steer their graph: what a second run of it is given, and what a caller is told. */
import { randomUUID } from "node:crypto";
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Annotation, Command, MessagesAnnotation, Send, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import type { ChainOptions } from "../../adapter/chain.ts";
import { toolServer } from "../../adapter/in-process.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { resultValue, textOf } from "../../core/tool.ts";

let executed: string[];
beforeEach(() => {
  executed = [];
});

const callIdIn = (config: unknown) => (config as { toolCall: { id: string } }).toolCall.id;
const steering = (name: string, answer: (callId: string) => unknown) =>
  tool(
    async ({ text }, config) => {
      executed.push(`${name} ${text}`);
      return answer(callIdIn(config));
    },
    { name, description: `Steers by ${name}.`, schema: z.object({ text: z.string() }) },
  );

const said = (callId: string, content: string, more = {}) =>
  new ToolMessage({ content, tool_call_id: callId, ...more });
const tools = [
  steering(
    "note",
    (id) => new Command({ update: { notes: ["n"], messages: [said(id, "noted")] } }),
  ),
  steering("hand", (id) => {
    const update = { messages: [said(id, "over to them")] };
    return new Command({ update, goto: [new Send("helper", { topic: "bills" })] });
  }),
  steering("deny", (id) => said(id, "not allowed", { status: "error", artifact: { rule: 7 } })),
];

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  notes: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});
const calls = (names: readonly string[]) =>
  new AIMessage({
    content: "",
    tool_calls: names.map((name) => ({
      name,
      args: { text: "t" },
      id: `call-${randomUUID()}`,
      type: "tool_call",
    })),
  });
const graph = new StateGraph(State)
  .addNode("model", () => ({ messages: [calls(["note", "hand", "deny"])] }))
  .addNode("tools", new ToolNode(tools), { ends: ["helper"] })
  .addNode("helper", ({ topic }: { topic?: string }) => ({ notes: [`about ${topic}`] }))
  .addEdge("__start__", "model")
  .addEdge("model", "tools")
  .compile();

/** The graph's answer, with the ids of this run's calls as their place among them. */
const steered = async () => {
  const state = await graph.invoke({ messages: [] });
  const ids = state.messages.flatMap(({ tool_calls }: BaseMessage & { tool_calls?: object[] }) =>
    (tool_calls ?? []).map((call) => (call as { id: string }).id),
  );
  return {
    notes: state.notes,
    messages: state.messages.slice(1).map((message: BaseMessage) => ({
      ...message.toDict().data,
      tool_call_id: ids.indexOf((message as ToolMessage).tool_call_id),
      id: undefined,
    })),
  };
};

const LIVE: ChainOptions = { tools: { mode: "live" }, effects: {} };
const from = (recording: readonly ToolCall[]): ChainOptions => ({
  tools: { mode: "recorded", recording, reads: "recorded" },
  effects: {},
});

test("a second run of a graph is steered as the first one was, and no tool runs again", async () => {
  const first = await chain(steered).invoke({}, LIVE);
  const kept = JSON.parse(JSON.stringify(first.calls)) as ToolCall[];
  const second = await chain(steered).invoke({}, from(kept));

  expect(first.outcome).toMatchObject({
    status: "returned",
    value: {
      notes: ["n", "about bills"],
      messages: [
        { content: "noted", tool_call_id: 0 },
        { content: "over to them", tool_call_id: 1 },
        { content: "not allowed", status: "error", artifact: { rule: 7 }, tool_call_id: 2 },
      ],
    },
  });
  expect(second.outcome).toEqual(first.outcome);
  expect(second.calls.map(({ served }) => served)).toEqual(["recorded", "recorded", "recorded"]);
  expect(executed).toEqual(["note t", "hand t", "deny t"]);
});

test("what cannot be made again is not given to a second run", async () => {
  const clock = steering("clock", () => new Command({ update: { at: new Date(0) } }));
  const run = async () =>
    (await clock.invoke({ type: "tool_call", id: "1", name: "clock", args: { text: "t" } })) &&
    "went on";
  const first = await chain(run).invoke({}, LIVE);
  const second = await chain(run).invoke({}, from(first.calls));

  expect(first.calls).toMatchObject([{ lossy: true }]);
  expect(second.outcome).toMatchObject({ error: { code: "RECORDING_LOSSY" } });
});

test("a caller is told an update as data, with the words for the model", async () => {
  const result = await toolServer(tools).callTool("note", { text: "t" });

  expect(textOf(result)).toBe("noted");
  expect(resultValue(result)).toMatchObject({ update: { notes: ["n"] } });
});

test("a caller is told that only a graph can go where a tool sends it", async () => {
  const result = await toolServer(tools).callTool("hand", { text: "t" });

  expect(result.isError).toBe(true);
  expect(textOf(result)).toContain("Only a graph can follow it");
});
