import { fileURLToPath } from "node:url";
import { tool } from "@langchain/core/tools";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type ContractModes, type Violation, withContract } from "../../adapter/enforcement.ts";
import { toolServer } from "../../adapter/in-process.ts";
import { pythonTools } from "../../adapter/python.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { RESULT_META_KEY, resultValue, textOf } from "../../core/tool.ts";

/** The same lie in both languages: it promises a number and returns a text. */
const total = tool(async ({ lines }) => ({ cents: String(lines.length) }), {
  name: "total",
  description: "The sum of the lines.",
  schema: z.object({ lines: z.array(z.coerce.number()) }),
  metadata: { outputSchema: z.object({ cents: z.number() }) },
});

const python = pythonTools({
  target: "lying:total",
  interpreter: fileURLToPath(new URL("../../.venv/bin/python", import.meta.url)),
  cwd: fileURLToPath(new URL(".", import.meta.url)),
});

afterAll(() => python.close());

const SERVERS: [string, (modes?: ContractModes) => ToolServer][] = [
  ["JavaScript", (modes) => toolServer([total], modes)],
  ["Python", (modes) => withContract(python, modes)],
];

const FITTING = { lines: [1, 2] };
/** Not what the schema says, and yet what both languages' parsers take. */
const LOOSE = { lines: ["1"] };

describe.each(SERVERS)("%s", (_, open) => {
  test("by default a broken result is passed on, with what it breaks under our key", async () => {
    const heard: Violation[] = [];
    const result = await open({ onViolation: (one) => heard.push(one) }).callTool("total", FITTING);

    expect(result.isError ?? false).toBe(false);
    expect(resultValue(result)).toMatchObject({ cents: expect.any(String) });
    expect(result._meta?.[RESULT_META_KEY]).toMatchObject({
      violations: [expect.stringMatching(/^output \/cents must be (number|integer)$/)],
    });
    expect(heard).toEqual([{ tool: "total", part: "output", places: [expect.any(String)] }]);
  });

  test("enforced, a broken result is a failed one, and its raw value is kept", async () => {
    const result = await open({ output: "enforce" }).callTool("total", FITTING);

    expect(result.isError).toBe(true);
    expect(result).not.toHaveProperty("structuredContent");
    expect(textOf(result)).toContain("The result of total break");
    expect(result._meta?.[RESULT_META_KEY]).toMatchObject({
      error: { code: "OUTPUT_INVALID" },
      raw: { cents: expect.any(String) },
    });
  });

  test("switched off, nobody looks at the result", async () => {
    const heard: Violation[] = [];
    const modes: ContractModes = { output: "off", onViolation: (one) => void heard.push(one) };
    const result = await open(modes).callTool("total", FITTING);

    expect(result._meta?.[RESULT_META_KEY]).not.toHaveProperty("violations");
    expect(heard).toEqual([]);
  });

  test("lenient leaves the arguments to LangChain's parser, strict refuses them first", async () => {
    const lenient = await open({ output: "off" }).callTool("total", LOOSE);
    const strict = await open({ output: "off", input: "strict" }).callTool("total", LOOSE);

    expect(lenient.isError ?? false).toBe(false);
    expect(strict.isError).toBe(true);
    expect(strict._meta?.[RESULT_META_KEY]).toMatchObject({
      error: { code: "INPUT_INVALID" },
      violations: [expect.stringMatching(/^input \/lines\/0 must be (number|integer)$/)],
    });
  });

  test("strict does not keep away arguments that fit", async () => {
    const result = await open({ output: "off", input: "strict" }).callTool("total", FITTING);

    expect(result.isError ?? false).toBe(false);
  });
});

test("strict refuses before the tool runs", async () => {
  let runs = 0;
  const counting = tool(async () => ++runs, {
    name: "counting",
    description: "",
    schema: z.object({ a: z.number() }),
  });
  await toolServer([counting], { input: "strict" }).callTool("counting", { a: "1" });

  expect(runs).toBe(0);
});

test("a tool that failed is not held to its output schema", async () => {
  const broken = tool(async () => Promise.reject(new Error("out of paper")), {
    name: "broken",
    description: "",
    schema: z.object({}),
    metadata: { outputSchema: z.object({ cents: z.number() }) },
  });
  const result = await toolServer([broken], { output: "enforce" }).callTool("broken", {});

  expect(textOf(result)).toBe("out of paper");
});

test("of content and artifact, the artifact is what the output schema speaks of", async () => {
  const rows = tool(async () => ["2 rows", [1, 2]], {
    name: "rows",
    description: "",
    schema: z.object({}),
    responseFormat: "content_and_artifact",
    metadata: { outputSchema: z.array(z.number()) },
  });
  const result = await toolServer([rows], { output: "enforce" }).callTool("rows", {});

  expect(result.isError ?? false).toBe(false);
});

test.each([
  ["a date", z.object({ at: z.date() }), { at: "2026-01-02T03:04:05Z" }, "Date"],
  ["a date without a time", z.object({ at: z.date() }), { at: "2026-01-02" }, "Date"],
  ["a big integer", z.object({ at: z.bigint() }), { at: "12345678901234567890" }, "BigInt"],
  ["a map", z.object({ at: z.map(z.string(), z.date()) }), { at: [["a", "2026-01-02"]] }, "Map"],
  ["a set in a list", z.object({ at: z.set(z.int()) }), { at: [1, 2] }, "Set"],
  [
    "a date in the second branch of a union",
    z.object({ at: z.union([z.number(), z.date()]) }),
    { at: "2026-01-02" },
    "Date",
  ],
])("%s reaches the tool as the value that its schema names", async (_, schema, args, kind) => {
  const look = tool(async (given: { at: object | bigint }) => Object(given.at).constructor.name, {
    name: "look",
    description: "",
    schema: schema as never,
  });

  expect(textOf(await toolServer([look]).callTool("look", args))).toBe(kind);
});

test("a text that is no date is left for the tool's own parser to refuse", async () => {
  const schema = z.object({ at: z.date() });
  const look = tool(async () => "", { name: "look", description: "", schema });
  const result = await toolServer([look]).callTool("look", { at: "next week 2" });

  expect(textOf(result)).toContain("did not match expected schema");
});
