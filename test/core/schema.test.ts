/** Schemas of any validator: what they say as JSON Schema, and which form of a long integer they take. */
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod3";
import { questionOf } from "../../core/ask.ts";
import { flow } from "../../core/flow.ts";
import { jsonSchemaOf, type Schema, validateJson } from "../../core/schema.ts";

/** JavaScript would round it to …992. */
const LONG = "9007199254740993";
const data = { id: { $type: "bigint", value: LONG } };

test("what has no JSON Schema may be anything, and hides nothing beside it", () => {
  const schema = z.object({
    id: z.union([z.number(), z.bigint()]),
    at: z.date(),
    kind: z.enum(["a", "b"]),
  });
  expect(jsonSchemaOf(schema)).toMatchObject({
    properties: { id: { type: ["number", "integer"] }, at: {}, kind: { enum: ["a", "b"] } },
    required: ["id", "at", "kind"],
  });
});

// Through `require`, without types: those of several copies of zod at once are more than the compiler follows.
const { z: early4 } = createRequire(import.meta.url)("zod3/v4");

const intents = ["refund", "other"] as const;
type Reply = Schema<{ intent: string }>;
const replies: [string, unknown, unknown][] = [
  [
    "zod 4",
    z.object({ intent: z.enum(intents).describe("what") }),
    z.object({ intent: z.string() }),
  ],
  [
    "zod 4 before it converted itself",
    early4.object({ intent: early4.enum(intents).describe("what") }),
    early4.object({ intent: early4.string() }),
  ],
  [
    "zod 3",
    z3.object({ intent: z3.enum(intents).describe("what") }),
    z3.object({ intent: z3.string() }),
  ],
];

describe.each(replies)("a schema of %s", (_, reply, other) => {
  const asks = (schema: unknown) => {
    const output = schema as Reply;
    return flow("sort", { version: "1", input: z.string(), output })
      .step("read", { model: "default", prompt: () => "Which?", output })
      .returns(({ read }) => read);
  };

  test("is what a model is asked for, with its descriptions", () => {
    expect(questionOf("Which?", reply as Reply).schema).toMatchObject({
      type: "object",
      properties: { intent: { type: "string", enum: [...intents], description: "what" } },
      required: ["intent"],
    });
  });

  test("gives a flow another hash when it is another", () => {
    expect(asks(reply).hash).toBe(asks(reply).hash);
    expect(asks(other).hash).not.toBe(asks(reply).hash);
  });
});

test("a model step is refused where its flow is defined when its schema can tell no JSON Schema", () => {
  const untold: Schema<string> = {
    "~standard": { version: 1, vendor: "own", validate: (value) => ({ value: String(value) }) },
  };
  const start = flow("sort", { version: "1", input: z.string(), output: untold });
  expect(jsonSchemaOf(untold)).toBeUndefined();
  expect(() =>
    start.step("read", { model: "default", prompt: () => "Which?", output: untold }),
  ).toThrow(/output of step "read" has no JSON Schema/);
});

describe("an integer beyond 2^53 is", () => {
  const read = (id: z.ZodType) =>
    validateJson(z.object({ id }), data, "Input", "INPUT_INVALID").then((value) => value.id);

  test.each([
    ["a BigInt where the schema takes one", z.union([z.number(), z.bigint()]), BigInt(LONG)],
    ["a BigInt where the schema makes one", z.coerce.bigint(), BigInt(LONG)],
    ["a BigInt where the schema takes anything", z.unknown(), BigInt(LONG)],
    ["a text with all digits where the schema makes one", z.coerce.string(), LONG],
    ["the nearest number where the schema takes that", z.number(), 9007199254740992],
  ])("%s", async (_, schema, value) => {
    expect(await read(schema)).toBe(value);
  });

  test("refused as a number where the schema takes neither", async () => {
    await expect(read(z.boolean())).rejects.toThrow(
      "Input: /id Invalid input: expected boolean, received number",
    );
  });
});
