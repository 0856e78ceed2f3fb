/**
 * A zod schema → JSON Schema, with a form for everything that zod's own conversion gives up on.
 *
 * The forms of dates, big integers, maps and sets are those that revive.ts turns back.
 */
import { core } from "zod";
import { zodToJsonSchema } from "zod-to-json-schema";

export type View = "input" | "output";

type Zod4Schema = core.$ZodType;

interface Zod4Definition {
  type: string;
  coerce?: boolean;
  keyType?: Zod4Schema;
  valueType?: Zod4Schema;
}

interface Bag {
  minimum?: unknown;
  maximum?: unknown;
  truthy?: readonly string[];
  falsy?: readonly string[];
  case?: string;
  size?: number;
}

/** Older zods keep no list of what `stringbool` takes; then it stays any string. */
function definitionOf(schema: Zod4Schema): { def: Zod4Definition; bag: Bag } {
  const { def, bag } = schema._zod as unknown as { def: Zod4Definition; bag?: Bag };
  return { def, bag: bag ?? {} };
}

export function fromZod4(schema: Zod4Schema, view: View): unknown {
  const generator: core.JSONSchemaGenerator = new core.JSONSchemaGenerator({
    io: view,
    target: "draft-2020-12",
    unrepresentable: ({ zodSchema }) => collectionForm(zodSchema as Zod4Schema, generator) ?? "any",
    override: ({ zodSchema, jsonSchema }) => {
      const { def, bag } = definitionOf(zodSchema as Zod4Schema);
      Object.assign(jsonSchema, scalarForm(def, bag, view));
    },
  });
  generator.process(schema);
  return generator.emit(schema);
}

/** Maps and sets are converted in the same run, so that a reference to the root stays right. */
function collectionForm(
  schema: Zod4Schema,
  generator: core.JSONSchemaGenerator,
): core.JSONSchema.JSONSchema | undefined {
  const { def, bag } = definitionOf(schema);
  const nested = (part: Zod4Schema | undefined) => {
    if (!part) return {};
    // All that was seen counts as above this schema: a cycle through a map must be found.
    return generator.process(part, { path: [], schemaPath: [...generator.seen.keys()] });
  };
  if (def.type === "set") {
    return { type: "array", uniqueItems: true, items: nested(def.valueType), ...sizeOf(bag) };
  }
  if (def.type !== "map") return undefined;
  const pair = [nested(def.keyType), nested(def.valueType)];
  return { type: "array", items: { type: "array", prefixItems: pair, minItems: 2, maxItems: 2 } };
}

function sizeOf({ minimum, maximum, size }: Bag): object {
  return {
    ...numberField("minItems", size ?? minimum),
    ...numberField("maxItems", size ?? maximum),
  };
}

function numberField(name: string, value: unknown): object {
  return typeof value === "number" || typeof value === "bigint" ? { [name]: Number(value) } : {};
}

const INTEGER_TEXT = "^-?\\d+$";
/** What a JavaScript date can hold, in milliseconds from 1970. */
const MAX_DATE_MS = 8.64e15;

function scalarForm(def: Zod4Definition, bag: Bag, view: View): object {
  switch (def.type) {
    case "date":
      return def.coerce && view === "input"
        ? COERCED_DATE
        : { type: "string", format: "date-time" };
    case "bigint":
      return bigintForm(bag);
    case "pipe":
      return bag.truthy && view === "input" ? stringboolForm(bag) : {};
    case "nan":
    case "undefined":
    case "void":
    case "symbol":
    case "function":
    case "promise":
    case "file":
      return { not: {} }; // No JSON value is one of these.
    default:
      return {};
  }
}

const COERCED_DATE = {
  anyOf: [
    { type: "string", format: "date-time" },
    { type: "string", format: "date" },
    { type: "number", minimum: -MAX_DATE_MS, maximum: MAX_DATE_MS },
  ],
};

/** As text beyond 2^53, where JSON numbers lose their last digits; text carries no bounds. */
function bigintForm({ minimum, maximum }: Bag): object {
  const bounds = { ...numberField("minimum", minimum), ...numberField("maximum", maximum) };
  const bounded = Object.keys(bounds).length > 0;
  if (bounded) return { type: "integer", format: "int64", ...bounds };
  return { type: ["integer", "string"], pattern: INTEGER_TEXT };
}

function stringboolForm({ truthy = [], falsy = [], case: letters }: Bag): object {
  const words = [...truthy, ...falsy];
  if (letters === "sensitive") return { type: "string", enum: words };
  const anyCase = words.map((word) => [...word].map(eitherCase).join(""));
  return { type: "string", pattern: `^(?:${anyCase.join("|")})$`, examples: words };
}

function eitherCase(letter: string): string {
  const [lower, upper] = [letter.toLowerCase(), letter.toUpperCase()];
  if (lower !== upper) return `[${lower}${upper}]`;
  return letter.replace(/[$()*+./?[\\\]^{|}-]/, "\\$&");
}

export function fromZod3(schema: unknown, view: View): unknown {
  return zodToJsonSchema(schema as Parameters<typeof zodToJsonSchema>[0], {
    pipeStrategy: view,
    effectStrategy: view === "input" ? "input" : "any",
    emailStrategy: "pattern:zod",
    // "strict": only `.strict()` forbids unknown keys; a plain object drops them and says so.
    removeAdditionalStrategy: "strict",
  });
}
