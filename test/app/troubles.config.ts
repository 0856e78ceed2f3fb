/** A good server's flows that are asked wrongly, or that have one side that is no good. */
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, python } from "../../harness/config.ts";
import { add, misbehaving } from "./flows.ts";

const legacy =
  () =>
  ({ n }: { n: number }) => ({ sum: n + 1 });
const shadowed = { legacy, stage: "shadow", shadow: { timeoutMs: 300 } } as const;

export default defineConfig({
  flows: {
    add: { legacy, candidate: add, input: add.input, stage: "shadow" },
    throws: { ...shadowed, candidate: misbehaving("throws") },
    hangs: { ...shadowed, candidate: misbehaving("hangs") },
    unloadable: {
      ...shadowed,
      candidate: async () => {
        throw new Error("no such flow file");
      },
    },
    big: {
      legacy: () => () => "small",
      candidate: flow("big", { version: "1", input: z.unknown(), output: z.unknown() })
        .step("big", { run: () => "x".repeat(100_000_000) })
        .returns(({ big }) => big) as never,
      stage: "shadow",
    },
    missing: { legacy: python("app.chain:chain", { interpreter: "/nowhere/bin/python" }) },
    broken: { legacy: python("app.chain:chain", { interpreter: "/bin/false" }) },
  },
});
