/** What the conformance suite expects a server to offer, made of LangChain tools. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const text = (words: string) => ({ type: "text", text: words });
/** In the dialect of OpenAI, of LangChain v0 and of LangChain v1: each has to arrive as MCP's own. */
const image = {
  type: "image_url",
  image_url: { url: `data:image/png;base64,${PIXEL}` },
};
const audio = { type: "audio", source_type: "base64", mime_type: "audio/wav", data: SILENCE };

function resource(uri: string, mimeType: string, words: string) {
  return { type: "resource", resource: { uri, mimeType, text: words } };
}

function fixture(
  name: string,
  description: string,
  run: () => unknown,
  schema: unknown = z.object({}),
) {
  return tool(run as () => Promise<unknown>, { name, description, schema } as never) as unknown;
}

export const CONFORMANCE_TOOLS: readonly unknown[] = [
  fixture(
    "test_simple_text",
    "Answers with a text.",
    async () => "This is a simple text response.",
  ),
  fixture("test_image_content", "Answers with an image.", async () => [image]),
  fixture("test_audio_content", "Answers with audio.", async () => [audio]),
  fixture("test_embedded_resource", "Answers with a resource.", async () => [
    resource("test://embedded-resource", "text/plain", "This is an embedded resource."),
  ]),
  fixture("test_multiple_content_types", "Answers with three kinds of content.", async () => [
    text("Multiple content types test:"),
    image,
    resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
  ]),
  fixture("test_error_handling", "Always fails.", async () => {
    throw new Error("This tool intentionally returns an error for testing");
  }),
  fixture("test_tool_with_progress", "Tells its progress.", async function* () {
    for (const percent of [0, 50, 100]) yield `${percent} %`;
    return "done";
  }),
  fixture(
    "json_schema_2020_12_tool",
    "Has a schema with keywords of the 2020-12 dialect.",
    async () => "ok",
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } },
        },
      },
      properties: {
        name: { type: "string" },
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" },
        email: { type: "string" },
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
  ),
  fixture(
    "test_header_parameter",
    "Mirrors one of its parameters in an HTTP header.",
    async () => "ok",
    {
      type: "object",
      properties: { region: { type: "string", "x-mcp-header": "Region" } },
      required: ["region"],
    },
  ),
];
