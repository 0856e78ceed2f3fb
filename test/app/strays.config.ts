/** Flows whose compared side reaches the world past its tools. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, python } from "../../harness/config.ts";
import { STRAYS, type Stray } from "./strays.ts";

const schemas = { version: "1", input: z.object({ how: z.string() }), output: z.unknown() };
const done = () => ({ done: true });

const strayed = flow("strayed", schemas)
  .step("does", { run: ({ input }) => STRAYS[input.how as Stray]() as unknown })
  .returns(done);

const shrugs = flow("shrugs", schemas)
  .step("does", {
    run: async ({ input }) => {
      try {
        await STRAYS[input.how as Stray]();
      } catch {
        // As if nothing had happened.
      }
      return {};
    },
  })
  .returns(done);

const visit = tool(async () => STRAYS.fetch(), {
  name: "visit",
  description: "Reads something from far away.",
  schema: z.object({}),
});

const visits = flow("visits", schemas)
  .step("seen", { tool: "web.visit", args: () => ({}), output: z.unknown() })
  .returns(done);

/** Strays only where it runs a second time: the first run is to answer. */
async function strayingLegacy({ how }: { how: string }) {
  if (process.env.TWINTRACK_ROLE === "shadow") await STRAYS[how as Stray]();
  return done();
}

const bridgeTests = new URL("../../python-bridge/tests", import.meta.url).pathname;

export default defineConfig({
  tools: { web: { tools: [visit], effects: { visit: "read" } } },
  flows: {
    strayed: { legacy: () => done, candidate: strayed, stage: "shadow" },
    shrugs: { legacy: () => done, candidate: shrugs, stage: "shadow" },
    visits: {
      legacy: () => done,
      candidate: visits,
      stage: "shadow",
      shadow: { reads: "live" },
    },
    straysAgain: {
      legacy: () => strayingLegacy,
      candidate: flow("straysAgain", schemas).returns(done),
      stage: "shadow",
      noise: { sample: 1 },
    },
    inPython: {
      legacy: python("strays:by_environment", { cwd: bridgeTests }),
      candidate: flow("inPython", schemas).returns(() => "done"),
      stage: "shadow",
      noise: { sample: 1 },
    },
  },
});
