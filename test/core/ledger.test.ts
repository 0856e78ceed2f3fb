/** The ledger's rule, from the vectors that the Python bridge reads too. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Effect } from "../../core/effect.ts";
import { canonicalText, type JsonValue } from "../../core/json.ts";
import {
  alikeBut,
  answerBook,
  type FreeArguments,
  type LedgerAnswer,
  type ToolCall,
} from "../../core/ledger.ts";

interface Vectors {
  canonicalTexts: { title: string; value: JsonValue; text: string }[];
  books: {
    title: string;
    recording: { tool: string; args: JsonValue; value: JsonValue }[];
    free?: FreeArguments;
    asked: { tool: string; args: JsonValue; effect: Effect; answer: JsonValue }[];
    unused: JsonValue[];
  }[];
}

const file = new URL("../../fixtures/vectors/ledger.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

function recorded(tool: string, args: JsonValue, value: JsonValue): ToolCall {
  return {
    tool,
    args,
    effect: "write",
    occurrence: 0,
    outcome: { status: "returned", value },
    startedAtMs: 0,
    durationMs: 0,
    served: "live",
  };
}

function recordedValue(call: ToolCall): JsonValue {
  return call.outcome.status === "returned" ? call.outcome.value : null;
}

function shown(answer: LedgerAnswer): JsonValue {
  return answer.kind === "recorded" ? recordedValue(answer.call) : answer.kind;
}

describe("canonical text", () => {
  test.each(vectors.canonicalTexts)("$title", ({ value, text }) => {
    expect(canonicalText(value)).toBe(text);
  });
});

describe("answer book", () => {
  test.each(vectors.books)("$title", ({ recording, free = {}, asked, unused }) => {
    const calls = recording.map(({ tool, args, value }) => recorded(tool, args, value));
    const book = answerBook(calls, alikeBut(free));

    const answers = asked.map(({ tool, args, effect }) => shown(book.answer(tool, args, effect)));

    expect(answers).toEqual(asked.map(({ answer }) => answer));
    expect(book.unused().map(recordedValue)).toEqual(unused);
  });
});
