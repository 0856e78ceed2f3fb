import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, driftBetween } from "../../adapter/drift.ts";
import { learnSchema, MIN_LEARNED_VALUES } from "../../adapter/learn.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";

const NOTHING: JsonObject = { type: "object" };

function object(properties: JsonObject, rest: JsonObject = {}): JsonObject {
  return { type: "object", properties, ...rest };
}

function input(locked: JsonObject, now: JsonObject): Change[] {
  return driftBetween({ inputSchema: locked }, { inputSchema: now });
}

function output(locked: JsonObject, now: JsonObject): Change[] {
  const of = (outputSchema: JsonObject) => ({ inputSchema: NOTHING, outputSchema });
  return driftBetween(of(locked), of(now));
}

const string = { type: "string" };
const number = { type: "number" };
const node = (value: JsonObject): JsonObject => ({
  $ref: "#/$defs/node",
  $defs: { node: object({ value, next: { $ref: "#/$defs/node" } }) },
});

describe("an input", () => {
  test.each([
    ["lost a field", object({ a: string, b: string }), object({ a: string }), "/properties/b"],
    [
      "wants a field that was optional",
      object({ a: string }),
      object({ a: string }, { required: ["a"] }),
      "/properties/a",
    ],
    [
      "wants a field that is new",
      object({}),
      object({ a: string }, { required: ["a"] }),
      "/properties/a",
    ],
    ["has another type", object({ a: string }), object({ a: number }), "/properties/a"],
    [
      "takes one type less",
      object({ a: { type: ["string", "null"] } }),
      object({ a: string }),
      "/properties/a",
    ],
    [
      "takes whole numbers only",
      object({ a: number }),
      object({ a: { type: "integer" } }),
      "/properties/a",
    ],
    [
      "lost a value",
      object({ a: { enum: [1, 2] } }),
      object({ a: { enum: [1] } }),
      "/properties/a",
    ],
    [
      "has a lower maximum",
      object({ a: { maximum: 9 } }),
      object({ a: { maximum: 8 } }),
      "/properties/a",
    ],
    [
      "has a pattern",
      object({ a: string }),
      object({ a: { ...string, pattern: "^x" } }),
      "/properties/a",
    ],
    [
      "forbids unknown fields",
      object({}),
      object({}, { additionalProperties: false }),
      "/additionalProperties",
    ],
    [
      "fills in another default",
      object({ a: { default: 1 } }),
      object({ a: { default: 2 } }),
      "/properties/a",
    ],
    [
      "has items of another type",
      object({ a: { items: string } }),
      object({ a: { items: number } }),
      "/properties/a/items",
    ],
    [
      "lost an alternative",
      object({ a: { anyOf: [string, number] } }),
      object({ a: { anyOf: [string] } }),
      "/properties/a/anyOf",
    ],
    ["changed behind a reference", node(string), node(number), "/properties/value"],
    [
      "changed in a way nobody can judge",
      object({ a: { if: true } }),
      object({ a: { if: false } }),
      "/properties/a",
    ],
  ])("that %s breaks its callers", (_, locked, now, at) => {
    expect(input(locked, now)).toContainEqual(
      expect.objectContaining({ drift: "breaking", at: `input${at}` }),
    );
  });

  test.each([
    ["a new optional field", object({}), object({ a: string })],
    [
      "a field that may be left out now",
      object({ a: string }, { required: ["a"] }),
      object({ a: string }),
    ],
    ["one type more", object({ a: string }), object({ a: { type: ["string", "null"] } })],
    [
      "every number instead of whole ones",
      object({ a: { type: "integer" } }),
      object({ a: number }),
    ],
    ["one value more", object({ a: { enum: [1] } }), object({ a: { enum: [1, 2] } })],
    ["no minimum any more", object({ a: { minimum: 1 } }), object({ a: {} })],
    [
      "one alternative more",
      object({ a: { anyOf: [string] } }),
      object({ a: { anyOf: [string, number] } }),
    ],
    ["another description", object({ a: string }), object({ a: { ...string, description: "x" } })],
    ["unknown fields", object({}, { additionalProperties: false }), object({})],
  ])("with %s is additive", (_, locked, now) => {
    expect(new Set(input(locked, now).map(({ drift }) => drift))).toEqual(new Set(["additive"]));
  });

  test("that is the same, in another order of keys, is no drift", () => {
    expect(input(node(string), node(string))).toEqual([]);
    expect(
      input({ type: "object", required: ["b", "a"] }, { required: ["a", "b"], type: "object" }),
    ).toEqual([]);
  });
});

