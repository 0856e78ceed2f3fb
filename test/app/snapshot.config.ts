/** Flows whose second side reads what the first did not, and snapshots that know of it or do not. */
import { connect } from "node:net";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, type FlowConfig, python } from "../../harness/config.ts";
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

const cwd = new URL("../../python-bridge/tests", import.meta.url).pathname;

/** Calls the same tool of Python as the legacy, with what the caller gave. */
function asks(tool: string) {
  return flow(`asks ${tool}`, schemas)
    .step("answer", {
      tool: `desk.${tool}`,
      args: ({ input }) => ({ n: input.n }),
      output: z.unknown(),
    })
    .returns(({ answer }) => answer);
}

/** A chain in Python after the cutover; it reads something else where it runs a second time. */
function reversed(attribute: string, tool: string, timeoutMs?: number): FlowConfig {
  return {
    legacy: python(`asking:${attribute}`, { cwd }),
    candidate: asks(tool) as never,
    stage: "cutover",
    shadow: { reads: { snapshot: byPieces }, ...(timeoutMs && { timeoutMs }) },
  };
}

const noYear: Snapshot = () => {
  throw new RangeError("no such year");
};

const strays: Snapshot = async () => {
  connect(Number(process.env.STRAY_PORT), "127.0.0.1");
  return { cents: 1 };
};

const lossy: Snapshot = () => ({ cents: 1n }) as never;

const hangs: Snapshot = () => new Promise(() => undefined);

/** By what it is asked for: an answer, none, or a failure. */
const byPieces: Snapshot = (tool, args, at) => {
  const of: Record<number, Snapshot> = {
    4: () => undefined,
    5: noYear,
    6: strays,
    7: lossy,
    8: hangs,
  };
  return (of[(args as Asked).n] ?? tells)(tool, args, at);
};

export default defineConfig({
  tools: {
    shop: { module: "./tools.ts", effects: { quote: "read" } },
    desk: { python: "asking:tools", cwd, effects: { price: "read", weight: "read" } },
  },
  flows: {
    noiseInPython: {
      ...compared(flow("noiseInPython", schemas).returns(() => null) as never, tells),
      legacy: python("asking:moody", { cwd }),
      shadow: { reads: { snapshot: tells } },
      noise: { sample: 1 },
    },
    inPython: reversed("moody", "price"),
    inPythonAsync: reversed("moody_async", "weight"),
    writesInPython: reversed("moody_payer", "pay"),
    hangsInPython: reversed("moody", "price", 3_000),
    told: compared(quotesNext as never, tells),
    writes: compared(charges as never, tells),
    unknown: compared(quotesNext as never, () => undefined),
    throws: compared(shrugs as never, noYear),
    strays: compared(shrugs as never, strays),
    lossy: compared(shrugs as never, lossy),
    hangs: compared(quotesNext as never, hangs),
    moody: {
      ...compared(flow("moody", schemas).returns(() => null) as never, tells),
      legacy: () => legacyMoody,
      noise: { sample: 1 },
    },
  },
});
