/** What exports have in common: JSON in texts, one document or one in each line, and values that were cut. */
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { parseLongIntegers } from "../../core/long-integer.ts";
import type { RecordingProblem } from "../recording.ts";
import { pythonLiteral } from "./python-literal.ts";

export interface Documents {
  documents: JsonValue[];
  problems: RecordingProblem[];
}

/** The whole text as one document, or each of its lines as one. */
export function documentsIn(text: string): Documents {
  const whole = parsed(text);
  if (whole !== undefined) return { documents: [whole], problems: [] };
  const found: Documents = { documents: [], problems: [] };
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const document = parsed(line);
    if (document !== undefined) found.documents.push(document);
    else found.problems.push({ item: `line ${index + 1}`, problem: "is no JSON" });
  });
  return found;
}

export function parsed(text: string): JsonValue | undefined {
  try {
    return parseLongIntegers(text);
  } catch {
    return undefined;
  }
}

export interface Told {
  value: JsonValue;
  /** It is not there, or not all of it. */
  lossy: boolean;
}

export const NOT_TOLD: Told = { value: null, lossy: true };

/** A text that holds a record, in JSON or as Python prints it, is that record; one that only begins so was cut. */
export function valueIn(told: JsonValue | undefined): Told {
  if (told === undefined || told === null) return NOT_TOLD;
  if (typeof told !== "string") return { value: told, lossy: false };
  const value = parsed(told);
  if (value !== undefined && typeof value === "object") return { value, lossy: false };
  if (!/^\s*[{[]/.test(told)) return { value: told, lossy: false };
  const literal = pythonLiteral(told);
  return literal === undefined ? { value: told, lossy: true } : { value: literal, lossy: false };
}

/** An object with this one field stands for what is in it: LangChain wraps what is no record. */
export function unwrapped(value: JsonValue, field: string): JsonValue {
  if (!isJsonObject(value) || Object.keys(value).length !== 1) return value;
  return value[field] ?? value;
}

export function fieldsOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function textIn(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `ValueError('bad')Traceback …`, `TypeError: bad\n  at …`: the class and the message. */
export function failureIn(text: string): { name: string; message: string } {
  const [head = ""] = text.split(/\n|Traceback \(most recent call last\)/, 1);
  const called = /^([A-Za-z_][\w.]*)\((["'])([\s\S]*)\2,?\)\s*$/.exec(head);
  if (called) return { name: called[1] ?? "Error", message: called[3] ?? "" };
  const told = /^([A-Za-z_][\w.]*(?:Error|Exception)?):\s*([\s\S]*)$/.exec(head);
  return told
    ? { name: told[1] ?? "Error", message: told[2] ?? "" }
    : { name: "Error", message: head };
}
