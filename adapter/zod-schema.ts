/**
 * A zod 4 schema → JSON Schema, with a form for everything that zod's own conversion gives up on.
 *
 * The forms of dates, big integers, maps and sets are those that revive.ts turns back.
 */
import { core } from "zod";
import { describedIn, type View } from "../core/zod-schema.ts";

type Zod4Schema = core.$ZodType;

interface Zod4Definition {
  type: string;
  checks?: readonly { _zod: { def: Check } }[];
  coerce?: boolean;
  in?: Zod4Schema;
  out?: Zod4Schema;
  keyType?: Zod4Schema;
  valueType?: Zod4Schema;
}

/** What a schema's checks say, by the names that zod gives them. */
interface Check {
  check: string;
  value?: unknown;
  inclusive?: boolean;
  minimum?: number;
  maximum?: number;
  size?: number;
}

function definitionOf(schema: Zod4Schema): Zod4Definition {
  return schema._zod.def as unknown as Zod4Definition;
}

function checksOf({ checks = [] }: Zod4Definition): Check[] {
  return checks.map((check) => check._zod.def);
}

export function fromZod4(schema: Zod4Schema, view: View): unknown {
  const generator: core.JSONSchemaGenerator = new core.JSONSchemaGenerator({
    io: view,
    target: "draft-2020-12",
    unrepresentable: ({ zodSchema }) => collectionForm(zodSchema as Zod4Schema, generator) ?? "any",
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, describedIn(zodSchema), scalarForm(zodSchema as Zod4Schema, view));
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
  const def = definitionOf(schema);
  const nested = (part: Zod4Schema | undefined) => {
    if (!part) return {};
    // All that was seen counts as above this schema: a cycle through a map must be found.
    return generator.process(part, { path: [], schemaPath: [...generator.seen.keys()] });
  };
  if (def.type === "set") {
    return { type: "array", uniqueItems: true, items: nested(def.valueType), ...sizeOf(def) };
  }
  if (def.type !== "map") return undefined;
  const pair = [nested(def.keyType), nested(def.valueType)];
  return { type: "array", items: { type: "array", prefixItems: pair, minItems: 2, maxItems: 2 } };
}

function sizeOf(def: Zod4Definition): object {
  const bounds = checksOf(def).map(({ minimum, maximum, size }) => ({
    ...((size ?? minimum) === undefined ? {} : { minItems: size ?? minimum }),
    ...((size ?? maximum) === undefined ? {} : { maxItems: size ?? maximum }),
  }));
  return Object.assign({}, ...bounds);
}

const INTEGER_TEXT = "^-?\\d+$";
/** What a JavaScript date can hold, in milliseconds from 1970. */
const MAX_DATE_MS = 8.64e15;

function scalarForm(schema: Zod4Schema, view: View): object {
  const def = definitionOf(schema);
  switch (def.type) {
    case "date":
      return def.coerce && view === "input"
        ? COERCED_DATE
        : { type: "string", format: "date-time" };
    case "bigint":
      return bigintForm(def);
    case "pipe":
      return view === "input" ? stringboolForm(schema) : {};
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
function bigintForm(def: Zod4Definition): object {
  const bounds = checksOf(def).map(boundOf);
  if (bounds.length === 0) return { type: ["integer", "string"], pattern: INTEGER_TEXT };
  return Object.assign({ type: "integer", format: "int64" }, ...bounds);
}

function boundOf({ check, value, inclusive }: Check): object {
  const bound = Number(value);
  if (check === "greater_than") return { [inclusive ? "minimum" : "exclusiveMinimum"]: bound };
  if (check === "less_than") return { [inclusive ? "maximum" : "exclusiveMaximum"]: bound };
  return check === "multiple_of" ? { multipleOf: bound } : {};
}

/** No JSON text of a caller: `stringbool` answers it with the words that it takes. */
const NO_WORD = "\u0000";

function stringboolForm(schema: Zod4Schema): object {
  const words = stringboolWords(schema);
  if (!words) return {};
  const loud = words.find((word) => word.toUpperCase() !== word);
  const anyCase = loud !== undefined && core.safeParse(schema, loud.toUpperCase()).success;
  if (!anyCase) return { type: "string", enum: words };
  const pattern = words.map((word) => [...word].map(eitherCase).join("")).join("|");
  return { type: "string", pattern: `^(?:${pattern})$`, examples: words };
}

/** Asked only of pipes from text to boolean, because asking runs the author's transform. */
function stringboolWords(schema: Zod4Schema): string[] | undefined {
  const ends = definitionOf(schema);
  if (ends.in?._zod.def.type !== "string" || ends.out?._zod.def.type !== "boolean")
    return undefined;
  try {
    const issues = core.safeParse(schema, NO_WORD).error?.issues ?? [];
    const issue = issues.find((one) => "expected" in one && one.expected === "stringbool");
    return (issue as { values?: string[] } | undefined)?.values;
  } catch {
    return undefined; // An asynchronous transform; then it is any text.
  }
}

function eitherCase(letter: string): string {
  const [lower, upper] = [letter.toLowerCase(), letter.toUpperCase()];
  if (lower !== upper) return `[${lower}${upper}]`;
  return letter.replace(/[$()*+./?[\\\]^{|}-]/, "\\$&");
}
