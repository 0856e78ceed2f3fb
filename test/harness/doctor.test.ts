import { tool } from "@langchain/core/tools";
import { expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import type { Schema } from "../../core/schema.ts";
import { type ResolvedConfig, resolveConfig, type TwintrackConfig } from "../../harness/config.ts";
import { examine } from "../../harness/doctor.ts";
import type { Finding } from "../../harness/finding.ts";
import { document } from "../app/command.ts";
import { add } from "../app/flows.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { freshDatabase } from "../database.ts";

const named = (name: string, schema: z.ZodObject, description = "Does it.") =>
  tool(() => "done", { name, description, schema });

async function notes(
  config: TwintrackConfig,
  change: Partial<ResolvedConfig> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Finding[]> {
  const findings = await examine({ ...resolveConfig(config), ...change }, env);
  return findings.filter(({ status }) => status !== "ok");
}

const toolsOnly = (tools: unknown[], effects: Record<string, "read" | "write"> = {}) => ({
  tools: { shop: { tools, effects } },
  flows: {},
});

test("a candidate that is no flow is named with what it is", async () => {
  const misspelt = (() => Promise.resolve(undefined)) as never;
  const unfinished = { step: () => undefined } as never;
  const flows = { pay: { candidate: misspelt }, buy: { candidate: unfinished } };
  const found = await notes({ flows });
  expect(found.map(({ check, detail }) => `${check}: ${detail}`)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^flows\.pay\.candidate: .*gives undefined, not a typed flow/),
      expect.stringMatching(/^flows\.buy\.candidate: .*gives a flow without \.returns/),
    ]),
  );
});

test("a set-up in order has no problem and no warning, and every part is named", async () => {
  const fresh = await freshDatabase("postgres");
  try {
    const env = { TWINTRACK_DATABASE_URL: fresh.url ?? "", TWINTRACK_DATA_DIR: fresh.dataDir };
    const { code, reply } = await document(["doctor", "--config", CONFIG_FILE], { env });
    expect(reply.data).toMatchObject({ problems: 0 });
    expect(code).toBe(0);
    const checks = reply.data.findings.map(({ check }: Finding) => check);
    expect(checks).toEqual(
      expect.arrayContaining(["node", "@langchain/core", "tools.shop", "flows.pay.legacy"]),
    );
    expect(checks.at(-1)).toBe("database");
  } finally {
    await fresh.drop();
  }
});

test("a tool without a declared effect counts as a write, and what doctor offers declares it as one", async () => {
  const tools = [named("quote", z.object({})), named("cancel-ticket", z.object({}))];
  const [found, ...more] = await notes(toolsOnly(tools));
  expect(more).toEqual([]);
  expect(found).toMatchObject({ check: "tools.shop", status: "warning" });
  expect(found?.fix).toContain('effects: { quote: "write", "cancel-ticket": "write" }');
});

test("an effect for a tool that is not there is a problem that names those that are", async () => {
  const found = await notes(
    toolsOnly([named("quote", z.object({}))], { qoute: "read", quote: "read" }),
  );
  expect(found).toMatchObject([
    {
      status: "problem",
      code: "CONFIG_INVALID",
      detail: expect.stringContaining("qoute"),
      fix: expect.stringContaining("quote"),
    },
  ]);
});

test("tools of one name in two sources are a warning until the flow names its own", async () => {
  const quotes = { tools: [named("quote", z.object({}))], effects: { quote: "read" as const } };
  const legacy = () => async () => "done";
  const found = (flow: object) =>
    notes({ tools: { shop: quotes, desk: quotes }, flows: { pay: { legacy, ...flow } } });
  expect(await found({})).toContainEqual({
    check: "flows.pay",
    status: "warning",
    detail: "quote is in shop and desk: which of them legacy calls is not to be seen",
    fix: "Name its sources: flows.pay.tools: [ … ]",
  });
  const settled = await found({ tools: ["shop"] });
  expect(settled.filter(({ check }) => check === "flows.pay")).toEqual([]);
  await expect(found({ tools: ["shpo"] })).rejects.toThrow(
    'at flows.pay.tools: no tool source is called "shpo"',
  );
});

