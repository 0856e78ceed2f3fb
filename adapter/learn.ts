/**
 * An output schema from what a tool has returned so far.
 *
 * It says only what every value agreed on: types, the fields all objects had, and nothing about
 * lengths, ranges or texts, because a few dozen calls do not show those. It is a guess, so it
 * warns and is never published to callers.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { rounded } from "../core/long-integer.ts";

/** Fewer values than this say too little. */
export const MIN_LEARNED_VALUES = 20;

/** More different keys than this, and an object is a map whose keys are data. */
const MAX_FIELDS = 64;
const MAX_DEPTH = 12;

/** The schema that all values fit; undefined when they are too few. */
export function learnSchema(values: readonly JsonValue[]): JsonObject | undefined {
  return values.length < MIN_LEARNED_VALUES ? undefined : schemaOf(values.map(rounded), MAX_DEPTH);
}

function schemaOf(values: readonly JsonValue[], depth: number): JsonObject {
  const types = [...new Set(values.map(typeOf))].sort();
  // A list that was always empty, or a value that was always null, has shown nothing.
  if (types.length === 0 || types.join() === "null") return {};
  const type = types.includes("number") ? types.filter((name) => name !== "integer") : types;
  return {
    type: type.length === 1 ? String(type[0]) : type,
    ...(depth > 0 ? objects(values, depth) : {}),
    ...(depth > 0 ? lists(values, depth) : {}),
  };
}

function typeOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function objects(values: readonly JsonValue[], depth: number): JsonObject {
  const found = values.filter(isJsonObject);
  if (found.length === 0) return {};
  const names = [...new Set(found.flatMap((value) => Object.keys(value)))].sort();
  const members = (name: string) =>
    found.filter((value) => Object.hasOwn(value, name)).map((value) => value[name] ?? null);
  if (names.length > MAX_FIELDS) {
    return { additionalProperties: schemaOf(names.flatMap(members), depth - 1) };
  }
  const required = names.filter((name) => members(name).length === found.length);
  const entries = names.map((name) => [name, schemaOf(members(name), depth - 1)]);
  return { properties: Object.fromEntries(entries) as JsonObject, required };
}

function lists(values: readonly JsonValue[], depth: number): JsonObject {
  const found = values.filter((value) => Array.isArray(value));
  return found.length === 0 ? {} : { items: schemaOf(found.flat(), depth - 1) };
}
