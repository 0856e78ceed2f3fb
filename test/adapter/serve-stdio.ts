/** A real MCP server process for the tests: tools that answer, print, fail and wait, on stdin and stdout. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { toolServer } from "../../adapter/in-process.ts";
import { serveMcpStdio } from "../../adapter/mcp-server.ts";
import { claimStdout } from "../../adapter/stdout.ts";

claimStdout();
console.log("a banner, as many packages print one while they load");

const add = tool(async ({ a, b }) => ({ sum: a + b }), {
  name: "add",
  description: "adds",
  schema: z.object({ a: z.number(), b: z.number().default(2) }),
});

const noisy = tool(
  async () => {
    console.log("printed with console.log");
    process.stdout.write("written to stdout\n");
    return "quiet";
  },
  { name: "noisy", description: "prints while it works", schema: z.object({}) },
);

const big = tool(async ({ size }) => "x".repeat(size), {
  name: "big",
  description: "answers with many characters",
  schema: z.object({ size: z.int() }),
});

let stops = 0;

const wait = tool(
  (_args, { signal }) => {
    signal?.addEventListener("abort", () => {
      stops += 1;
    });
    return new Promise<string>(() => undefined);
  },
  { name: "wait", description: "waits until it is stopped", schema: z.object({}) },
);

const stopped = tool(async () => ({ stops }), {
  name: "stopped",
  description: "says how often `wait` was stopped",
  schema: z.object({}),
});

const grow = tool(
  async () => {
    await server.replaceTools([
      ...tools,
      tool(async () => "", { name: "grown", schema: z.object({}) }),
    ]);
    return "grown";
  },
  { name: "grow", description: "adds a tool to the list", schema: z.object({}) },
);

const tools = [add, noisy, big, wait, stopped, grow];
const server = toolServer(tools);

await serveMcpStdio(server);