test("an output is judged the other way round", () => {
  const [few, many] = [object({ a: string }), object({ a: { type: ["string", "null"] } })];
  expect(output(few, many)).toMatchObject([{ drift: "breaking", at: "output/properties/a" }]);
  expect(output(many, few)).toMatchObject([{ drift: "additive" }]);
  expect(output(object({ a: string }), object({}))).toMatchObject([{ drift: "breaking" }]);
});

test("an output that is no longer declared breaks; one that is new does not", () => {
  const declared = { inputSchema: NOTHING, outputSchema: NOTHING };
  expect(driftBetween(declared, { inputSchema: NOTHING })).toMatchObject([{ drift: "breaking" }]);
  expect(driftBetween({ inputSchema: NOTHING }, declared)).toMatchObject([{ drift: "additive" }]);
});

const leaf = fc.record(
  {
    type: fc.constantFrom("string", "integer", "number", "null", ["string", "null"]),
    enum: fc.uniqueArray(fc.constantFrom("a", "b", 1, 2, null), { minLength: 1 }),
    minimum: fc.integer({ min: 0, max: 3 }),
    maxLength: fc.integer({ min: 0, max: 3 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

const closed = fc
  .record({ a: leaf, b: leaf, c: leaf }, { requiredKeys: [] })
  .chain((properties) =>
    fc
      .subarray(Object.keys(properties))
      .map((required) =>
        object(properties as JsonObject, { required, additionalProperties: false }),
      ),
  );

/** One field of the schema is another one, or new, and the required fields are drawn again. */
const changed = fc
  .tuple(closed, closed, fc.constantFrom("a", "b", "c"))
  .map(([locked, other, key]) => {
    const one = other.properties as JsonObject;
    const properties = {
      ...(locked.properties as JsonObject),
      ...(one[key] && { [key]: one[key] }),
    };
    const now = { ...locked, properties, required: (locked.required as string[]).slice(1) };
    return [locked, now] as const;
  });

test("no input that a contract took is refused after a change that is called additive", () => {
  const ajv = new Ajv2020({ strict: false });
  const values = fc.constantFrom<JsonValue>("a", "b", "abcd", 0, 1, 2, 2.5, null);
  const inputs = fc.record({ a: values, b: values, c: values }, { requiredKeys: [] });
  let additive = 0;
  fc.assert(
    fc.property(changed, fc.array(inputs, { minLength: 20 }), ([locked, now], samples) => {
      if (input(locked, now).some(({ drift }) => drift === "breaking")) return;
      additive += 1;
      const [before, after] = [ajv.compile(locked), ajv.compile(now)];
      for (const sample of samples) if (before(sample)) expect(after(sample)).toBe(true);
    }),
    { numRuns: 1_500 },
  );
  expect(additive).toBeGreaterThan(150);
});

describe("a learned schema", () => {
  const times = (...values: JsonValue[]): JsonValue[] =>
    Array.from({ length: MIN_LEARNED_VALUES }, (_, index) => values[index % values.length] ?? null);

  test("requires the fields that every value had, and knows the types of all", () => {
    expect(learnSchema(times({ id: 1, note: "x" }, { id: 2.5 }, { id: 3, note: null }))).toEqual({
      type: "object",
      properties: { id: { type: "number" }, note: { type: ["null", "string"] } },
      required: ["id"],
    });
  });

  test("is not made from a handful of values", () => {
    expect(learnSchema(times({ id: 1 }).slice(1))).toBeUndefined();
  });

  test("knows an integer as one, also where JavaScript would round it", () => {
    const long = { $type: "bigint", value: "9007199254740993" };
    expect(learnSchema(times({ id: 1 }, { id: long }))).toEqual({
      type: "object",
      properties: { id: { type: "integer" } },
      required: ["id"],
    });
  });

  test("says nothing about what was always null, or in a list that was always empty", () => {
    expect(learnSchema(times({ a: null, b: [] }))).toMatchObject({
      properties: { a: {}, b: { type: "array", items: {} } },
    });
  });

  test("takes an object whose keys are data for a map", () => {
    const values = Array.from({ length: 100 }, (_, index) => ({ [`order-${index}`]: index }));
    expect(learnSchema(values)).toEqual({
      type: "object",
      additionalProperties: { type: "integer" },
    });
  });

  test("takes every value that it was learned from", () => {
    const ajv = new Ajv2020({ strict: false, ownProperties: true });
    const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
    fc.assert(
      fc.property(fc.array(json, { minLength: MIN_LEARNED_VALUES, maxLength: 30 }), (values) => {
        const accepts = ajv.compile(learnSchema(values) ?? false);
        for (const value of values) expect(accepts(value)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
