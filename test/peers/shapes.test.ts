/** Every shape a LangChain JavaScript tool comes in, from the newest core and from the one before. */
import { Command, interrupt } from "@langchain/langgraph";
import { tool as langchainTool } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod3";
import { toolServer } from "../../adapter/in-process.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { RESULT_META_KEY, resultValue, type ToolResult, textOf } from "../../core/tool.ts";
import { CORES, type LangChainCore } from "./langchain-core.ts";

/** A tool of one shape that answers with the arguments it got. */
interface Shape {
  make: (core: LangChainCore) => unknown;
  args: JsonValue;
  /** What the tool's function is handed. */
  got: JsonValue;
  /** Required names of the published schema. */
  required: string[] | undefined;
}

const echo = async (args: unknown) => ({ got: args });
const named = { name: "shape", description: "says what it got" };
const record = { type: "object", properties: { a: { type: "number" } }, required: ["a"] };

function make(core: LangChainCore, schema: unknown): unknown {
  // The overloads of tool() know each kind of schema apart; here it is any of them.
  const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
  return tool(echo, { ...named, ...(schema === undefined ? {} : { schema }) });
}

const SHAPES: Record<string, Shape> = {
  "tool() with zod 4": {
    make: (core) => make(core, z.object({ a: z.number(), b: z.number().default(2) })),
    args: { a: 1 },
    got: { a: 1, b: 2 },
    required: ["a"],
  },
  "tool() with zod 3": {
    make: (core) => make(core, z3.object({ a: z3.number(), b: z3.number().default(2) })),
    args: { a: 1 },
    got: { a: 1, b: 2 },
    required: ["a"],
  },
  "tool() with JSON Schema": {
    make: (core) => make(core, record),
    args: { a: 1 },
    got: { a: 1 },
    required: ["a"],
  },
  "tool() with a string of zod 4": {
    make: (core) => make(core, z.string()),
    args: { input: "hi" },
    got: "hi",
    required: ["input"],
  },
  "tool() with a string of zod 3": {
    make: (core) => make(core, z3.string()),
    args: { input: "hi" },
    got: "hi",
    required: ["input"],
  },
  "tool() with a string of JSON Schema": {
    make: (core) => make(core, { type: "string" }),
    args: { input: "hi" },
    got: "hi",
    required: ["input"],
  },
  "tool() without a schema": {
    make: (core) => make(core, undefined),
    args: { input: "hi" },
    got: "hi",
    required: undefined,
  },
  "a text tool given a bare text": {
    make: (core) => make(core, undefined),
    args: "hi",
    got: "hi",
    required: undefined,
  },
  DynamicTool: {
    make: ({ tools }) => new tools.DynamicTool({ ...named, func: echo as never }),
    args: { input: "hi" },
    got: "hi",
    required: undefined,
  },
  DynamicStructuredTool: {
    make: ({ tools }) =>
      new tools.DynamicStructuredTool({
        ...named,
        schema: z.object({ a: z.number() }),
        func: echo as never,
      }),
    args: { a: 1 },
    got: { a: 1 },
    required: ["a"],
  },
  "a subclass of Tool": {
    make: ({ tools }) =>
      new (class extends tools.Tool {
        override name = "shape";
        override description = "";
        protected override _call = echo as never;
      })(),
    args: { input: "hi" },
    got: "hi",
    required: undefined,
  },
  "a subclass of StructuredTool": {
    make: ({ tools }) =>
      new (class extends tools.StructuredTool {
        override name = "shape";
        override description = "";
        override schema = z.object({ a: z.number() });
        #runs = 0;
        protected override async _call(args: unknown) {
          this.#runs += 1;
          return { got: args };
        }
      })(),
    args: { a: 1 },
    got: { a: 1 },
    required: ["a"],
  },
  "a runnable made a tool": {
    make: ({ runnables }) =>
      runnables.RunnableLambda.from(echo).asTool({
        ...named,
        schema: z.object({ a: z.number() }),
      }),
    args: { a: 1 },
    got: { a: 1 },
    required: ["a"],
  },
  "a runnable made a text tool": {
    make: ({ runnables }) =>
      runnables.RunnableLambda.from(echo).asTool({ ...named, schema: z3.string() } as never),
    args: { input: "hi" },
    got: "hi",
    required: ["input"],
  },
  "a frozen tool": {
    make: (core) => Object.freeze(make(core, z.object({ a: z.number() }))),
    args: { a: 1 },
    got: { a: 1 },
    required: ["a"],
  },
};

