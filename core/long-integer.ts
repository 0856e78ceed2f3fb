/**
 * Integers in JSON text that JavaScript cannot hold, kept digit by digit.
 *
 * They have the form that `toJson` gives a bigint, `{ "$type": "bigint", "value": "…" }`, and become
 * numbers again where the text goes on to someone who may be able to hold them.
 */
import { type JsonObject, type JsonValue, setOwn } from "./json.ts";

/** No shorter one can be beyond 2^53: a cheap look before a dear one. */
const LONG = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** @throws {SyntaxError} for text that is no JSON. */
export function parseLongIntegers(text: string): JsonValue {
  return mayHoldLongInteger(text)
    ? (JSON.parse(text, keepInteger) as JsonValue)
    : (JSON.parse(text) as JsonValue);
}

function keepInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const { source } = context;
  const isRounded = !Number.isSafeInteger(value) && INTEGER.test(source);
  return isRounded ? { $type: "bigint", value: source } : value;
}

/** A cheap look that is never wrong when it says no. */
export function mayHoldLongInteger(text: string): boolean {
  return LONG.test(text);
}

export function holdsLongInteger(value: JsonValue): boolean {
  return JSON.stringify(value).includes('{"$type":"bigint","value":"');
}

/** JSON data as code in JavaScript expects it, which has always got such integers rounded. A copy. */
export function rounded(value: JsonValue): JsonValue {
  return withIntegers(value, Number) as JsonValue;
}

/** For `JSON.stringify`: in its text such integers are numbers with all their digits. A copy. */
export function exact(value: JsonValue): unknown {
  return withIntegers(value, rawJSON);
}

/** JSON text in which such integers are numbers. */
export function withLongIntegers(value: JsonValue): string {
  return JSON.stringify(exact(value));
}

/** ECMAScript's "JSON.parse source text access"; TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function withIntegers(value: JsonValue, integer: (digits: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withIntegers(item, integer));
  if (typeof value !== "object" || value === null) return value;
  const digits = value.$type === "bigint" ? value.value : undefined;
  if (typeof digits === "string" && INTEGER.test(digits)) return integer(digits);
  const fields: JsonObject = {};
  for (const key of Object.keys(value))
    setOwn(fields, key, withIntegers(value[key] ?? null, integer) as JsonValue);
  return fields;
}
