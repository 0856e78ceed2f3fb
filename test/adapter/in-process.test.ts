import { RunnableLambda } from "@langchain/core/runnables";
import {
  BaseToolkit,
  DynamicTool,
  StructuredTool,
  type StructuredToolInterface,
  tool,
} from "@langchain/core/tools";
import { interrupt } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { toolServer } from "../../adapter/in-process.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { RESULT_META_KEY, resultValue, textOf } from "../../core/tool.ts";

const add = tool(async ({ a, b }) => ({ sum: a + b }), {
  name: "add",
  description: "adds",
  schema: z.object({ a: z.number(), b: z.number().default(2) }),
});

async function namesOf(server: ToolServer): Promise<string[]> {
  return (await server.listTools()).map(({ name }) => name);
}

/** A tool that runs until the test lets it go. */
function hanging(name: string, schema?: z.ZodObject) {
  const gate = Promise.withResolvers<string>();
  const fields = { name, description: "" };
  const run = () => gate.promise;
  return {
    gate,
    tool: schema ? tool(run, { ...fields, schema }) : new DynamicTool({ ...fields, func: run }),
  };
}

test("a call fills in the tool's defaults and gives the raw value", async () => {
  const result = await toolServer([add]).callTool("add", { a: 1 });

  expect(result).toMatchObject({ structuredContent: { sum: 3 }, content: [{ text: '{"sum":3}' }] });
  expect(resultValue(result)).toEqual({ sum: 3 });
});

test("arguments that look like a tool call stay arguments", async () => {
  const seen: unknown[] = [];
  const any = tool(async (args) => void seen.push(args), {
    name: "any",
    description: "",
    schema: z.looseObject({}),
  });
  const smuggled = { type: "tool_call", id: "x", name: "other", args: { admin: true } };
  await toolServer([any]).callTool("any", smuggled);

  expect(seen).toEqual([smuggled]);
});

test("the caller's arguments are never changed or shared", async () => {
  const greedy = tool(
    async (args: unknown) => {
      (args as { items: string[] }).items.push("changed");
      return "";
    },
    {
      name: "greedy",
      description: "",
      schema: { type: "object", properties: { items: { type: "array" } } },
    },
  );
  const args = { items: ["a"] };
  await toolServer([greedy]).callTool("greedy", args);

  expect(args).toEqual({ items: ["a"] });
});

test("a tool that throws gives an error result in its own words", async () => {
  const broken = tool(async () => Promise.reject(new RangeError("no such day")), {
    name: "broken",
    description: "",
    schema: z.object({}),
  });
  const result = await toolServer([broken]).callTool("broken", {});

  expect(result).toMatchObject({ isError: true, content: [{ type: "text", text: "no such day" }] });
  expect(result._meta?.[RESULT_META_KEY]).toMatchObject({ error: { name: "RangeError" } });
});

test("arguments that LangChain's parser refuses give an error result, not an error", async () => {
  const result = await toolServer([add]).callTool("add", { a: "one" });

  expect(result.isError).toBe(true);
  expect(textOf(result)).toContain("did not match expected schema");
});

test("an unknown tool is an error that names the nearest ones", async () => {
  await expect(toolServer([add]).callTool("ad", {})).rejects.toMatchObject({
    code: "TOOL_UNKNOWN",
    hint: "Did you mean add?",
  });
});

test.each([
  ["a string tool, which ignores signals", undefined],
  ["a structured tool", z.object({})],
])("%s that hangs is given up after its time limit, with a warning", async (_, schema) => {
  const { gate, tool: slow } = hanging("slow", schema);

  await expect(toolServer([slow]).callTool("slow", {}, { timeoutMs: 20 })).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining("may still be running"),
  });
  gate.resolve("");
});

test("the caller's signal ends the wait and reaches the tool", async () => {
  const aborted = Promise.withResolvers<void>();
  const patient = tool(
    (_args, config) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      config.signal?.addEventListener("abort", () => {
        aborted.resolve();
        resolve("");
      });
      return promise;
    },
    { name: "patient", description: "", schema: z.object({}) },
  );
  const caller = new AbortController();
  const call = toolServer([patient]).callTool("patient", {}, { signal: caller.signal });
  caller.abort();

  await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
});

test("what a generator yields is progress, and what it returns is the result", async () => {
  const steps = tool(
    async function* () {
      yield "one";
      yield { step: 2 };
      return { done: true };
    } as unknown as () => Promise<object>,
    { name: "steps", description: "", schema: z.object({}) },
  );
  const progress: unknown[] = [];
  const onProgress = (item: unknown) => void progress.push(item);
  const result = await toolServer([steps]).callTool("steps", {}, { onProgress });

  expect(progress).toEqual([
    { progress: 1, message: "one" },
    { progress: 2, message: '{"step":2}' },
  ]);
  expect(result.structuredContent).toEqual({ done: true });
});

test("content and artifact both arrive", async () => {
  const rows = tool(async () => ["2 rows", [1, 2]], {
    name: "rows",
    description: "",
    schema: z.object({}),
    responseFormat: "content_and_artifact",
  });
  const result = await toolServer([rows]).callTool("rows", {});

  expect(textOf(result)).toBe("2 rows");
  expect(result._meta?.[RESULT_META_KEY]).toMatchObject({
    raw: ["2 rows", [1, 2]],
    artifact: [1, 2],
  });
});

