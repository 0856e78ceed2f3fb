import { ToolMessage } from "@langchain/core/messages";
import { Command } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { toolResult } from "../../adapter/content.ts";
import { RESULT_META_KEY, resultValue, textOf } from "../../core/tool.ts";

/** What `invoke` gives for a tool call: the content as text, beside what the function returned. */
function returned(raw: unknown, content?: unknown) {
  const text = content ?? (typeof raw === "string" ? raw : (JSON.stringify(raw) ?? ""));
  const output = new ToolMessage({ content: text as string, tool_call_id: "1" });
  return toolResult({ output, raw, durationMs: 5 });
}

function keptOf(result: ReturnType<typeof returned>) {
  return result._meta?.[RESULT_META_KEY];
}

test("a text stays a text, and is the raw value", () => {
  const result = returned("done");

  expect(result.content).toEqual([{ type: "text", text: "done" }]);
  expect(result).not.toHaveProperty("structuredContent");
  expect(keptOf(result)).toEqual({ raw: "done", lossy: false, durationMs: 5 });
});

test("an object is structured content, and its JSON text for models", () => {
  const result = returned({ id: 7 });

  expect(result.structuredContent).toEqual({ id: 7 });
  expect(textOf(result)).toBe('{"id":7}');
});

test("a list is text and raw value, because structured content may only be an object", () => {
  const result = returned([1, 2]);

  expect(result).not.toHaveProperty("structuredContent");
  expect(resultValue(result)).toEqual([1, 2]);
});

test("a tool that returns nothing returned null, and lost nothing", () => {
  expect(keptOf(returned(undefined))).toMatchObject({ raw: null, lossy: false });
});

test("values that JSON has no form for are tagged and marked lossy", () => {
  const result = returned({ at: new Date("2026-01-02T03:04:05Z"), size: 10n }, "text");

  expect(keptOf(returned(new Map([["a", 1]])))).toMatchObject({ lossy: true });
  expect(keptOf(result)).toMatchObject({
    lossy: true,
    raw: { at: { $type: "date", value: "2026-01-02T03:04:05.000Z" }, size: { $type: "bigint" } },
  });
  expect(() => JSON.stringify(result)).not.toThrow();
});

test("a value that refers to itself still gives its content, and says why the raw one is missing", () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;

  expect(keptOf(returned(loop, "see log"))).toMatchObject({ raw: null, lossy: true });
});

test("a tool message that reports an error is an error without structured content", () => {
  const output = new ToolMessage({ content: "no stock", tool_call_id: "1", status: "error" });
  const result = toolResult({ output, raw: output, durationMs: 1 });

  expect(result).toMatchObject({ isError: true, content: [{ type: "text", text: "no stock" }] });
  expect(result).not.toHaveProperty("structuredContent");
});

test("content and artifact: the pair is the raw value, the artifact travels beside it", () => {
  const output = new ToolMessage({
    content: "2 rows",
    tool_call_id: "1",
    artifact: [{ id: 1 }, { id: 2 }],
  });
  const raw = ["2 rows", [{ id: 1 }, { id: 2 }]];

  expect(keptOf(toolResult({ output, raw, durationMs: 1 }))).toMatchObject({
    raw,
    artifact: [{ id: 1 }, { id: 2 }],
  });
});

test("a Command is refused with a way out, never passed on silently", () => {
  const output = new Command({ goto: "billing", update: { a: 1 } });
  const result = toolResult({ output, raw: output, durationMs: 1 });

  expect(result.isError).toBe(true);
  expect(textOf(result)).toContain("Only a graph can follow it");
});

const PNG = "iVBORw0KGgo=";

test.each([
  ["OpenAI image", { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }],
  ["OpenAI image as text", { type: "image_url", image_url: `data:image/png;base64,${PNG}` }],
  [
    "Anthropic image",
    { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
  ],
  [
    "LangChain v0 image",
    { type: "image", source_type: "base64", mime_type: "image/png", data: PNG },
  ],
  ["LangChain v1 image", { type: "image", mimeType: "image/png", data: PNG }],
  ["bytes", { type: "image", mimeType: "image/png", data: Buffer.from(PNG, "base64") }],
  ["MCP image", { type: "image", mimeType: "image/png", data: PNG }],
])("an image survives: %s", (_, block) => {
  expect(returned([block], [block]).content).toEqual([
    { type: "image", data: PNG, mimeType: "image/png" },
  ]);
});

test.each([
  [
    "audio",
    { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } },
    { type: "audio", data: "AAAA", mimeType: "audio/mp3" },
  ],
  [
    "a file at an address",
    { type: "file", url: "https://example.com/a.pdf", mimeType: "application/pdf" },
    {
      type: "resource_link",
      uri: "https://example.com/a.pdf",
      name: "file",
      mimeType: "application/pdf",
    },
  ],
  [
    "a file with bytes",
    { type: "file", data: "AAAA", mimeType: "application/pdf" },
    {
      type: "resource",
      resource: { uri: "attachment:file", blob: "AAAA", mimeType: "application/pdf" },
    },
  ],
  ["plain text", { type: "text-plain", text: "hello" }, { type: "text", text: "hello" }],
  [
    "a block nobody knows",
    { type: "json", json: { a: 1 } },
    { type: "text", text: '{"type":"json","json":{"a":1}}' },
  ],
])("%s becomes its MCP block", (_, block, expected) => {
  expect(returned([block], [block]).content).toEqual([expected]);
});
