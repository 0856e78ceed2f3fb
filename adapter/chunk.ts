/**
 * What a stream's chunks add up to, by LangChain's rule: text and lists are joined, records are
 * joined field by field, messages by their own kind, and of anything else the last one stands.
 */
import { isJsonObject, type JsonObject, type JsonValue, setOwn } from "../core/json.ts";

interface Joinable {
  concat(other: unknown): unknown;
}

/** Joins two chunks of a JavaScript runnable. */
export function joinChunks(first: unknown, second: unknown): unknown {
  if (first === undefined || first === null) return second;
  if (typeof first === "string" && typeof second === "string") return first + second;
  if (isJoinable(first)) return first.concat(second);
  if (isPlain(first) && isPlain(second)) return joinFields(first, second, joinChunks);
  return second;
}

function isJoinable(value: unknown): value is Joinable {
  return (
    typeof value === "object" && typeof (value as Partial<Joinable> | null)?.concat === "function"
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Lists inside a record are replaced, as LangChain does. */
function joinFields<T>(
  first: Record<string, T>,
  second: Record<string, T>,
  join: (first: T, second: T) => T,
): Record<string, T> {
  const joined = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const known = Object.hasOwn(joined, key) ? joined[key] : undefined;
    joined[key] = known === undefined || Array.isArray(known) ? value : join(known, value);
  }
  return joined;
}

/** Joins two chunks that arrived as JSON. */
export function joinJson(first: JsonValue, second: JsonValue): JsonValue {
  if (first === null) return second;
  if (typeof first === "string" && typeof second === "string") return first + second;
  if (Array.isArray(first) && Array.isArray(second)) return [...first, ...second];
  if (!isJsonObject(first) || !isJsonObject(second)) return second;
  if (isChunkMessage(first) && isChunkMessage(second)) return joinMessages(first, second);
  return joinFields(first, second, joinJson);
}

function isChunkMessage(value: JsonObject): boolean {
  return value.type === "AIMessageChunk";
}

/** A message chunk as LangServe writes it: its type, id and name are not text to be joined. */
function joinMessages(first: JsonObject, second: JsonObject): JsonObject {
  return {
    ...first,
    ...joinFields(
      pick(first, ["additional_kwargs", "response_metadata"]),
      pick(second, ["additional_kwargs", "response_metadata"]),
      joinJson,
    ),
    id: first.id ?? second.id ?? null,
    content: joinJson(first.content ?? "", second.content ?? ""),
    tool_call_chunks: joinCalls([
      ...list(first.tool_call_chunks),
      ...list(second.tool_call_chunks),
    ]),
    usage_metadata: summed(first.usage_metadata, second.usage_metadata),
  };
}

function pick(value: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const field = value[key];
      return field === undefined ? [] : [[key, field]];
    }),
  );
}

function list(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Pieces of one call share its index; the first has its name and id. */
function joinCalls(pieces: readonly JsonObject[]): JsonObject[] {
  const joined: JsonObject[] = [];
  for (const piece of pieces) {
    const known = joined.find(({ index }) => index !== null && index === piece.index);
    if (!known) joined.push({ ...piece });
    else {
      known.args = `${known.args ?? ""}${piece.args ?? ""}`;
      known.id ??= piece.id ?? null;
      known.name ??= piece.name ?? null;
    }
  }
  return joined;
}

function summed(first: JsonValue | undefined, second: JsonValue | undefined): JsonValue {
  if (!isJsonObject(first)) return second ?? null;
  if (!isJsonObject(second)) return first;
  const sums = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const known = sums[key];
    sums[key] =
      typeof known === "number" && typeof value === "number" ? known + value : summed(known, value);
  }
  return sums;
}

/** What was streamed as chunk messages, as the messages that `invoke` gives. */
export function finished(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(finished);
  if (!isJsonObject(value)) return value;
  if (value.lc === 1 && Array.isArray(value.id)) return finishedInstance(value, value.id);
  if (isChunkMessage(value)) return finishedMessage(value);
  const fields: JsonObject = {};
  for (const [key, field] of Object.entries(value)) setOwn(fields, key, finished(field));
  return fields;
}

/** A JavaScript message, in LangChain's own JSON form. */
function finishedInstance(value: JsonObject, id: JsonValue[]): JsonObject {
  const name = id.at(-1);
  if (typeof name !== "string" || !name.endsWith("MessageChunk")) return value;
  const { tool_call_chunks: _pieces, ...kwargs } = isJsonObject(value.kwargs) ? value.kwargs : {};
  return { ...value, id: [...id.slice(0, -1), name.slice(0, -"Chunk".length)], kwargs };
}

function finishedMessage(value: JsonObject): JsonObject {
  const { tool_call_chunks: pieces, chunk_position: _position, ...message } = value;
  const calls = list(pieces).map(({ name, args, id }) => ({
    name: name ?? "",
    args: argsOf(args),
    id: id ?? null,
    type: "tool_call",
  }));
  return { ...message, type: "ai", ...(calls.length > 0 ? { tool_calls: calls } : {}) };
}

function argsOf(text: JsonValue | undefined): JsonValue {
  try {
    return JSON.parse(String(text || "{}")) as JsonValue;
  } catch {
    return {};
  }
}
