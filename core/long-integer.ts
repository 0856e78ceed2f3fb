/**
 * Integers in JSON text that JavaScript cannot hold, kept digit by digit.
 *
 * They have the form that `toJson` gives a bigint, `{ "$type": "bigint", "value": "…" }`, and become
 * numbers again where the text goes on to someone who may be able to hold them.
 */
import { isJsonObject, type JsonObject, type JsonValue, setOwn } from "./json.ts";

/**
 * No shorter one can be beyond 2^53, and before a number stands one of these: a cheap look before a
 * dear one, which the digits of a fraction do not bring about.
 */
const LONG = /(?:^|[\s:,[-])\d{16}/;
const INTEGER = /^(?:0|-?[1-9]\d*)$/;

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
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const one = waiting.pop();
    if (typeof one !== "object" || one === null) continue;
    if (digitsOf(one as JsonObject) !== undefined) return true;
    for (const key of Object.keys(one)) {
      const child = (one as JsonObject)[key];
      if (typeof child === "object") waiting.push(child);
    }
  }
  return false;
}

/** Of a value that is such an integer. */
export function digitsOf({ $type, value }: JsonObject): string | undefined {
  const isOne = $type === "bigint" && typeof value === "string" && INTEGER.test(value);
  return isOne ? value : undefined;
}

/** JSON data as code in JavaScript expects it, which has always got such integers rounded. A copy. */
export function rounded(value: JsonValue): JsonValue {
  return withIntegers(value, Number) as JsonValue;
}

/** JSON data as the code of a typed flow reads it: such an integer is a `BigInt`. A copy where there is one. */
export function inCode(value: JsonValue): unknown {
  return holdsLongInteger(value) ? withIntegers(value, BigInt) : value;
}

/**
 * The same data where `like` has them: what was done to rounded data is kept, but for the rounding.
 * A copy where it is needed.
 */
export function withIntegersOf(like: JsonValue | undefined, value: JsonValue): JsonValue {
  if (Array.isArray(value) && Array.isArray(like))
    return value.map((item, index) => withIntegersOf(like[index], item));
  if (!isJsonObject(like)) return value;
  if (typeof value === "number" && digitsOf(like) !== undefined)
    return Number.isSafeInteger(value) ? value : like;
  if (!isJsonObject(value)) return value;
  const fields: JsonObject = {};
  for (const [key, item] of Object.entries(value))
    setOwn(fields, key, withIntegersOf(Object.hasOwn(like, key) ? like[key] : undefined, item));
  return fields;
}

/** For `JSON.stringify`: in its text such integers are numbers with all their digits. A copy. */
export function exact(value: JsonValue): unknown {
  return withIntegers(value, rawJSON);
}

/** JSON text in which such integers are numbers. */
export function withLongIntegers(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.includes('"$type":"bigint"') ? JSON.stringify(exact(value)) : text;
}

/** ECMAScript's "JSON.parse source text access"; TypeScript does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function withIntegers(value: JsonValue, integer: (digits: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withIntegers(item, integer));
  if (typeof value !== "object" || value === null) return value;
  const digits = digitsOf(value);
  if (digits !== undefined) return integer(digits);
  const fields: JsonObject = {};
  for (const key of Object.keys(value))
    setOwn(fields, key, withIntegers(value[key] ?? null, integer) as JsonValue);
  return fields;
}
