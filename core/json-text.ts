/**
 * JSON text read without loss, where the text is at hand.
 *
 * `JSON.parse` rounds numbers that JavaScript cannot hold and keeps the last of two equal keys, both
 * in silence. Here such a number becomes `{ "$type": "number", "value": "9007199254740993" }`, equal
 * only to the same number, and the places of repeated keys are told.
 */
import type { JsonValue } from "./json.ts";

export interface JsonText {
  value: JsonValue;
  /** JSON Pointers of keys that occur more than once in their object; the last one counts. */
  repeatedKeys: string[];
}

/** No other number can be rounded: a cheap look before a dear one. */
const MAYBE_ROUNDED = /\d[\d.]{15,}|\d[eE][+-]?\d{2,}/;

/** @throws {SyntaxError} for text that is no JSON. */
export function parseJsonText(text: string): JsonText {
  const value = MAYBE_ROUNDED.test(text)
    ? (JSON.parse(text, keepNumber) as JsonValue)
    : (JSON.parse(text) as JsonValue);
  return { value, repeatedKeys: repeatedKeys(text) };
}

function keepNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return digitsOf(context.source) === digitsOf(String(value))
    ? value
    : { $type: "number", value: digitsOf(context.source) };
}

/** The one way to write a number: digits without zeros at their ends, and a power of ten. */
function digitsOf(source: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (!parts) return source; // Infinity: the number was too large.
  const [, sign = "", whole = "", fraction = "", power = "0"] = parts;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const short = digits.replace(/0+$/, "");
  if (short === "") return "0";
  const exponent = Number(power) - fraction.length + (digits.length - short.length);
  return exponent === 0 ? `${sign}${short}` : `${sign}${short}e${exponent}`;
}

/** An object or array that is open where the scan stands. */
interface Open {
  /** Undefined in an array. */
  keys: Set<string> | undefined;
  /** The key or index of the value that is being read. */
  at: string | number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/** The text is known to be JSON, so strings and punctuation say all. */
function repeatedKeys(text: string): string[] {
  const open: Open[] = [];
  const found = new Set<string>();
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    const top = open.at(-1);
    if (token === "{") open.push({ keys: new Set(), at: "" });
    else if (token === "[") open.push({ keys: undefined, at: 0 });
    else if (token === "}" || token === "]") open.pop();
    else if (token === ",") {
      if (typeof top?.at === "number") top.at++;
    } else if (token === ":" && top?.keys) {
      top.at = JSON.parse(last) as string;
      if (top.keys.has(top.at)) found.add(pointerTo(open));
      top.keys.add(top.at);
    } else last = token;
  }
  return [...found];
}

function pointerTo(open: readonly Open[]): string {
  return open
    .map(({ at }) => `/${String(at).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}
