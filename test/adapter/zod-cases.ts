/** Random zod schemas, of zod 4 and of zod 3, each with random JSON that nearly fits it. */
import fc from "fast-check";
import { z as z4 } from "zod";
import { z as z3 } from "zod3";
import type { JsonValue } from "../../core/json.ts";

export type Zod = typeof z4;

export const ZODS: readonly [string, Zod][] = [
  ["zod 4", z4],
  // The tests build only with what both versions have, under the same names.
  ["zod 3", z3 as unknown as Zod],
];

type ZodType = z4.ZodType;

export interface Case {
  schema: ZodType;
  /** What the schema takes, or nearly. */
  value: fc.Arbitrary<JsonValue>;
  /** The schema takes only what JSON Schema can say: nothing coerced, caught or preprocessed. */
  exact: boolean;
}

const anything = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
const DAYS = fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true });

type Maker = (z: Zod) => fc.Arbitrary<Case>;

function leaf(make: (z: Zod) => ZodType, value: fc.Arbitrary<JsonValue>, exact = true): Maker {
  return (z) => fc.constant({ schema: make(z), value, exact });
}

const COMMON: readonly Maker[] = [
  leaf((z) => z.string(), fc.string()),
  leaf((z) => z.string().min(2).max(4), fc.string({ maxLength: 5 })),
  leaf((z) => z.string().regex(/^[a-c]+$/), fc.constantFrom("a", "abc", "d", "")),
  leaf((z) => z.string().email(), fc.oneof(fc.emailAddress(), fc.string())),
  leaf((z) => z.number(), fc.double({ noNaN: true, noDefaultInfinity: true })),
  leaf((z) => z.number().int().min(0).max(9), fc.integer({ min: -2, max: 11 })),
  leaf((z) => z.number().gt(0).lt(1), fc.constantFrom(0, 0.5, 1)),
  // Not exact: to zod 3, a number near 0 is a multiple of anything.
  leaf((z) => z.number().multipleOf(5), fc.integer({ min: -12, max: 12 }), false),
  leaf((z) => z.boolean(), fc.boolean()),
  leaf((z) => z.null(), fc.constant(null)),
  leaf((z) => z.literal("on"), fc.constantFrom("on", "off")),
  leaf((z) => z.enum(["red", "green"]), fc.constantFrom("red", "green", "blue")),
  leaf((z) => z.unknown(), anything),
  leaf(
    (z) => z.date(),
    fc.oneof(
      DAYS.map((day) => day.toISOString()),
      fc.string(),
    ),
  ),
  leaf(
    (z) => z.bigint(),
    fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true })),
  ),
  leaf((z) => z.coerce.number(), fc.integer(), false),
  leaf((z) => z.coerce.boolean(), fc.boolean(), false),
];

/** What only one version can say rightly: zod 3's converter knows no times and no coercion. */
const ZOD_4_ONLY: readonly Maker[] = [
  leaf((z) => z.uuid(), fc.uuid()),
  leaf(
    (z) => z.iso.datetime(),
    DAYS.map((day) => day.toISOString()),
  ),
  leaf((z) => z.iso.date(), fc.constantFrom("2026-01-31", "2026-02-30", "31.1.2026")),
  leaf((z) => z.stringbool(), fc.constantFrom("true", "TRUE", "no", "oN", "maybe", "")),
  leaf((z) => z.coerce.date(), fc.oneof(DAYS.map(Number), fc.string()), false),
  leaf((z) => z.bigint().min(0n).max(9n), fc.integer({ min: -2, max: 11 })),
  leaf(
    (z) => z.codec(z.string(), z.number(), { decode: (text) => text.length, encode: String }),
    fc.string(),
  ),
  leaf((z) => z.templateLiteral(["v", z.int()]), fc.constantFrom("v1", "v", "1")),
];

/** A schema of any kind; `tie` gives the schemas inside it. */
function composed(z: Zod, tie: fc.Arbitrary<Case>): fc.Arbitrary<Case> {
  return fc.oneof(
    fields(z, tie),
    wrapped(tie),
    fc.array(tie, { minLength: 1, maxLength: 2 }).map((items) => tupleOf(z, items)),
    tie.map((item) => arrayOf(z, item)),
    tie.map((item) => recordOf(z, item)),
    tie.map((item) => setOf(z, item)),
    tie.map((item) => mapOf(z, item)),
    fc.tuple(tie, tie).map(([one, other]) => unionOf(z, one, other)),
    tie.map((item) => treeOf(z, item)),
  );
}

function wrapped(tie: fc.Arbitrary<Case>): fc.Arbitrary<Case> {
  const wraps: ((one: Case) => Case)[] = [
    (one) => ({ ...one, schema: one.schema.nullable(), value: fc.option(one.value) }),
    (one) => ({ ...one, schema: one.schema.readonly() }),
    (one) => ({ ...one, schema: one.schema.describe("said of it") }),
    (one) => ({ ...one, schema: one.schema.transform((value) => [value]) }),
    (one) => ({ ...one, schema: one.schema.brand("Mark") }),
    (one) => ({ ...one, schema: one.schema.catch(null), exact: false }),
  ];
  return fc.tuple(tie, fc.constantFrom(...wraps)).map(([one, wrap]) => wrap(one));
}

