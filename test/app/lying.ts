/** A tool that promises a number and returns a text, and takes texts for numbers. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";

export const tools = [
  tool(async ({ lines }) => ({ cents: String(lines.length) }), {
    name: "total",
    description: "The sum of the lines.",
    schema: z.object({ lines: z.array(z.coerce.number<number>()) }),
    metadata: { outputSchema: z.object({ cents: z.number() }) },
  }),
];
