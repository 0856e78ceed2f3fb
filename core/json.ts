/**
 * JSON as this package means it: plain data, compared and hashed in one canonical form.
 *
 * A JavaScript value that JSON has no form for (NaN, a Map, a Date, bytes) becomes a
 * tagged object `{ "$type": …, "value": … }`, so that two different values never meet
 * in one text, and the conversion says that it was lossy.
 */
import { createHash } from "node:crypto";
import { TwintrackError } from "./error.ts";

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonValue[]
  | { [key: string]: JsonValue };

export type JsonObject = { [key: string]: JsonValue };

/** Deeper values are refused: JSON.stringify itself overflows at about 5,000 levels. */
export const MAX_DEPTH = 512;

/** `lossy` is true when the value had no JSON form of its own and cannot be rebuilt from it. */
export interface JsonConversion {
  value: JsonValue;
  lossy: boolean;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets an own property, also when the key is `__proto__`. */
export function setOwn(target: JsonObject, key: string, value: JsonValue): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    target[key] = value;
  }
}

/**
 * Converts any value to JSON data.
 *
 * @throws {TwintrackError} `VALUE_UNSERIALISABLE` for a cycle or a getter that throws,
 *   `VALUE_TOO_LARGE` for more than {@link MAX_DEPTH} levels.
 */
export function toJson(value: unknown): JsonConversion {
  const conversion = { lossy: false };
  try {
    return { value: convert(value, conversion, []), lossy: conversion.lossy };
  } catch (cause) {
    if (cause instanceof TwintrackError) throw cause;
    throw new TwintrackError(
      "VALUE_UNSERIALISABLE",
      `The value has no JSON form: ${String(cause)}`,
      {
        cause,
      },
    );
  }
}

interface ConversionState {
  lossy: boolean;
}

function convert(value: unknown, state: ConversionState, ancestors: object[]): JsonValue {
  if (ancestors.length > MAX_DEPTH) {
    throw new TwintrackError(
      "VALUE_TOO_LARGE",
      `The value is nested more than ${MAX_DEPTH} levels deep`,
    );
  }
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return Object.is(value, -0) ? 0 : value;
  if (typeof value !== "object") return tag(state, typeof value, scalarText(value));
  if (ancestors.includes(value)) {
    throw new TwintrackError("VALUE_UNSERIALISABLE", "The value refers to itself");
  }
  ancestors.push(value);
  const converted = convertObject(value, state, ancestors);
  ancestors.pop();
  return converted;
}

function scalarText(value: unknown): JsonValue {
  return value === undefined ? null : String(value);
}

function tag(state: ConversionState, type: string, value: JsonValue): JsonValue {
  state.lossy = true;
  return type === "undefined" ? null : { $type: type, value };
}

function convertObject(value: object, state: ConversionState, ancestors: object[]): JsonValue {
  if (Array.isArray(value)) return value.map((item) => convert(item, state, ancestors));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return convertFields(value, state, ancestors);
  }
  return convertInstance(value, state, ancestors);
}

function convertInstance(value: object, state: ConversionState, ancestors: object[]): JsonValue {
  const inner = (child: unknown) => convert(child, state, ancestors);
  if (value instanceof Date)
    return tag(state, "date", Number.isNaN(+value) ? null : value.toISOString());
  if (value instanceof Map)
    return tag(
      state,
      "map",
      [...value].map((entry) => inner(entry)),
    );
  if (value instanceof Set) return tag(state, "set", [...value].map(inner));
  if (ArrayBuffer.isView(value)) return tag(state, "bytes", base64(value));
  if (value instanceof ArrayBuffer) return tag(state, "bytes", base64(new Uint8Array(value)));
  if (value instanceof RegExp) return tag(state, "regexp", String(value));
  if (value instanceof Error) return tag(state, "error", `${value.name}: ${value.message}`);
  state.lossy = true;
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === "function") return inner(toJSON.call(value));
  if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    return inner(value.valueOf());
  }
  const fields = convertFields(value, state, ancestors);
  if (Object.keys(fields).length > 0) return fields;
  // Nothing of it can be seen from outside; at least it is not taken for {}.
  return tag(state, "object", value.constructor?.name ?? "");
}

function convertFields(value: object, state: ConversionState, ancestors: object[]): JsonObject {
  const fields: JsonObject = {};
  for (const key of Object.keys(value)) {
    const child: unknown = (value as Record<string, unknown>)[key];
    // Like JSON.stringify: an undefined field is an absent field.
    if (child === undefined || typeof child === "function") continue;
    setOwn(fields, key, convert(child, state, ancestors));
  }
  return fields;
}

function base64(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
}

/** JSON text with sorted keys: equal data gives equal text, whatever the key order was. */
export function canonicalText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalText(value[key] as JsonValue)}`);
  return `{${fields.join(",")}}`;
}

/** SHA-256, hex, over length-prefixed parts: `["a|b"]` and `["a","b"]` never meet. */
export function digest(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex");
}