interface Returning {
  responseFormat?: string;
}

/** Calls a tool whose function is given, and that takes no arguments. */
async function called(
  core: LangChainCore,
  run: (args: unknown, config: Record<string, unknown>) => unknown,
  fields: Returning = {},
  options: Parameters<typeof toolServer>[1] = {},
): Promise<ToolResult> {
  const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
  const server = toolServer(tool(run, { ...named, schema: z.object({}), ...fields }), options);
  return server.callTool("shape", {});
}

function keptOf(result: ToolResult): JsonObject {
  return result._meta?.[RESULT_META_KEY] as JsonObject;
}

function idOf(config: Record<string, unknown>): string {
  return (config.toolCall as { id: string }).id;
}

describe.each(CORES.map((core) => [core.version, core] as const))(
  "@langchain/core %s",
  (_, core) => {
    test.each(Object.entries(SHAPES))("%s", async (_name, shape) => {
      const server = toolServer(shape.make(core));
      const [contract] = await server.listTools();

      expect(await server.unsupported()).toEqual([]);
      expect(contract).toMatchObject({
        name: "shape",
        inputSchema: { type: "object", $schema: expect.stringContaining("json-schema.org") },
      });
      expect(contract?.inputSchema.required).toEqual(shape.required);
      expect(resultValue(await server.callTool("shape", shape.args))).toEqual({ got: shape.got });
    });

    test.each([
      ["zod 4", z.email(), { format: "email" }],
      ["zod 3", z3.string().min(3).max(5), { minLength: 3, maxLength: 5 }],
      ["zod 3 enum", z3.string().regex(/^[ab]$/), { pattern: "^[ab]$" }],
      ["JSON Schema", { type: "string", enum: ["x", "y"] }, { enum: ["x", "y"] }],
    ])("the bounds that an author gives a text survive: %s", async (_kind, schema, published) => {
      const [contract] = await toolServer(make(core, schema)).listTools();

      expect(contract?.inputSchema.properties).toMatchObject({
        input: { type: "string", ...published },
      });
    });

    test.each([
      [
        "an async generator",
        async function* () {
          yield "one";
          yield { two: 2 };
          return "end";
        },
      ],
      [
        "a generator",
        function* () {
          yield "one";
          yield { two: 2 };
          return "end";
        },
      ],
    ])("what %s yields is progress, and what it returns is the result", async (_kind, run) => {
      const progress: unknown[] = [];
      const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
      const server = toolServer(tool(run, { ...named, schema: z.object({}) }));
      const result = await server.callTool(
        "shape",
        {},
        { onProgress: (one) => void progress.push(one) },
      );

      expect(textOf(result)).toBe("end");
      expect(progress).toEqual([
        { progress: 1, message: "one" },
        { progress: 2, message: '{"two":2}' },
      ]);
    });

    test("a value with a field called next is a value and not a generator", async () => {
      const page = { items: [1], next: "cursor" };

      expect(resultValue(await called(core, async () => page))).toEqual(page);
    });

    test("content and artifact: the artifact is the structure, the content its text", async () => {
      const fields = { responseFormat: "content_and_artifact" };
      const result = await called(core, async () => ["2 rows", { rows: [1, 2] }], fields);

      expect(result).toMatchObject({
        content: [{ type: "text", text: "2 rows" }],
        structuredContent: { rows: [1, 2] },
      });
      expect(keptOf(result)).toMatchObject({ artifact: { rows: [1, 2] } });
    });

    test("content and artifact that are no pair are an error in LangChain's words", async () => {
      const result = await called(core, async () => "alone", {
        responseFormat: "content_and_artifact",
      });

      expect(result.isError).toBe(true);
      expect(textOf(result)).toContain("not a two-tuple");
    });

    test("a tool message that reports an error is an error", async () => {
      const result = await called(core, (_args, config) => {
        const fields = { content: "no stock", tool_call_id: idOf(config), artifact: { left: 0 } };
        return new core.messages.ToolMessage({ ...fields, status: "error" });
      });

      expect(result).toMatchObject({ isError: true, content: [{ text: "no stock" }] });
      expect(keptOf(result)).toMatchObject({ raw: "no stock", artifact: { left: 0 } });
    });

    test("several tool messages are one result, an error when one of them is", async () => {
      const message = (content: string, status: "success" | "error") =>
        new core.messages.ToolMessage({ content, tool_call_id: content, status });
      const both = await called(core, async () => [message("a", "success"), message("b", "error")]);
      const good = await called(core, async () => [message("a", "success")]);

      expect(both.content.map(({ text }) => text)).toEqual(["a", "b"]);
      expect(both.isError).toBe(true);
      expect(good).not.toHaveProperty("isError");
      expect(resultValue(good)).toBe("a");
    });

    test("a command is an error with a way out, or data when the host asks for it", async () => {
      const command = async () => new Command({ goto: "next", update: { done: true } });
      const refused = await called(core, command);
      const told = await called(core, command, {}, { commands: "serialise" });

      expect(refused.isError).toBe(true);
      expect(textOf(refused)).toContain("Only a graph can follow it");
      expect(told).not.toHaveProperty("isError");
      expect(keptOf(told).commands).toEqual([{ goto: ["next"], update: { done: true } }]);
    });

    test("a command among messages is no less a command", async () => {
      const result = await called(core, async (_args, config) => [
        new core.messages.ToolMessage({ content: "done", tool_call_id: idOf(config) }),
        new Command({ goto: "next" }),
      ]);

      expect(result.isError).toBe(true);
      expect(keptOf(result).commands).toEqual([{ goto: ["next"] }]);
    });

    test("an interrupt is an error with a way out", async () => {
      const result = await called(core, async () => interrupt({ ask: "ok?" }));

      expect(result.isError).toBe(true);
      expect(textOf(result)).toContain("put a `wait` step before the tool");
    });

    test.each([
      ["a text", "out of paper", "out of paper"],
      ["nothing", undefined, "undefined"],
      ["an object with a message", { code: 5, message: "jammed" }, "jammed"],
      ["an object without one", { code: 5 }, '{"code":5}'],
    ])("a tool may throw %s", async (_kind, thrown, text) => {
      const result = await called(core, async () => Promise.reject(thrown));

      expect(result).toMatchObject({ isError: true, content: [{ type: "text", text }] });
    });

    test.each([
      ["undefined", undefined, null, false],
      ["a number", 5, 5, false],
      ["a list", [1, { a: 1 }], [1, { a: 1 }], false],
      ["NaN in a field", { a: Number.NaN }, { a: { $type: "number", value: "NaN" } }, true],
      ["a big integer", 10n, { $type: "bigint", value: "10" }, true],
      ["a map", new Map([["a", 1]]), { $type: "map", value: [["a", 1]] }, true],
      ["bytes", Buffer.from("hi"), { $type: "bytes", value: "aGk=" }, true],
      ["a symbol", Symbol("x"), { $type: "symbol", value: "Symbol(x)" }, true],
      [
        "an instance",
        new (class Point {
          x = 1;
        })(),
        { x: 1 },
        true,
      ],
    ])("a tool may return %s, and the result is JSON", async (_kind, value, raw, lossy) => {
      const result = await called(core, async () => value);

      expect(JSON.parse(JSON.stringify(result))).toEqual(result);
      expect(keptOf(result)).toMatchObject({ raw, lossy });
      expect(Object.hasOwn(result, "structuredContent")).toBe(
        typeof raw === "object" && raw !== null && !Array.isArray(raw) && !("$type" in raw),
      );
    });

    test("a structure always has JSON text beside it, whatever LangChain made of it", async () => {
      const result = await called(core, async () => ({ count: 10n }));

      expect(JSON.parse(textOf(result))).toEqual(result.structuredContent);
    });

    test("a value that holds itself gives its text, and says why its raw form is missing", async () => {
      const loop: Record<string, unknown> = {};
      loop.self = loop;
      const result = await called(core, async () => loop);

      expect(keptOf(result)).toMatchObject({ raw: null, reason: "The value refers to itself" });
    });

    test("state, store and context come from the host and never from the caller", async () => {
      const seen: unknown[] = [];
      const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
      const look = tool(
        async (args: unknown, runtime: Record<string, unknown>) => {
          seen.push([
            args,
            runtime.state,
            runtime.store,
            runtime.context,
            typeof runtime.toolCallId,
          ]);
          return "";
        },
        { ...named, schema: z.looseObject({}) },
      );
      const inject = () => ({ state: { n: 1 }, store: "shelf", context: { user: "ada" } });
      const spoofed = { state: { n: 666 }, context: { user: "eve" } };
      await toolServer(look, { inject }).callTool("shape", spoofed);

      expect(seen).toEqual([[spoofed, { n: 1 }, "shelf", { user: "ada" }, "string"]]);
    });

    test("a tool that its host does not bind is listed as such, and callable once it is", async () => {
      const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
      const metadata = { requires: ["store"] };
      const look = tool(async (_args: unknown, runtime: { store: string }) => runtime.store, {
        ...named,
        schema: z.object({}),
        metadata,
      });
      const unbound = toolServer(look);
      const bound = toolServer(look, { inject: () => ({ store: "shelf" }) });

      expect(await unbound.listTools()).toEqual([]);
      expect(await unbound.unsupported()).toEqual([
        { name: "shape", reason: expect.stringContaining("needs binding: it requires store") },
      ]);
      expect(textOf(await bound.callTool("shape", {}))).toBe("shelf");
    });

    test("trace context reaches the tool as metadata", async () => {
      const tool = core.tools.tool as unknown as (run: unknown, fields: object) => unknown;
      const look = tool(
        async (_args: unknown, { metadata }: { metadata: JsonObject }) => metadata,
        { ...named, schema: z.object({}) },
      );
      const metadata = { traceparent: "00-1-2-01" };

      expect(resultValue(await toolServer(look).callTool("shape", {}, { metadata }))).toMatchObject(
        metadata,
      );
    });

    test("two tools of one name are both listed, under names of their own", async () => {
      const contracts = await toolServer([make(core, record), make(core, record)]).listTools();
      const names = contracts.map(({ name }) => name);

      expect(new Set(names).size).toBe(2);
      expect(contracts.map(({ originalName }) => originalName)).toEqual(["shape", "shape"]);
      for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    });

    test("a toolkit is its tools, and one that fails hides nothing else", async () => {
      class Kit extends core.tools.BaseToolkit {
        override tools = [make(core, record)] as never;
      }
      class Broken extends core.tools.BaseToolkit {
        override tools = [];
        override getTools(): never {
          throw new Error("no credentials");
        }
      }
      const server = toolServer([new Broken(), new Kit()]);

      expect((await server.listTools()).map(({ name }) => name)).toEqual(["shape"]);
      expect(await server.unsupported()).toEqual([
        { name: "(unnamed)", reason: "It could not be read: no credentials" },
      ]);
    });
  },
);

test("a tool without a function is listed with the reason, beside the one that implements it", async () => {
  const headless = langchainTool({
    name: "locate",
    description: "",
    schema: z.object({ exact: z.boolean() }),
  });
  const provider = { type: "web_search_20250305", name: "web_search", max_uses: 3 };
  const definition = { name: "only_params", description: "", schema: z.object({}) };
  const openAi = { type: "function", function: { name: "openai", parameters: {} } };
  const server = toolServer([headless, provider, definition, openAi]);

  expect(await server.listTools()).toEqual([]);
  expect(await server.unsupported()).toEqual([
    { name: "locate", reason: expect.stringContaining("headless") },
    { name: "web_search", reason: expect.stringContaining("provider") },
    { name: "only_params", reason: expect.stringContaining("only a definition") },
    { name: "openai", reason: expect.stringContaining("only a definition") },
  ]);
});

test("a group that holds itself is listed once", async () => {
  const tools: unknown[] = [make(CORES[0] as LangChainCore, record)];
  tools.push(tools);

  expect(await toolServer(tools).listTools()).toHaveLength(1);
});
