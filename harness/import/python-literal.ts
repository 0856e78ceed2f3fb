/**
 * Values as Python prints them: `{'orderId': 'A-1', 'urgent': True, 'note': None}`.
 *
 * LangChain's Python tracers tell a tool's arguments as `str(dict)`. Only what `ast.literal_eval`
 * would take and JSON can hold is read; anything else is not guessed.
 */
import { type JsonObject, type JsonValue, setOwn } from "../../core/json.ts";
import { parseLongIntegers } from "../../core/long-integer.ts";

/** Undefined when the text is no literal. */
export function pythonLiteral(text: string): JsonValue | undefined {
  const reader: Reader = { text, at: 0, depth: 0 };
  try {
    const value = readValue(reader);
    skipBlank(reader);
    return reader.at === text.length ? value : undefined;
  } catch (error) {
    if (error === NO_LITERAL) return undefined;
    throw error;
  }
}

interface Reader {
  text: string;
  at: number;
  depth: number;
}

const NO_LITERAL = Symbol("no literal");
const MAX_DEPTH = 100;
const NUMBER = /-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORDS: Record<string, JsonValue> = { True: true, False: false, None: null };
const CLOSING: Record<string, string> = { "{": "}", "[": "]", "(": ")" };

function readValue(reader: Reader): JsonValue {
  skipBlank(reader);
  const char = reader.text[reader.at] ?? "";
  if (char === "'" || char === '"') return readString(reader, char);
  if (CLOSING[char] !== undefined) return readItems(reader, char);
  for (const [word, value] of Object.entries(WORDS)) {
    if (reader.text.startsWith(word, reader.at)) {
      reader.at += word.length;
      return value;
    }
  }
  NUMBER.lastIndex = reader.at;
  const [number] = NUMBER.exec(reader.text) ?? [];
  if (number === undefined || MISWRITTEN.test(number)) throw NO_LITERAL;
  reader.at += number.length;
  return /^-?\d+$/.test(number) ? parseLongIntegers(number) : Number(number);
}

const MISWRITTEN = /^-?0\d/;

/** A dictionary, a list, or a tuple, which JSON knows as a list. */
function readItems(reader: Reader, open: string): JsonValue {
  if (reader.depth++ > MAX_DEPTH) throw NO_LITERAL;
  const isRecord = open === "{";
  const record: JsonObject = {};
  const list: JsonValue[] = [];
  reader.at++;
  while (!takes(reader, CLOSING[open] ?? "")) {
    const value = readValue(reader);
    if (isRecord) {
      // A set has no colons, and a key that is no text has no place in JSON.
      if (typeof value !== "string" || !takes(reader, ":")) throw NO_LITERAL;
      setOwn(record, value, readValue(reader));
    } else list.push(value);
    if (takes(reader, ",")) continue;
    if (!takes(reader, CLOSING[open] ?? "")) throw NO_LITERAL;
    break;
  }
  reader.depth--;
  return isRecord ? record : list;
}

const ESCAPES: Record<string, string> = {
  n: "\n",
  r: "\r",
  t: "\t",
  "\\": "\\",
  "'": "'",
  '"': '"',
};
const CODES: Record<string, number> = { x: 2, u: 4, U: 8 };

function readString(reader: Reader, quote: string): string {
  let value = "";
  for (reader.at++; reader.at < reader.text.length; reader.at++) {
    const char = reader.text[reader.at] ?? "";
    if (char === quote) {
      reader.at++;
      return value;
    }
    value += char === "\\" ? readEscape(reader) : char;
  }
  throw NO_LITERAL;
}

function readEscape(reader: Reader): string {
  const kind = reader.text[++reader.at] ?? "";
  const digits = CODES[kind];
  if (digits === undefined) {
    const plain = ESCAPES[kind];
    if (plain === undefined) throw NO_LITERAL;
    return plain;
  }
  const code = reader.text.slice(reader.at + 1, reader.at + 1 + digits);
  if (!/^[\da-fA-F]+$/.test(code) || code.length < digits) throw NO_LITERAL;
  reader.at += digits;
  return String.fromCodePoint(Number.parseInt(code, 16));
}

function takes(reader: Reader, char: string): boolean {
  skipBlank(reader);
  if (reader.text[reader.at] !== char) return false;
  reader.at++;
  return true;
}

function skipBlank(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? "")) reader.at++;
}