type Presence = "required" | "optional" | "defaulted";

interface Field {
  one: Case;
  presence: Presence;
}

const presence = fc.constantFrom<Presence>("required", "optional", "defaulted");

/** An object as tools have it: some fields optional, some with a default, unknown keys in all three ways. */
export function fields(z: Zod, tie: fc.Arbitrary<Case>): fc.Arbitrary<Case> {
  const field = fc.record({ one: tie, presence });
  const names = fc.dictionary(fc.constantFrom("a", "b", "c"), field, { noNullPrototype: true });
  return fc
    .tuple(names, fc.constantFrom("strip", "strict", "loose"))
    .map(([shape, unknownKeys]) => {
      const object = z.object(
        Object.fromEntries(Object.entries(shape).map(([name, one]) => [name, present(z, one)])),
      );
      const open = unknownKeys === "strict" ? object.strict() : object.passthrough();
      const schema = unknownKeys === "strip" ? object : open;
      return { schema, value: nearly(shape), exact: everyExact(shape) };
    });
}

function present(z: Zod, { one, presence }: Field): ZodType {
  if (presence === "optional") return one.schema.optional();
  if (presence === "required") return one.schema;
  return z.union([one.schema, z.literal("none")]).default("none");
}

function everyExact(shape: Record<string, Field>): boolean {
  return Object.values(shape).every(({ one }) => one.exact);
}

function nearly(shape: Record<string, Field>): fc.Arbitrary<JsonValue> {
  const values: Record<string, fc.Arbitrary<JsonValue>> = {};
  for (const [name, { one }] of Object.entries(shape)) {
    values[name] = fc.oneof(
      { weight: 12, arbitrary: one.value },
      { weight: 1, arbitrary: anything },
    );
  }
  const requiredKeys = Object.keys(shape).filter((name) => shape[name]?.presence === "required");
  const often = fc.record(values, { requiredKeys, noNullPrototype: true });
  const extra = fc.constantFrom<Record<string, JsonValue>>({}, {}, {}, { z: 1 });
  return fc.tuple(often, extra).map(([value, more]) => ({ ...(value as object), ...more }));
}

function arrayOf(z: Zod, { schema, value, exact }: Case): Case {
  return {
    schema: z.array(schema).min(1).max(3),
    value: fc.array(value, { maxLength: 4 }),
    exact,
  };
}

function tupleOf(z: Zod, items: readonly Case[]): Case {
  const [first, ...rest] = items.map(({ schema }) => schema);
  return {
    schema: z.tuple([first as ZodType, ...rest]),
    value: fc.tuple(...items.map(({ value }) => value)) as unknown as fc.Arbitrary<JsonValue>,
    exact: items.every(({ exact }) => exact),
  };
}

function recordOf(z: Zod, { schema, value, exact }: Case): Case {
  return {
    schema: z.record(z.string(), schema),
    value: fc.dictionary(fc.string({ maxLength: 3 }), value, {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    exact,
  };
}

/** A list with one item twice is a set to zod, and none to JSON Schema. */
function setOf(z: Zod, { schema, value }: Case): Case {
  return { schema: z.set(schema), value: fc.array(value, { maxLength: 3 }), exact: false };
}

/** Of two pairs with one key, a map knows only the later. */
function mapOf(z: Zod, { schema, value, exact }: Case): Case {
  const pairs = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 3 }), value), {
    maxLength: 3,
    selector: ([key]) => key,
  });
  return {
    schema: z.map(z.string(), schema),
    value: pairs as unknown as fc.Arbitrary<JsonValue>,
    exact,
  };
}

function unionOf(z: Zod, one: Case, other: Case): Case {
  return {
    schema: z.union([one.schema, other.schema]),
    value: fc.oneof(one.value, other.value),
    exact: one.exact && other.exact,
  };
}

/** A schema that holds itself, in the style both versions know. */
function treeOf(z: Zod, { schema, value, exact }: Case): Case {
  const Tree: ZodType = z.lazy(() => z.object({ value: schema, children: z.array(Tree) }));
  const tree = fc.letrec<{ tree: JsonValue }>((tie) => ({
    tree: fc.record(
      { value, children: fc.array(tie("tree"), { maxLength: 1, depthIdentifier: "tree" }) },
      { noNullPrototype: true },
    ) as unknown as fc.Arbitrary<JsonValue>,
  }));
  return { schema: Tree, value: tree.tree, exact };
}

/** The arguments of a tool: an object of anything, two levels of it inside. */
export function argumentCases(z: Zod): fc.Arbitrary<Case> {
  const leaves = [...COMMON, ...(z === z4 ? ZOD_4_ONLY : [])].map((make) => make(z));
  const flat = fc.oneof(...leaves);
  return fields(z, fc.oneof(flat, composed(z, fc.oneof(flat, composed(z, flat)))));
}
