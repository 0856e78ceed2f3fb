/** Why what we publish differs from LangChain's own JSON Schema: one reason, one rewriting of theirs. */
import { isDeepStrictEqual } from "node:util";
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";

export interface Explained {
  reasons: string[];
  difference?: unknown;
}

type Rewrite = (schema: JsonObject, tool: object, ours: JsonObject) => JsonObject;

/** In this order: the later see what the earlier left. */
const REASONS: readonly [string, Rewrite][] = [
  [
    "A text tool is told with the bounds its author gave; LangChain replaced them by any text.",
    (schema, tool, ours) => (isReplacedText(tool) ? ours : schema),
  ],
  [
    "A tool without parameters takes an empty object; LangChain tells any object.",
    (schema, tool, ours) => ((tool as { schema?: unknown }).schema ? schema : ours),
  ],
  [
    "A default makes a field optional for callers; LangChain tells the view after parsing.",
    everywhere((schema) => {
      const { required, properties } = schema;
      if (!Array.isArray(required) || !isJsonObject(properties)) return schema;
      const kept = required.filter((name) => {
        const field = properties[String(name)];
        return !(isJsonObject(field) && "default" in field);
      });
      const { required: _, ...rest } = schema;
      return kept.length > 0 ? { ...rest, required: kept } : rest;
    }),
  ],
  [
    "Unknown keys are dropped and not refused; LangChain tells that they are forbidden.",
    (schema, _tool, ours) => withOpenObjects(schema, ours) as JsonObject,
  ],
  [
    "MCP wants an object at the root, also of a union.",
    (schema, _tool, ours) =>
      schema.type === undefined && ours.type === "object" ? { ...schema, type: "object" } : schema,
  ],
  [
    "The dialect is always declared.",
    (schema, _tool, { $schema }) => (typeof $schema === "string" ? { ...schema, $schema } : schema),
  ],
];

const NO_SCHEMA = "LangChain cannot convert this schema; we can.";
const HEADLESS = "A tool without a function is listed with the reason, and not published.";

export function explain(
  tool: object,
  ours: JsonObject | string,
  theirs: JsonObject | string,
): Explained {
  if (typeof ours === "string") {
    return /headless|interrupts a graph/.test(ours)
      ? { reasons: [HEADLESS] }
      : { reasons: [], difference: { ours, theirs } };
  }
  if (typeof theirs === "string") return { reasons: [NO_SCHEMA] };
  const reasons: string[] = [];
  let left = theirs;
  for (const [reason, rewrite] of REASONS) {
    const rewritten = rewrite(left, tool, ours);
    if (!same(rewritten, left)) reasons.push(reason);
    left = rewritten;
  }
  return same(left, ours) ? { reasons } : { reasons, difference: { ours, left } };
}

function same(one: JsonValue, other: JsonValue): boolean {
  return isDeepStrictEqual(canonicalText(one), canonicalText(other));
}

function isReplacedText(tool: object): boolean {
  const { schema, lc_kwargs } = tool as { schema?: unknown; lc_kwargs?: { schema?: unknown } };
  return lc_kwargs?.schema !== undefined && lc_kwargs.schema !== schema;
}

function everywhere(rewrite: (schema: JsonObject) => JsonObject): Rewrite {
  const walk = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(walk);
    if (!isJsonObject(value)) return value;
    const inner = Object.entries(value).map(([key, part]) => [key, walk(part)]);
    return rewrite(Object.fromEntries(inner) as JsonObject);
  };
  return (schema) => walk(schema) as JsonObject;
}

/** LangChain's `additionalProperties: false`, where ours at the same place does not forbid them. */
function withOpenObjects(theirs: JsonValue, ours: JsonValue | undefined): JsonValue {
  if (Array.isArray(theirs)) {
    return theirs.map((item, index) =>
      withOpenObjects(item, Array.isArray(ours) ? ours[index] : undefined),
    );
  }
  if (!isJsonObject(theirs)) return theirs;
  const mine = isJsonObject(ours) ? ours : {};
  const inner = Object.entries(theirs).map(([key, part]) => [
    key,
    withOpenObjects(part, mine[key]),
  ]);
  const schema = Object.fromEntries(inner) as JsonObject;
  if (schema.additionalProperties !== false || mine.additionalProperties === false) return schema;
  const { additionalProperties: _, ...open } = schema;
  return "additionalProperties" in mine
    ? { ...open, additionalProperties: mine.additionalProperties ?? true }
    : open;
}
