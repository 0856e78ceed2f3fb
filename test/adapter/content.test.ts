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

test("data that looks like a tool message is data, whatever it says of its status", () => {
  const raw = { tool_call_id: "1", content: "held", status: "error", cost: 2 };
  const result = returned(raw);

  expect(result).toMatchObject({ structuredContent: raw });
  expect(result).not.toHaveProperty("isError");
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
  ["an empty list", [], { type: "text", text: "[]" }],
  ["a list of texts", ["a", "b"], { type: "text", text: '["a","b"]' }],
])("%s is no content of its own, but data", (_, list, expected) => {
  expect(returned(list, list).content).toEqual([expected]);
});

const PDF = { mimeType: "application/pdf" };
const blob = (uri: string) => ({ type: "resource", resource: { uri, blob: "AAAA", ...PDF } });
const link = (uri: string, name: string) => ({ type: "resource_link", uri, name, ...PDF });
const text = (words: string) => ({ type: "text", text: words });

test.each([
  [
    "OpenAI audio",
    { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } },
    { type: "audio", data: "AAAA", mimeType: "audio/mp3" },
  ],
  [
    "an OpenAI file",
    {
      type: "file",
      file: { filename: "a b.pdf", file_data: "data:application/pdf;base64,AAAA" },
    },
    blob("attachment:a%20b.pdf"),
  ],
  [
    "an OpenAI file by id",
    { type: "file", file: { file_id: "file-1" } },
    {
      ...text("file file-1"),
      _meta: { fileId: "file-1", mimeType: "application/octet-stream" },
    },
  ],
  [
    "an image at an address",
    { type: "image_url", image_url: "https://example.com/a.png" },
    {
      type: "resource_link",
      uri: "https://example.com/a.png",
      name: "image",
      mimeType: "image/png",
    },
  ],
  [
    "an Anthropic document",
    { type: "document", source: { type: "base64", media_type: "application/pdf", data: "AAAA" } },
    blob("attachment:document"),
  ],
  [
    "an Anthropic document at an address",
    {
      type: "document",
      title: "Terms",
      source: { type: "url", url: "https://example.com/a.pdf", media_type: "application/pdf" },
    },
    link("https://example.com/a.pdf", "Terms"),
  ],
  [
    "an Anthropic document of text",
    { type: "document", source: { type: "text", media_type: "text/plain", data: "hello" } },
    text("hello"),
  ],
  [
    "an Anthropic document of blocks",
    { type: "document", source: { type: "content", content: [text("a"), text("b")] } },
    text("a\nb"),
  ],
  [
    "an Anthropic search result",
    {
      type: "search_result",
      source: "https://example.com",
      title: "Example",
      content: [text("found")],
    },
    {
      type: "resource",
      resource: { uri: "https://example.com", text: "found", mimeType: "text/plain" },
    },
  ],
  [
    "a LangChain v0 file",
    { type: "file", source_type: "url", url: "https://example.com/a.pdf", mime_type: PDF.mimeType },
    link("https://example.com/a.pdf", "file"),
  ],
  [
    "a LangChain v0 file of text",
    { type: "file", source_type: "text", text: "hello", mime_type: "text/plain" },
    text("hello"),
  ],
  [
    "a LangChain v0 image by id",
    { type: "image", source_type: "id", id: "img-1", mime_type: "image/png" },
    { ...text("image img-1"), _meta: { fileId: "img-1", mimeType: "image/png" } },
  ],
  [
    "a LangChain v1 file at an address",
    { type: "file", url: "https://example.com/a.pdf", ...PDF },
    link("https://example.com/a.pdf", "file"),
  ],
  ["a LangChain v1 file", { type: "file", data: "AAAA", ...PDF }, blob("attachment:file")],
  [
    "LangChain v1 bytes",
    { type: "video", data: new Uint8Array([0, 0, 0]), mimeType: "video/mp4" },
    {
      type: "resource",
      resource: { uri: "attachment:video", blob: "AAAA", mimeType: "video/mp4" },
    },
  ],
  [
    "a part of a larger buffer",
    { type: "image", data: new Uint8Array([9, 0, 0, 0, 9]).subarray(1, 4), mimeType: "image/png" },
    { type: "image", data: "AAAA", mimeType: "image/png" },
  ],
  [
    "a LangChain v1 file by id",
    { type: "file", fileId: "f-1", ...PDF },
    { ...text("file f-1"), _meta: { fileId: "f-1", ...PDF } },
  ],
  ["LangChain v1 text", { type: "text-plain", text: "hello" }, text("hello")],
  [
    "a Python v1 image, in the alphabet for addresses",
    { type: "image", base64: "-_-_", mime_type: "image/gif" },
    { type: "image", data: "+/+/", mimeType: "image/gif" },
  ],
  [
    "an address that holds its bytes as text",
    { type: "file", url: "data:text/plain,h%C3%A9" },
    {
      type: "resource",
      resource: { uri: "attachment:file", blob: "aMOp", mimeType: "text/plain" },
    },
  ],
  ["Bedrock's JSON", { type: "json", json: { a: 1 } }, text('{"a":1}')],
  ["Python's own block", { type: "non_standard", value: { a: 1 } }, text('{"a":1}')],
  [
    "a resource of MCP",
    { type: "resource", resource: { uri: "test://a", text: "a" } },
    { type: "resource", resource: { uri: "test://a", text: "a" } },
  ],
  [
    "a link of MCP",
    { type: "resource_link", uri: "test://a", name: "a", size: 1 },
    { type: "resource_link", uri: "test://a", name: "a", size: 1 },
  ],
  [
    "a text with annotations of MCP",
    { ...text("a"), annotations: { audience: ["user"] } },
    { ...text("a"), annotations: { audience: ["user"] } },
  ],
  ["a text with citations", { ...text("a"), annotations: [{ url: "x" }] }, text("a")],
  ["a block nobody knows", { type: "chart", points: 3 }, text('{"type":"chart","points":3}')],
])("%s becomes its MCP block", (_, block, expected) => {
  expect(returned([block], [block]).content).toEqual([expected]);
});
