/**
 * G2 and G3: a tool over MCP, in memory, by what a user would write with the SDK alone.
 *
 * G2: a LangChain tool behind our server, against the same tool called by a handler of the SDK's
 * `McpServer` with zod schemas in and out. G3: a plain function, ours checked against its JSON
 * Schemas in and out, against the same function in `McpServer`. One client and one transport for
 * all: the SDK's own, in memory. And the list: 200 tools by 20 tools, with 20 ms to spare.
 */
import { tool } from "@langchain/core/tools";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { McpServer, Server } from "@modelcontextprotocol/server";
import { z } from "zod";
import { toolServer } from "../../adapter/index.ts";
import { connectionServer } from "../../adapter/mcp-protocol.ts";
import { type Comparison, interleave, quantile } from "./measure.ts";

const ROUNDS = 15;
const CALLS_PER_ROUND = 1_000;
/** The base is measured twice, and so compiled sooner; ours settles after some ten thousand calls. */
const WARM_UP_ROUNDS = 12;
const LIST_WARM_UP_ROUNDS = 3;

const QuoteArgs = z.object({
  orderId: z.string(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.number(), cents: z.number() })),
});
const Quote = z.object({ orderId: z.string(), cents: z.number(), currency: z.string() });

async function quote({ orderId, lines }: z.infer<typeof QuoteArgs>) {
  const cents = lines.reduce((sum, line) => sum + line.cents * line.quantity, 0);
  return { orderId, cents, currency: "EUR" };
}

const ARGS = {
  orderId: "A-10001",
  lines: [1, 2, 3].map((n) => ({ sku: `LAMP-0${n}`, quantity: n, cents: 1_295 })),
};

const langchainTool = tool(quote, {
  name: "quote",
  description: "The price of an order.",
  schema: QuoteArgs,
  metadata: { outputSchema: Quote },
});

/** A tool that left LangChain: its function, its schemas, and the form in which it is called. */
const plainTool = {
  name: "quote",
  description: "The price of an order.",
  schema: QuoteArgs,
  outputSchema: Quote,
  invoke: (call: { args: z.infer<typeof QuoteArgs> }) => quote(call.args),
};

function naive(
  run: (args: z.infer<typeof QuoteArgs>) => Promise<z.infer<typeof Quote>>,
): McpServer {
  const server = new McpServer({ name: "naive", version: "1" });
  const schemas = { inputSchema: QuoteArgs, outputSchema: Quote };
  server.registerTool(
    "quote",
    { description: "The price of an order.", ...schemas },
    async (args) => {
      const value = await run(args);
      return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
    },
  );
  return server;
}

function ours(served: unknown): Server {
  return connectionServer(toolServer([served], { input: "strict", output: "enforce" }));
}

async function connected(server: Server | McpServer): Promise<Client> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "bench", version: "1" });
  await server.connect(far);
  await client.connect(near);
  return client;
}

async function caller(server: Server | McpServer): Promise<() => Promise<number>> {
  const client = await connected(server);
  const expected = await quote(ARGS);
  const first = await client.callTool({ name: "quote", arguments: ARGS });
  if (JSON.stringify(first.structuredContent) !== JSON.stringify(expected)) {
    throw new Error("The call under test gives another value");
  }
  return async () => {
    const durationsUs: number[] = [];
    for (let n = 0; n < CALLS_PER_ROUND; n++) {
      const startedMs = performance.now();
      await client.callTool({ name: "quote", arguments: ARGS });
      durationsUs.push((performance.now() - startedMs) * 1_000);
    }
    return quantile(durationsUs, 0.5);
  };
}

interface Pair {
  metric: string;
  mine: Server;
  base: () => McpServer;
  names: [string, string];
  /** Absent for a row that only tells where the ground is. */
  ratio?: number;
}

/** The protocol alone: the SDK's low-level server with an answer that was made before. */
async function constant(): Promise<Server> {
  const server = new Server({ name: "constant", version: "1" }, { capabilities: { tools: {} } });
  const value = await quote(ARGS);
  const content = [{ type: "text" as const, text: JSON.stringify(value) }];
  server.setRequestHandler("tools/list", async () => ({ tools: [] }));
  server.setRequestHandler("tools/call", async () => ({ content, structuredContent: value }));
  return server;
}

async function compared({ metric, mine, base, names, ratio }: Pair): Promise<Comparison> {
  const cases = {
    ours: await caller(mine),
    base: await caller(base()),
    again: await caller(base()),
  };
  await interleave(cases, WARM_UP_ROUNDS);
  const rounds = await interleave(cases, ROUNDS);
  return {
    metric,
    base: { name: names[0], rounds: rounds.base, again: rounds.again },
    ours: { name: names[1], rounds: rounds.ours },
    ...(ratio === undefined ? {} : { goal: { kind: "atMost" as const, ratio } }),
  };
}

export async function mcpCall(): Promise<Comparison[]> {
  return [
    await compared({
      metric: "LangChain tool, p50, µs",
      mine: ours(langchainTool),
      base: () => naive((args) => langchainTool.invoke(args)),
      names: ["McpServer + invoke", "ours"],
      ratio: 0.95,
    }),
    await compared({
      metric: "plain tool, p50, µs",
      mine: ours(plainTool),
      base: () => naive(quote),
      names: ["McpServer", "ours"],
      ratio: 0.85,
    }),
    await compared({
      metric: "no tool at all, p50, µs",
      mine: await constant(),
      base: () => naive(quote),
      names: ["McpServer", "constant answer"],
    }),
  ];
}

const FEW = 20;
const MANY = 200;
const SPARE_MS = 20;

/** From the tools as they are to the list in the client's hands: schemas are converted anew each round. */
async function listed(count: number): Promise<number> {
  const tools = Array.from({ length: count }, (_, index) =>
    tool(quote, {
      name: `quote_${index}`,
      description: "The price of an order.",
      schema: QuoteArgs.extend({ [`field_${index}`]: z.string().default("") }),
    } as never),
  );
  const client = await connected(connectionServer(toolServer(tools)));
  const startedMs = performance.now();
  const { tools: found } = await client.listTools();
  const durationMs = performance.now() - startedMs;
  if (found.length !== count) throw new Error(`${found.length} of ${count} tools are listed`);
  await client.close();
  return durationMs;
}

/** The goal allows a fixed time beside the ratio; it is taken off the longer list. */
export async function toolList(): Promise<Comparison[]> {
  const many = async () => Math.max(0, (await listed(MANY)) - SPARE_MS);
  const cases = { ours: many, base: () => listed(FEW), again: () => listed(FEW) };
  await interleave(cases, LIST_WARM_UP_ROUNDS);
  const { ours: mine, base, again } = await interleave(cases, ROUNDS);
  return [
    {
      metric: `list, ms, less ${SPARE_MS} for the longer`,
      base: { name: `${FEW} tools`, rounds: base, again },
      ours: { name: `${MANY} tools`, rounds: mine },
      goal: { kind: "atMost", ratio: 2 },
    },
  ];
}
