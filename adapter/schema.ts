/**
 * Any schema a LangChain tool may carry → JSON Schema, seen from the caller.
 *
 * LangChain's own conversion shows the output view (a field with a default is required), throws
 * on dates and maps, and forbids unknown keys that zod merely drops. A client that trusts such a
 * schema is wrong, so the conversion here is ours: input view, nothing unrepresentable, and a
 * root that is an object, because MCP requires one.
 */
import { toJSONSchema } from "zod";
import { zodToJsonSchema } from "zod-to-json-schema";
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";

type View = "input" | "output";

interface Zod4Definition {
  type: string;
  coerce?: boolean;
  keyType?: Zod4Schema;
  valueType?: Zod4Schema;
}

type Zod4Schema = Parameters<typeof toJSONSchema>[0] & { _zod: { def: Zod4Definition } };

interface StandardJsonSchema {
  "~standard": { jsonSchema: Record<View, (options: { target: string }) => unknown> };
}

/** What MCP wants for a tool without parameters. */
const NO_PARAMETERS: JsonObject = { type: "object", properties: {}, additionalProperties: false };

/**
 * The JSON Schema of a tool's arguments; its root has `type: "object"`.
 *
 * @throws {TwintrackError} `TOOL_UNSUPPORTED` when the schema has no JSON form or is not an object.
 */
export function inputSchemaOf(schema: unknown): JsonObject {
  if (schema === undefined || schema === null) return NO_PARAMETERS;
  return withObjectRoot(convert(schema, "input"));
}

/** The JSON Schema of what a tool returns; any root is legal. */
export function outputSchemaOf(schema: unknown): JsonObject {
  return convert(schema, "output");
}

function isZod4(schema: unknown): schema is Zod4Schema {
  return isRecord(schema) && isRecord(schema._zod) && "def" in schema._zod;
}

function isZod3(schema: unknown): boolean {
  if (!isRecord(schema) || "_zod" in schema) return false;
  return isRecord(schema._def) && "typeName" in schema._def;
}

function convert(schema: unknown, view: View): JsonObject {
  try {
    const value = plainCopy(rawSchema(schema, view));
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new TwintrackError(
      "TOOL_UNSUPPORTED",
      `Its schema has no JSON Schema form: ${String(cause)}`,
      {
        cause,
      },
    );
  }
  throw new TwintrackError(
    "TOOL_UNSUPPORTED",
    "Its schema is neither a zod schema nor JSON Schema",
  );
}

function rawSchema(schema: unknown, view: View): unknown {
  if (isZod4(schema)) return fromZod4(schema, view);
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

function fromZod4(schema: Zod4Schema, view: View): unknown {
  return toJSONSchema(schema, {
    io: view,
    target: "draft-2020-12",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = (zodSchema as unknown as Zod4Schema)._zod;
      Object.assign(jsonSchema, wireForm(def, view));
    },
  });
}

/** How values without a JSON form travel: the forms zod 3's converter has always used. */
function wireForm(def: Zod4Definition, view: View): object {
  switch (def.type) {
    case "date":
      return def.coerce ? { type: "string" } : { type: "string", format: "date-time" };
    case "bigint":
      return def.coerce ? { type: ["integer", "string"] } : { type: "integer", format: "int64" };
    case "set":
      return { type: "array", uniqueItems: true, items: nested(def.valueType, view) };
    case "map":
      return {
        type: "array",
        items: pairOf(nested(def.keyType, view), nested(def.valueType, view)),
      };
    default:
      return {};
  }
}

function pairOf(key: unknown, value: unknown): object {
  return { type: "array", prefixItems: [key, value], minItems: 2, maxItems: 2 };
}

function nested(schema: Zod4Schema | undefined, view: View): unknown {
  if (!schema) return {};
  const { $schema: _dialect, ...rest } = fromZod4(schema, view) as JsonObject;
  return rest;
}

function fromZod3(schema: unknown, view: View): unknown {
  return zodToJsonSchema(schema as Parameters<typeof zodToJsonSchema>[0], {
    pipeStrategy: view,
    effectStrategy: view === "input" ? "input" : "any",
    // "strict": only `.strict()` forbids unknown keys; a plain object drops them and says so.
    removeAdditionalStrategy: "strict",
  });
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
