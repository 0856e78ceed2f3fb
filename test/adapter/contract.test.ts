import { RunnableLambda } from "@langchain/core/runnables";
import { DynamicTool, StructuredTool, tool } from "@langchain/core/tools";
import { expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod3";
import {
  canonicalArgs,
  contractFrom,
  contractOf,
  legalName,
  validateArgs,
  validateResult,
} from "../../adapter/contract.ts";
import type { JsonObject } from "../../core/json.ts";

/** A tool of any schema; only its declaration matters here. */
function declared(schema: unknown, name = "declared") {
  return { name, description: "", schema, invoke: async () => null };
}

function inputOf(schema: unknown): JsonObject {
  return contractOf(declared(schema)).inputSchema;
}

function propertiesOf(schema: unknown): Record<string, JsonObject> {
  return inputOf(schema).properties as Record<string, JsonObject>;
}

test.each([
  ["zod 4", z.object({ city: z.string(), days: z.number().default(3) })],
  ["zod 3", z3.object({ city: z3.string(), days: z3.number().default(3) })],
])("a field with a default is optional in the schema of a %s tool", (_, schema) => {
  expect(inputOf(schema)).toMatchObject({ type: "object", required: ["city"] });
  expect(propertiesOf(schema).days).toMatchObject({ type: "number", default: 3 });
});

test("only a strict zod object forbids unknown keys, because a plain one drops them", () => {
  expect(inputOf(z.object({}))).not.toHaveProperty("additionalProperties");
  expect(inputOf(z.strictObject({})).additionalProperties).toBe(false);
  expect(inputOf(z3.object({})).additionalProperties).toBe(true);
  expect(inputOf(z3.object({}).strict()).additionalProperties).toBe(false);
});

test("dates, big integers, maps and sets get the form they travel in", () => {
  const schema = z.object({
    at: z.date(),
    size: z.bigint(),
    tags: z.set(z.string()),
    stock: z.map(z.string(), z.int()),
  });

  expect(propertiesOf(schema)).toMatchObject({
    at: { type: "string", format: "date-time" },
    size: { type: ["integer", "string"] },
    tags: { type: "array", uniqueItems: true, items: { type: "string" } },
    stock: { type: "array", items: { prefixItems: [{ type: "string" }, { type: "integer" }] } },
  });
});

test("a schema that refers to itself is converted once", () => {
  const Node = z.object({
    name: z.string(),
    get children() {
      return z.array(Node);
    },
  });

  expect(propertiesOf(Node).children).toEqual({ type: "array", items: { $ref: "#" } });
});

test("a union at the root gets the type that MCP requires there", () => {
  const schema = z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a") }),
    z.object({ kind: z.literal("b"), size: z.number() }),
  ]);

  expect(inputOf(schema)).toMatchObject({ type: "object", oneOf: [{}, {}] });
});

test("JSON Schema keeps its words, gets its dialect, and is not shared with the author", () => {
  const schema = { type: "object", properties: { a: { $ref: "#/$defs/x" } }, $defs: { x: {} } };
  const input = inputOf(schema);

  expect(input).toEqual({ $schema: "https://json-schema.org/draft/2020-12/schema", ...schema });
  expect(schema).not.toHaveProperty("$schema");
});

test("a string tool takes an object with one input", () => {
  const search = new DynamicTool({ name: "search", description: "", func: async () => "" });

  expect(contractOf(search).inputSchema).toMatchObject({
    type: "object",
    properties: { input: { type: "string" } },
  });
});

test("a runnable made a tool has the schema it was given", () => {
  const echo = RunnableLambda.from((given: { q: string }) => given.q).asTool({
    name: "echo",
    description: "says it again",
    schema: z.object({ q: z.string() }),
  });

  expect(contractOf(echo)).toMatchObject({
    name: "echo",
    description: "says it again",
    inputSchema: { type: "object", required: ["q"] },
  });
});

test("a subclass of StructuredTool is a tool like any other", () => {
  class Add extends StructuredTool {
    override name = "add";
    override description = "adds";
    override schema = z.object({ a: z.number(), b: z.number() });
    protected override async _call({ a, b }: { a: number; b: number }): Promise<number> {
      return a + b;
    }
  }

  expect(contractOf(new Add()).inputSchema.required).toEqual(["a", "b"]);
});

test("a tool whose schema is a list is refused with the reason", () => {
  expect(() => contractOf(declared({ type: "array" }))).toThrow(
    expect.objectContaining({
      code: "TOOL_UNSUPPORTED",
      message: expect.stringContaining("array"),
    }),
  );
});

