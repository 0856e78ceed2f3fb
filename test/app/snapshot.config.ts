/** Flows whose second side reads what the first did not, and snapshots that know of it or do not. */
import { connect } from "node:net";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, type FlowConfig } from "../../harness/config.ts";
import type { Snapshot } from "../../harness/snapshot.ts";
import { quote } from "./tools.ts";

type Asked = { n: number };

async function legacyQuotes({ n }: Asked) {
  return quote.invoke({ n });
}

/** Reads something else where it runs a second time. */
async function legacyMoody({ n }: Asked) {
  return quote.invoke({ n: process.env.TWINTRACK_ROLE === "shadow" ? n + 1 : n });
}

const schemas = { version: "1", input: z.object({ n: z.number() }), output: z.unknown() };

const quotesNext = flow("quotesNext", schemas)
  .step("price", {
    tool: "shop.quote",
    args: ({ input }) => ({ n: input.n + 1 }),
    output: z.unknown(),
  })
  .returns(({ price }) => price);

const shrugs = flow("shrugs", schemas)
  .step("price", {
    tool: "shop.quote",
    args: ({ input }) => ({ n: input.n + 1 }),
    output: z.unknown(),
    onError: "continue",
  })
  .returns(({ input }) => ({ cents: input.n * 100 }));

const charges = flow("charges", schemas)
  .step("paid", {
    tool: "shop.charge",
    args: ({ input }) => ({ cents: input.n }),
    output: z.unknown(),
    onError: "continue",
  })
  .returns(({ input, paid }) => paid ?? { cents: input.n * 100 });

const tells: Snapshot = (tool, args, at) => ({ tool, args, at: at.toISOString() });

function compared(candidate: FlowConfig["candidate"], snapshot: Snapshot): FlowConfig {
  return {
    legacy: () => legacyQuotes,
    ...(candidate && { candidate }),
    stage: "shadow",
    shadow: { reads: { snapshot }, timeoutMs: 500 },
  };
}

export default defineConfig({
  tools: { shop: { module: "./tools.ts", effects: { quote: "read" } } },
  flows: {
    told: compared(quotesNext as never, tells),
    writes: compared(charges as never, tells),
    unknown: compared(quotesNext as never, () => undefined),
    throws: compared(shrugs as never, () => {
      throw new RangeError("no such year");
    }),
    strays: compared(shrugs as never, async () => {
      connect(Number(process.env.STRAY_PORT), "127.0.0.1");
      return { cents: 1 };
    }),
    lossy: compared(shrugs as never, () => ({ cents: 1n }) as never),
    hangs: compared(quotesNext as never, () => new Promise(() => undefined)),
    moody: {
      ...compared(flow("moody", schemas).returns(() => null) as never, tells),
      legacy: () => legacyMoody,
      noise: { sample: 1 },
    },
  },
});
