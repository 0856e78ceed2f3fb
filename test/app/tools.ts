/** Two real LangChain tools: one reads, one writes a line into a file that counts. */
import { appendFileSync } from "node:fs";
import { tool } from "@langchain/core/tools";
import { z } from "zod";

function count(line: object): void {
  const sink = process.env.TWINTRACK_SINK;
  if (sink)
    appendFileSync(
      sink,
      `${JSON.stringify({ ...line, role: process.env.TWINTRACK_ROLE ?? "live" })}\n`,
    );
}

export const quote = tool(async ({ n }) => ({ cents: n * 100 }), {
  name: "quote",
  description: "The price of n pieces.",
  schema: z.object({ n: z.number() }),
});

export const charge = tool(
  async ({ cents, currency }) => {
    count({ tool: "charge", cents });
    return { receipt: `R-${cents}-${currency}` };
  },
  {
    name: "charge",
    description: "Take money.",
    schema: z.object({ cents: z.number(), currency: z.string().default("EUR") }),
  },
);

export const tools = [quote, charge];

/** The legacy chain of `pay`. */
export async function payForPieces({ n }: { n: number }) {
  const { cents } = await quote.invoke({ n });
  return charge.invoke({ cents });
}