test("a name that is not legal everywhere is rewritten, and kept as the original name", () => {
  const weather = tool(async () => "", {
    name: "get weather!",
    description: "",
    schema: z.object({}),
  });

  expect(contractOf(weather)).toMatchObject({ name: "get_weather_", originalName: "get weather!" });
});

test("two names that are rewritten to one are told apart, the same way every time", () => {
  const second = legalName("a b", new Set(["a_b"]));

  expect(second).toMatch(/^a_b_[0-9a-f]{8}$/);
  expect(legalName("a b", new Set(["a_b"]))).toBe(second);
});

test("a long name is cut to 64 characters and stays unique", () => {
  const name = legalName("x".repeat(80));

  expect(name).toHaveLength(64);
  expect(legalName(`${"x".repeat(80)}y`)).not.toBe(name);
});

test("the contract hash changes with name and schema, and not with the order of keys", () => {
  const contract = {
    name: "t",
    originalName: "t",
    language: "javascript" as const,
    description: "",
    inputSchema: { type: "object", properties: {} },
  };
  const { contractHash } = contractFrom(contract);

  expect(contractHash).toMatch(/^sha256:[0-9a-f]{64}$/);
  const reordered = { properties: {}, type: "object" };
  expect(contractFrom({ ...contract, inputSchema: reordered }).contractHash).toBe(contractHash);
  expect(contractFrom({ ...contract, description: "other" }).contractHash).toBe(contractHash);
  expect(contractFrom({ ...contract, name: "u" }).contractHash).not.toBe(contractHash);
  expect(contractFrom({ ...contract, outputSchema: {} }).contractHash).not.toBe(contractHash);
});

test("canonical arguments have the defaults and coercions of the schema, in a copy", () => {
  const contract = contractOf(
    declared(z.object({ cents: z.int(), currency: z.string().default("EUR") })),
  );
  const given = { cents: "1200" };

  expect(canonicalArgs(contract, given)).toEqual({ cents: 1200, currency: "EUR" });
  expect(given).toEqual({ cents: "1200" });
});

test("arguments that the schema refuses come back as they are", () => {
  const contract = contractOf(declared(z.object({ cents: z.int(), note: z.string().default("") })));

  expect(canonicalArgs(contract, { cents: "many" })).toEqual({ cents: "many" });
});

test("a violation names the place and the rule", () => {
  const contract = contractOf(declared(z.object({ lines: z.array(z.object({ cents: z.int() })) })));

  expect(validateArgs(contract, { lines: [{ cents: 1 }] })).toEqual([]);
  expect(validateArgs(contract, { lines: [{ cents: 1.5 }] })).toEqual([
    "/lines/0/cents must be integer",
  ]);
});

test("what every object inherits is no field of the arguments", () => {
  const schema = {
    type: "object",
    properties: { constructor: { type: "string" }, toString: { type: "string" } },
    required: ["constructor"],
  };
  const contract = contractOf(declared(schema));

  expect(validateArgs(contract, { constructor: "a" })).toEqual([]);
  expect(validateArgs(contract, {})).toEqual(["/ must have required property 'constructor'"]);
});

test("a declared output schema checks results; without one everything fits", () => {
  const total = { ...declared(z.object({})), outputSchema: z.object({ total: z.number() }) };

  expect(validateResult(contractOf(total), { total: "1" })).toEqual(["/total must be number"]);
  expect(validateResult(contractOf(declared(z.object({}))), "anything")).toEqual([]);
});

test("a reference to another document is never fetched, and is reported", () => {
  const remote = contractOf(
    declared({ type: "object", properties: { a: { $ref: "https://example.com/a.json" } } }),
  );

  expect(validateArgs(remote, { a: 1 })).toEqual([expect.stringContaining("example.com/a.json")]);
  expect(canonicalArgs(remote, { a: 1 })).toEqual({ a: 1 });
});

test("tuples are checked in the dialect that the schema declares", () => {
  const draft7 = contractOf(declared(z3.object({ at: z3.tuple([z3.number(), z3.string()]) })));
  const draft2020 = contractOf(declared(z.object({ at: z.tuple([z.number(), z.string()]) })));

  for (const contract of [draft7, draft2020]) {
    expect(validateArgs(contract, { at: [1, "a"] })).toEqual([]);
    expect(validateArgs(contract, { at: ["a", 1] })).not.toEqual([]);
  }
});
