/** A flow whose two sides differ now and then, judged by the rules in TWINTRACK_TEST_RULES. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { flow } from "../../core/index.ts";
import { defineConfig, type FlowConfig } from "../../harness/config.ts";
import { charge } from "./tools.ts";

async function legacy({ n }: { n: number }) {
  if (n % 7 === 0) throw new RangeError(`${n} is out of range`);
  const { receipt } = (await charge.invoke({ cents: n })) as { receipt: string };
  return { n, receipt, tags: ["a", "b"], rounded: n / 3 };
}

const candidate = flow("drifting", {
  version: "1",
  input: z.object({ n: z.number() }),
  output: z.unknown(),
})
  .step("charged", {
    tool: "shop.charge",
    args: ({ input }) => ({ cents: input.n % 5 === 0 ? input.n + 1 : input.n }),
    output: z.object({ receipt: z.string() }),
    onError: { compensate: () => ({ receipt: "none" }) },
  })
  .step("checked", {
    run: ({ input }) => {
      if (input.n % 14 === 0) throw new TypeError(`${input.n} is not allowed`);
      return true;
    },
  })
  .returns(({ input, charged }) => ({
    n: input.n,
    receipt: charged.receipt,
    tags: input.n % 2 === 0 ? ["b", "a"] : ["a", "b"],
    rounded: Math.round((input.n / 3) * 100) / 100,
  }));

const rules: unknown[] = JSON.parse(process.env.TWINTRACK_TEST_RULES ?? "[]");

export default defineConfig({
  tools: { shop: { module: fileURLToPath(new URL("tools.ts", import.meta.url)) } },
  flows: {
    drifting: {
      legacy: () => legacy,
      candidate,
      stage: "shadow",
      noise: { sample: 1 },
      compare: { rules },
    } satisfies FlowConfig,
  },
});
