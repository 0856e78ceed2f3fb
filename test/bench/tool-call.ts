/**
 * G1: a contract call in this process against `tool.invoke` of the same LangChain tool.
 *
 * Ours checks the arguments against the contract, calls the tool through the adapter under a time
 * limit, which keeps the raw value and makes an MCP result, and checks the value against the
 * output schema. The base is `tool.invoke` alone, which validates its arguments with zod. Both run
 * in one process, so the base passes the adapter's patch of LangChain too; called before the patch
 * and after it, the base costs the same.
 */
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { toolServer } from "../../adapter/index.ts";
import { resultValue } from "../../core/tool.ts";
import { type Comparison, interleave, quantile, threadCpuUs } from "./measure.ts";

const ROUNDS = 15;
const CALLS_PER_ROUND = 2_000;
const WARM_UP_ROUNDS = 3;
const TIMEOUT_MS = 30_000;

const QuoteArgs = z.object({
  orderId: z.string(),
  email: z.string(),
  note: z.string().optional(),
  urgent: z.boolean().default(false),
  lines: z.array(z.object({ sku: z.string(), quantity: z.number(), cents: z.number() })),
});

const Quote = z.object({
  orderId: z.string(),
  cents: z.number(),
  currency: z.string(),
  status: z.string(),
});

const quote = tool(
  async ({ orderId, lines }) => ({
    orderId,
    cents: lines.reduce((sum, { cents, quantity }) => sum + cents * quantity, 0),
    currency: "EUR",
    status: "open",
  }),
  {
    name: "quote",
    description: "The price of an order.",
    schema: QuoteArgs,
    metadata: { outputSchema: Quote },
  },
);

/** 290 bytes as JSON. */
const ARGS = {
  orderId: "A-10001",
  email: "ada.lovelace@example.com",
  note: "Please leave it at the neighbour's door, the bell is broken.",
  urgent: true,
  lines: [1, 2, 3].map((n) => ({ sku: `LAMP-0${n}`, quantity: n, cents: 1_295 })),
};

interface Cost {
  p50Us: number;
  cpuUs: number;
}

async function costOf(call: () => Promise<unknown>): Promise<Cost> {
  const durationsUs: number[] = [];
  const cpuBeforeUs = threadCpuUs();
  for (let n = 0; n < CALLS_PER_ROUND; n++) {
    const startedMs = performance.now();
    await call();
    durationsUs.push((performance.now() - startedMs) * 1_000);
  }
  const cpuUs = (threadCpuUs() - cpuBeforeUs) / CALLS_PER_ROUND;
  return { p50Us: quantile(durationsUs, 0.5), cpuUs };
}

async function contractCall(): Promise<() => Promise<unknown>> {
  const server = toolServer([quote], { input: "strict", output: "enforce" });
  const [contract] = await server.listTools();
  if (!contract?.outputSchema) throw new Error("The tool under test has no output schema");
  const refused = await server.callTool("quote", { ...ARGS, urgent: "very" });
  if (!refused.isError) throw new Error("Arguments that break the contract were not refused");
  return async () => {
    const result = await server.callTool("quote", ARGS, { timeoutMs: TIMEOUT_MS });
    if (result.isError) throw new Error("The call under test breaks its contract");
    return resultValue(result);
  };
}

export async function toolCall(): Promise<Comparison[]> {
  const contract = await contractCall();
  const cases = {
    ours: () => costOf(contract),
    base: () => costOf(() => quote.invoke(ARGS)),
    again: () => costOf(() => quote.invoke(ARGS)),
  };
  await interleave(cases, WARM_UP_ROUNDS);
  const { ours, base, again } = await interleave(cases, ROUNDS);
  const compared = (metric: string, of: (cost: Cost) => number): Comparison => ({
    metric,
    base: { name: "tool.invoke", rounds: base.map(of), again: again.map(of) },
    ours: { name: "contract call", rounds: ours.map(of) },
    goal: { kind: "atMost", ratio: 1.15 },
  });
  return [
    compared("p50, µs per call", (cost) => cost.p50Us),
    compared("CPU, µs per call", (cost) => cost.cpuUs),
  ];
}
