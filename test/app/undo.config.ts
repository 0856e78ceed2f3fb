/** A flow that writes three times, two of them with an undo, and a sink that counts. */
import { appendFileSync } from "node:fs";
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig } from "../../harness/config.ts";

function writing(name: string) {
  return tool(
    async ({ n }) => {
      if (name === "mail" && n === 77) throw new Error("no address");
      const line = { tool: name, n, role: process.env.TWINTRACK_ROLE ?? "live" };
      appendFileSync(process.env.TWINTRACK_SINK ?? "/dev/null", `${JSON.stringify(line)}\n`);
      return { ref: `${name}-${n}` };
    },
    { name, description: `Does ${name}.`, schema: z.object({ n: z.number() }) },
  );
}

const schemas = { version: "1", input: z.object({ n: z.number() }), output: z.unknown() };
const Ref = z.object({ ref: z.string() });
type Args = { n: number };

const order = flow("order", schemas)
  .step("reserved", {
    tool: "shop.reserve",
    args: ({ input }) => ({ n: input.n }),
    output: Ref,
    undo: async ({ args }, { call }) => call("shop.release", args),
  })
  .step("charged", {
    needs: ["reserved"],
    tool: "shop.charge",
    args: ({ input }) => ({ n: input.n }),
    output: Ref,
    undo: async ({ args, output }, { call }) => {
      const { n } = args as Args;
      if (output.ref !== `charge-${n}`) throw new Error(`not what was charged: ${output.ref}`);
      await call("shop.refund", { n });
      if (n === 13) throw new Error("the bank of ann@mail.example is closed");
      if (n === 99) process.exit(9);
    },
  })
  .step("told", {
    needs: ["charged"],
    tool: "shop.mail",
    args: ({ input }) => ({ n: input.n }),
    output: Ref,
  })
  .returns(({ charged }) => charged);

const tools = ["reserve", "charge", "mail", "release", "refund"].map(writing);

export default defineConfig({
  tools: { shop: { tools } },
  flows: { order: { legacy: () => async () => null, candidate: order as never, stage: "shadow" } },
});
