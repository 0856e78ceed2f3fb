/** Schemas of any validator: what they say as JSON Schema, and which form of a long integer they take. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { jsonSchemaOf, validateJson } from "../../core/schema.ts";

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
