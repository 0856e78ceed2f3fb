/** Integers beyond 2^53 in calls of tools: one digit more or less is another order, or another person. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { tool } from "@langchain/core/tools";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { canonicalArgs, validateArgs } from "../../adapter/contract.ts";
import { withContract } from "../../adapter/enforcement.ts";
import { toolServer } from "../../adapter/in-process.ts";
import { mcpHttpHandler, serveMcpHttp } from "../../adapter/mcp-server.ts";
import { pythonTools } from "../../adapter/python.ts";
import { resultValue } from "../../core/tool.ts";
import { command, MAIN } from "../app/command.ts";
import { bridge, here, interpreter } from "./python-process.ts";

/** JavaScript would round it to …992. */
const LONG = "9007199254740993";
const ORDER = `{"id":${LONG},"next":9007199254740994,"history":[9007199254740992,${LONG}]}`;

const numbered = pythonTools({ target: "numbered:TOOLS", interpreter, cwd: here });
afterAll(() => numbered.close());

const long = (digits: string) => ({ $type: "bigint", value: digits });
const RAW = {
  id: long(LONG),
  next: long("9007199254740994"),
  history: [long("9007199254740992"), long(LONG)],
};

const lines = (...messages: string[]) => messages.map((line) => `${line}\n`).join("");
const callOf = (args: string) =>
  `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"order","arguments":${args}}}`;
const HELLO =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}';
const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}';
const modernCallOf = (args: string) => callOf(args).replace('"params":{', `"params":{${META},`);

/** The answer to message 2, as text: whoever parses it in JavaScript rounds it. */
async function answerOver(program: string, args: readonly string[], sent: string): Promise<string> {
  const env = { ...process.env, PYTHONPATH: bridge };
  const child = spawn(program, args, { cwd: here, env, stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.write(sent);
  for await (const line of createInterface(child.stdout)) {
    if (!line.includes('"id":2')) continue;
    child.stdin.end();
    await once(child, "exit");
    return line;
  }
  throw new Error("No answer to the call");
}

const SERVE = ["tools", "serve", "--python", "numbered:TOOLS", "--interpreter", interpreter];

describe("a tool in Python gets and gives every digit", () => {
  test.each([
    ["2025-11-25", lines(HELLO, callOf(`{"id":${LONG}}`))],
    ["2026-07-28", lines(modernCallOf(`{"id":${LONG}}`))],
  ])("over stdio, revision %s", async (_, sent) => {
    const answer = await answerOver(process.execPath, [MAIN, ...SERVE], sent);
    expect(answer).toContain(`"structuredContent":${ORDER}`);
    expect((JSON.parse(answer) as Answer).result.content[0].text).toBe(ORDER);
  });

  test("over HTTP", async () => {
    const server = await serveMcpHttp(
      withContract(numbered, { input: "strict", output: "enforce" }),
    );
    const response = await fetch(server.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: callOf(`{"id":${LONG}}`),
    });
    const answer = await response.text();
    expect(answer).toContain(`"structuredContent":${ORDER}`);
    expect(answer).not.toContain("violations");
  });

  test("and a header that tells a proxy another one is refused", async () => {
    const id = { type: "integer", "x-mcp-header": "Id" };
    const schema = { type: "object", properties: { id } } as const;
    const handle = mcpHttpHandler(
      toolServer([tool(async () => "", { name: "order", description: "finds", schema })]),
    );
    const answer = async (told: string) => {
      const headers = {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        host: "localhost",
        "mcp-method": "tools/call",
        "mcp-param-id": told,
      };
      const body = callOf(`{"id":${LONG}}`);
      return (
        await handle(new Request("http://localhost/mcp", { method: "POST", headers, body }))
      ).text();
    };
    expect(await answer("9007199254740992")).toContain("Headers and body disagree");
    expect(await answer(LONG)).not.toContain("disagree");
  });

  test("from the bridge, with no Node in between", async () => {
    const answer = await answerOver(
      interpreter,
      ["-m", "twintrack_bridge", "numbered:TOOLS"],
      lines(HELLO, callOf(`{"id":${LONG}}`)),
    );
    expect(answer).toContain(`"structuredContent":${ORDER}`);
  });

  test("from the command line", async () => {
    const args = ["tools", "call", "order", "--input", `{"id":${LONG}}`, "--json"];
    const { code, stdout } = await command([...args, ...SERVE.slice(2)], { cwd: here });
    expect(code).toBe(0);
    const { data } = JSON.parse(stdout) as { data: { result: object; contract: string } };
    expect(data).toMatchObject({ contract: "ok" });
    expect(resultValue(data.result as never)).toEqual(RAW);
  });

  test("from a typed flow, in the form that flows know", async () => {
    expect(resultValue(await numbered.callTool("order", { id: long(LONG) }))).toEqual(RAW);
  });
});

interface Answer {
  result: { content: [{ text: string }] };
}

describe("a contract", () => {
  test("knows them as integers, wherever they come from", async () => {
    const [contract] = await numbered.listTools();
    if (!contract) throw new Error("No tool is listed");
    expect(validateArgs(contract, { id: long(LONG) })).toEqual([]);
    expect(validateArgs(contract, { id: { $type: "bigint", value: "many" } })).toEqual([
      "/id must be integer",
    ]);
    expect(canonicalArgs(contract, { id: long(LONG) })).toEqual({ id: long(LONG), step: 1 });
    const strict = withContract(numbered, { input: "strict", output: "enforce" });
    expect(resultValue(await strict.callTool("order", { id: long(LONG) }))).toEqual(RAW);
  });
});

test("a tool in JavaScript gets the number that it always got", async () => {
  const schema = z.object({ id: z.number(), of: z.array(z.number()) });
  const given: unknown[] = [];
  const note = tool(async (args) => void given.push(args), { name: "note", schema });
  const strict = toolServer([note], { input: "strict" });
  const result = await strict.callTool("note", { id: long(LONG), of: [long(`-${LONG}`), 1] });
  expect(result.isError).toBeUndefined();
  expect(given).toEqual([{ id: 9007199254740992, of: [-9007199254740992, 1] }]);
});
