/** What a configuration says of a tool source reaches the tools. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { textOf } from "../../core/tool.ts";
import { resolveConfig, type ToolSource } from "../../harness/config.ts";
import { openToolServer } from "../../harness/side.ts";
import { here, interpreter, number } from "../adapter/python-process.ts";

const opened: ToolServer[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

async function open(source: ToolSource): Promise<ToolServer> {
  const config = resolveConfig({ tools: { desk: source }, flows: {} });
  const server = await openToolServer(config, "desk", config.tools.desk ?? source);
  opened.push(server);
  return server;
}

const stubborn = (options: object = {}): ToolSource => ({
  python: "stubborn:TOOLS",
  interpreter,
  cwd: here,
  ...options,
});

test("isolation: each call has a process of its own", async () => {
  const server = await open(stubborn({ isolation: "process-per-call" }));
  const pids = [await server.callTool("pid", {}), await server.callTool("pid", {})].map(number);
  expect(new Set(pids).size).toBe(2);
});

test("inheritEnv and env: what the tools see of the environment", async () => {
  vi.stubEnv("TWINTRACK_TEST_SECRET", "s3cret");
  const server = await open(stubborn({ inheritEnv: ["PATH"], env: { OWN: "yes" } }));
  const told = async (name: string) => textOf(await server.callTool("environment", { name }));
  expect([await told("TWINTRACK_TEST_SECRET"), await told("OWN")]).toEqual(["(unset)", "yes"]);
});

test("callTimeoutMs and graceMs: a call without a limit of its own", async () => {
  const server = await open(stubborn({ callTimeoutMs: 300, graceMs: 20, threads: 1 }));
  await server.listTools();
  await expect(server.callTool("wait_for", { path: "/no/such/file" })).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining("300 ms"),
  });
});

test("startTimeoutMs: a start that takes too long", async () => {
  const server = await open(stubborn({ startTimeoutMs: 1 }));
  await expect(server.listTools()).rejects.toMatchObject({ code: "PYTHON_UNAVAILABLE" });
});

test("inject and bind: what callers cannot send", async () => {
  const hooked = await open(stubborn({ inject: () => ({ user_id: "hooked" }) }));
  const bound = await open(stubborn({ bind: "stubborn:BINDING" }));
  expect(textOf(await hooked.callTool("whose", {}))).toBe("hooked");
  expect(textOf(await bound.callTool("whose", {}))).toBe("bound in Python");
});

test.each<[string, ToolSource]>([
  ["Python", { python: "lying:total", interpreter, cwd: here }],
  ["JavaScript", { module: `${here}/../app/lying.ts` }],
])(
  "contract: arguments and results of %s are held to it as strictly as it says",
  async (_, source) => {
    const usual = await open(source);
    const strict = await open({ ...source, contract: { input: "strict", output: "enforce" } });
    const text = { lines: ["1"] };
    const right = { lines: [1] };

    expect((await usual.callTool("total", text)).isError).not.toBe(true);
    expect(textOf(await strict.callTool("total", text))).toMatch(/lines\/0/);
    expect((await usual.callTool("total", right)).isError).not.toBe(true);
    expect(textOf(await strict.callTool("total", right))).toMatch(/cents/);
  },
);

test.each([
  [{ workers: 0 }, "workers"],
  [{ isolation: "none" }, "isolation"],
  [{ contract: { input: "loose" } }, "contract"],
])("%j is refused", (options, key) => {
  expect(() => resolveConfig({ tools: { desk: stubborn(options) }, flows: {} })).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(key) }),
  );
});

/** A module of a project in CommonJS. */
async function namesIn(source: string, name?: string): Promise<{ names: string[]; why: string }> {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-commonjs-"));
  const book = `const book = { name: "book", description: "", schema: { type: "object" }, invoke: async () => "booked" };`;
  const module = join(folder, "tools.cjs");
  try {
    writeFileSync(module, `${book}\n${source}\n`);
    const server = await open({ module, ...(name && { export: name }) });
    const names = (await server.listTools()).map((contract) => contract.name);
    return { names, why: (await server.unsupported()).map(({ reason }) => reason).join() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each([
  ["module.exports = { tools: [book], book };", undefined],
  ["module.exports = { tools: [book], book };", "book"],
  ["exports.tools = [book];", undefined],
  ["module.exports = [book];", "default"],
])("tools are found in a CommonJS module that says %s, as %s", async (source, name) => {
  expect((await namesIn(source, name)).names).toEqual(["book"]);
});

test("an export that a CommonJS module has not is refused with the names that it has", async () => {
  const refused = namesIn("module.exports = { shop: [book], getTools: () => [book] };");
  await expect(refused).rejects.toMatchObject({
    code: "TOOL_MODULE_INVALID",
    hint: "It exports shop, getTools, default.",
  });
});

test("a function that makes tools is told of, with what to export instead", async () => {
  const { names, why } = await namesIn("module.exports = { tools: () => [book] };");
  expect(names).toEqual([]);
  expect(why).toContain("export what it returns");
});