test("a tool that cannot be bridged is a warning with the reason", async () => {
  const found = await notes(toolsOnly([{ type: "web_search" }]));
  expect(found).toMatchObject([{ status: "warning", detail: expect.stringMatching(/provider/) }]);
});

test("a schema that says nothing about a field, and a tool without description, are warnings", async () => {
  const schema = z.object({ when: z.object({ day: z.custom<Map<string, string>>() }) });
  const found = await notes(toolsOnly([named("book", schema, " ")], { book: "write" }));
  expect(found.map(({ detail }) => detail)).toEqual([
    "book has no description",
    expect.stringContaining("/when/day"),
  ]);
});

test("a Python that does not start is a problem with its own words and a command", async () => {
  const found = await notes({ tools: { desk: { python: "no_such_package:TOOLS" } }, flows: {} });
  expect(found).toMatchObject([
    { check: "tools.desk", status: "problem", code: "PYTHON_UNAVAILABLE", fix: expect.any(String) },
  ]);
});

test("a side that does not load, and a flow without sides, are problems", async () => {
  const broken = () => Promise.reject(new Error("no module"));
  const found = await notes(
    { flows: { one: { legacy: broken, candidate: add }, two: {} } },
    { dataDir: "." },
  );
  expect(found).toMatchObject([
    { check: "flows.one.legacy", status: "problem", detail: expect.stringContaining("no module") },
    { check: "flows.two", status: "problem", code: "SIDE_MISSING" },
  ]);
});

test("a compare rule that cannot be used is a problem, because it silences nothing", async () => {
  const rules = [
    { path: "/a", ignore: true },
    { path: "no pointer", ignore: true },
  ];
  const found = await notes({ flows: { one: { candidate: add, compare: { rules } } } });
  expect(found).toMatchObject([
    {
      check: "flows.one.compare.rules",
      status: "problem",
      detail: expect.stringContaining("no pointer"),
    },
  ]);
});

test("a database that does not answer and a data folder that is none are problems", async () => {
  const found = await notes(
    { flows: { one: { candidate: add } } },
    { databaseUrl: "postgres://127.0.0.1:1/none", dataDir: "/dev/null/data" },
  );
  expect(found).toMatchObject([
    { check: "privacy", status: "warning", fix: expect.stringContaining("same TWINTRACK_KEY") },
    { check: "dataDir", code: "SPOOL_UNAVAILABLE", detail: expect.stringContaining("/dev/null") },
    { check: "database", status: "problem", code: "STORE_UNAVAILABLE" },
  ]);
});

test("privacy that is off is a warning for each half; a key that is none is a problem", async () => {
  const found = await notes(
    { flows: { one: { candidate: add } }, privacy: { seal: false, mask: false } },
    {},
    { TWINTRACK_KEY: "not a key" },
  );
  expect(found).toMatchObject([
    { check: "privacy", status: "warning", detail: expect.stringContaining("payloads rest") },
    { check: "privacy", status: "warning", detail: expect.stringContaining("reports rest") },
    { check: "privacy", status: "problem", code: "CONFIG_INVALID" },
  ]);
  expect(JSON.stringify(found)).not.toContain("not a key");
});

test("tracing that sends every call away is a warning", async () => {
  const found = await notes({ flows: {} }, {}, { LANGSMITH_TRACING: "true" });
  expect(found).toMatchObject([{ check: "environment", status: "warning" }]);
});

test("tools given on the command line are examined alone, and a problem sets the exit code", async () => {
  const { code, reply } = await document(["doctor", "--python", "no_such_package:TOOLS"]);
  expect(code).toBe(5);
  expect(reply.ok).toBe(false);
  expect(reply.data).toMatchObject({ problems: 1, warnings: 0 });
});

test("a schema that can tell no JSON Schema is a warning that names where it stands", async () => {
  const untold: Schema<string> = {
    "~standard": { version: 1, vendor: "own", validate: (value) => ({ value: String(value) }) },
  };
  const candidate = flow("odd", { version: "1", input: z.string(), output: untold })
    .step("one", { run: ({ input }) => input, output: untold })
    .returns(({ one }) => one);
  const found = await notes({ flows: { odd: { candidate } } });
  expect(found).toContainEqual(
    expect.objectContaining({
      check: "flows.odd.candidate",
      status: "warning",
      detail: expect.stringContaining('its output, the output of step "one"'),
    }),
  );
});