test("a runnable made a tool validates its arguments", async () => {
  const echo = RunnableLambda.from(({ q }: { q: string }) => ({ q })).asTool({
    name: "echo",
    schema: z.object({ q: z.string() }),
  });
  const server = toolServer([echo]);

  expect(resultValue(await server.callTool("echo", { q: "a" }))).toEqual({ q: "a" });
  expect(await server.callTool("echo", { q: 1 })).toMatchObject({ isError: true });
});

test("a subclass with private members is called as it is", async () => {
  class Counter extends StructuredTool {
    override name = "counter";
    override description = "counts";
    override schema = z.object({ by: z.number() });
    #total = 0;
    protected override async _call({ by }: { by: number }): Promise<number> {
      this.#total += by;
      return this.#total;
    }
  }
  const server = toolServer([new Counter()]);
  await server.callTool("counter", { by: 2 });

  expect(resultValue(await server.callTool("counter", { by: 3 }))).toBe(5);
});

test("the host's values reach the tool, and the caller cannot send them", async () => {
  const whoami = tool(async (_args, config) => ({ user: config.context?.user ?? "nobody" }), {
    name: "whoami",
    description: "",
    schema: z.object({}),
  });
  const server = toolServer([whoami], { inject: () => ({ context: { user: "ada" } }) });
  const spoofed = await server.callTool("whoami", { context: { user: "eve" } });
  const perCall = { inject: { context: { user: "bram" } } };

  expect(resultValue(spoofed)).toEqual({ user: "ada" });
  expect(resultValue(await server.callTool("whoami", {}, perCall))).toEqual({
    user: "bram",
  });
});

test("the run configuration reaches the tool in LangChain's spelling, under what the host binds", async () => {
  const told = tool(
    async (_args, { configurable, context, metadata, tags, recursionLimit }) => ({
      ...{ configurable, context, metadata, tags, recursionLimit },
    }),
    { name: "told", description: "", schema: z.object({}) },
  );
  const config = {
    configurable: { thread_id: "t", tenant: "theirs" },
    context: { desk: "A" },
    metadata: { channel: "web" },
    tags: ["vip"],
    recursion_limit: 7,
  };
  const inject = () => ({ configurable: { tenant: "ours" }, metadata: { host: "h" } });
  const options = { config, metadata: { traceparent: "00-1" } };
  const result = await toolServer([told], { inject }).callTool("told", {}, options);

  expect(resultValue(result)).toEqual({
    configurable: { thread_id: "t", tenant: "ours" },
    context: { desk: "A" },
    metadata: expect.objectContaining({ channel: "web", host: "h", traceparent: "00-1" }),
    tags: ["vip"],
    recursionLimit: expect.any(Number),
  });
});

test("a tool that interrupts a graph says what to do without one", async () => {
  const approve = tool(async () => interrupt("ok?"), {
    name: "approve",
    description: "",
    schema: z.object({}),
  });
  const result = await toolServer([approve]).callTool("approve", {});

  expect(result.isError).toBe(true);
  expect(textOf(result)).toContain("`wait` step");
});

test("what cannot be bridged is listed with its reason and hides nothing else", async () => {
  const headless = {
    ...add,
    name: "ask_user",
    metadata: { headlessTool: true },
    invoke: add.invoke,
  };
  const server = toolServer([
    { type: "web_search_20250305", name: "web_search" },
    { type: "function", function: { name: "definition", parameters: {} } },
    RunnableLambda.from(() => 1),
    () => 1,
    headless,
    { name: "listy", schema: { type: "array" }, invoke: async () => 1 },
    add,
  ]);

  expect(await namesOf(server)).toEqual(["add"]);
  const unsupported = await server.unsupported();
  expect(unsupported.map(({ name }) => name)).toEqual([
    "web_search",
    "definition",
    "RunnableLambda",
    "(unnamed)",
    "ask_user",
    "listy",
  ]);
  for (const { reason } of unsupported) expect(reason).toMatch(/\w{3,}/);
});

test("toolkits, records of tools and promises of tools are expanded", async () => {
  class Kit extends BaseToolkit {
    override tools: StructuredToolInterface[] = [add as unknown as StructuredToolInterface];
  }

  expect(await namesOf(toolServer(new Kit()))).toEqual(["add"]);
  expect(await namesOf(toolServer({ add }))).toEqual(["add"]);
  expect(await namesOf(toolServer(Promise.resolve([[add]])))).toEqual(["add"]);
  expect(await namesOf(toolServer(add))).toEqual(["add"]);
});

test("a tool is found by its author's name too", async () => {
  const spaced = tool(async () => "sunny", {
    name: "get weather",
    description: "",
    schema: z.object({}),
  });
  const server = toolServer([spaced]);

  expect(await namesOf(server)).toEqual(["get_weather"]);
  expect(textOf(await server.callTool("get weather", {}))).toBe("sunny");
});
