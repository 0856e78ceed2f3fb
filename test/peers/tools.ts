/** The LangChain tools that every client of the interop matrix lists and calls. */
import { DynamicTool, tool } from "@langchain/core/tools";
import { z } from "zod";
import { z as z3 } from "zod3";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const add = tool(async ({ a, b }) => ({ sum: a + b }), {
  name: "add",
  description: "Adds two numbers.",
  schema: z.object({ a: z.number(), b: z.number().default(2) }),
  metadata: { outputSchema: z.object({ sum: z.number() }) },
});

const greet = new DynamicTool({
  name: "greet",
  description: "Greets by name.",
  func: async (name) => `Hello ${name}`,
});

const order = tool(async ({ lines, at }) => `${lines.length} lines at ${at.toISOString()}`, {
  name: "order",
  description: "Says what was ordered, and when.",
  schema: z.object({
    at: z.date(),
    lines: z.array(z.object({ sku: z.string(), quantity: z.int().default(1) })).min(1),
  }),
});

const choose = tool(async (choice) => JSON.stringify(choice), {
  name: "choose",
  description: "Takes one of two shapes.",
  schema: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("text"), text: z.string() }),
    z.object({ kind: z.literal("size"), size: z.number() }),
  ]) as unknown as z.ZodObject,
});

const older = tool(async ({ city, unit }) => `20 ${unit} in ${city}`, {
  name: "get weather",
  description: "The weather; its schema is of zod 3.",
  schema: z3.object({ city: z3.string(), unit: z3.enum(["C", "F"]).default("C") }) as never,
}) as unknown;

const rows = tool(async () => ["2 rows", { rows: [1, 2] }], {
  name: "rows",
  description: "A text about rows, and the rows.",
  schema: z.object({}),
  responseFormat: "content_and_artifact",
});

const picture = tool(
  async () => [
    { type: "text", text: "a pixel" },
    { type: "image", source_type: "base64", mime_type: "image/png", data: PIXEL },
  ],
  { name: "picture", description: "A text and an image.", schema: z.object({}) },
);

const broken = tool(async () => Promise.reject(new Error("out of paper")), {
  name: "broken",
  description: "Always fails.",
  schema: z.object({}),
});

export const TOOLS: readonly unknown[] = [add, greet, order, choose, older, rows, picture, broken];

/** One call for each tool: by its legal name, with arguments, and the text that calling it directly gives. */
export const CALLS: Readonly<Record<string, { args: Record<string, unknown>; text: string }>> = {
  add: { args: { a: 1 }, text: '{"sum":3}' },
  greet: { args: { input: "Ada" }, text: "Hello Ada" },
  order: {
    args: { at: "2026-01-02T03:04:05Z", lines: [{ sku: "LAMP" }] },
    text: "1 lines at 2026-01-02T03:04:05.000Z",
  },
  choose: { args: { kind: "size", size: 3 }, text: '{"kind":"size","size":3}' },
  get_weather: { args: { city: "Paris" }, text: "20 C in Paris" },
  rows: { args: {}, text: "2 rows" },
  picture: { args: {}, text: "a pixel" },
};
