/**
 * Any schema a LangChain tool may carry → JSON Schema, seen from the caller.
 *
 * LangChain's own conversion shows the output view (a field with a default is required), throws
 * on dates and maps, and forbids unknown keys that zod merely drops. A client that trusts such a
 * schema is wrong, so the conversion here is ours: input view, nothing unrepresentable, the dialect
 * declared, and a root that is an object, because MCP requires one.
 */
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { isZod3, isZod4 } from "../core/zod.ts";
import { fromZod3, type View } from "../core/zod-schema.ts";
import { fromZod4 } from "./zod-schema.ts";

interface StandardJsonSchema {
  "~standard": { jsonSchema: Record<View, (options: { target: string }) => unknown> };
}

const DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema";
const DRAFT_7 = "http://json-schema.org/draft-07/schema#";

/** What MCP wants for a tool without parameters. */
const NO_PARAMETERS: JsonObject = {
  $schema: DRAFT_2020_12,
  type: "object",
  properties: {},
  additionalProperties: false,
};

/**
 * The JSON Schema of a tool's arguments; its root has `type: "object"`.
 *
 * @throws {TwintrackError} `TOOL_UNSUPPORTED` when the schema has no JSON form or is not an object.
 */
export function inputSchemaOf(schema: unknown): JsonObject {
  if (schema === undefined || schema === null) return NO_PARAMETERS;
  return withObjectRoot(convert(schema, "input"));
}

/**
 * The arguments of a tool that takes one text, as LangChain passes it on: under `input`.
 *
 * LangChain replaces the author's schema of a string tool by one for any string, and the author's
 * own bounds are lost; where the author's schema is still known, it is what callers are told.
 * Undefined when it admits more than text.
 */
export function textInputSchemaOf(schema: unknown): JsonObject | undefined {
  const { $schema = DRAFT_2020_12, ...input } = convert(schema, "input");
  if (!admitsOnlyText(input)) return undefined;
  const optional = "default" in input;
  return {
    $schema,
    type: "object",
    properties: { input },
    ...(optional ? {} : { required: ["input"] }),
  };
}

function admitsOnlyText({ type, enum: values, const: value }: JsonObject): boolean {
  if (type !== undefined) return type === "string";
  if (Array.isArray(values)) return values.every((one) => typeof one === "string");
  return typeof value === "string";
}

/** The JSON Schema of what a tool returns; any root is legal. */
export function outputSchemaOf(schema: unknown): JsonObject {
  return convert(schema, "output");
}

function convert(schema: unknown, view: View): JsonObject {
  try {
    const value = plainCopy(rawSchema(schema, view));
    if (isJsonObject(value)) return withDialect(value);
  } catch (cause) {
    throw new TwintrackError(
      "TOOL_UNSUPPORTED",
      `Its schema has no JSON Schema form: ${String(cause)}`,
      { cause },
    );
  }
  throw new TwintrackError(
    "TOOL_UNSUPPORTED",
    "Its schema is neither a zod schema nor JSON Schema",
  );
}

function rawSchema(schema: unknown, view: View): unknown {
  if (isZod4(schema)) return fromZod4(schema as unknown as Parameters<typeof fromZod4>[0], view);
  if (isZod3(schema)) return fromZod3(schema, view);
  if (isStandardJsonSchema(schema)) {
    return schema["~standard"].jsonSchema[view]({ target: "draft-2020-12" });
  }
  return schema;
}

/** The author's object is never shared, and what zod hangs on its own result stays behind. */
function plainCopy(schema: unknown): unknown {
  const text = JSON.stringify(schema);
  return text === undefined ? undefined : JSON.parse(text);
}

/** Readers differ in what they take a schema without a dialect for, so ours always name it. */
function withDialect(schema: JsonObject): JsonObject {
  if (typeof schema.$schema === "string") return schema;
  return { $schema: hasOlderKeyword(schema) ? DRAFT_7 : DRAFT_2020_12, ...schema };
}

/** Keywords that 2020-12 dropped or reads differently: tuples were `items`. */
function hasOlderKeyword(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.some(hasOlderKeyword);
  if (!isJsonObject(value)) return false;
  if (Array.isArray(value.items) || "additionalItems" in value) return true;
  return Object.values(value).some(hasOlderKeyword);
}

function withObjectRoot(schema: JsonObject): JsonObject {
  const { type } = schema;
  if (type === "object") return schema;
  // Unions and references carry no type of their own; MCP clients refuse a root without one.
  if (type === undefined || (Array.isArray(type) && type.includes("object"))) {
    return { ...schema, type: "object" };
  }
  throw new TwintrackError(
    "TOOL_UNSUPPORTED",
    `Its schema is of type ${JSON.stringify(type)}; a tool takes an object`,
    { hint: "Wrap the parameter in z.object({ … })." },
  );
}

function isStandardJsonSchema(schema: unknown): schema is StandardJsonSchema {
  if (!isRecord(schema) && typeof schema !== "function") return false;
  const standard = (schema as { "~standard"?: { jsonSchema?: unknown } })["~standard"];
  return isRecord(standard) && isRecord(standard.jsonSchema);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
