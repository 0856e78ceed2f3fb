import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { tool } from "@langchain/core/tools";
import { expect, test } from "vitest";
import { z } from "zod";
import { toolServer } from "../../adapter/in-process.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapMb(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

const add = tool(async ({ a }) => ({ sum: a + 1 }), {
  name: "add",
  description: "",
  schema: z.object({ a: z.number() }),
  metadata: { outputSchema: z.object({ sum: z.number() }) },
});

test("100,000 calls under a signal and a time limit leave nothing behind", async () => {
  const server = toolServer([add]);
  // One signal for all: what a call leaves on it would add up.
  const { signal } = new AbortController();
  const call = (a: number) => server.callTool("add", { a }, { signal, timeoutMs: 60_000 });
  for (let n = 0; n < 20_000; n++) await call(n);
  const beforeMb = heapMb();
  for (let n = 0; n < 80_000; n++) await call(n);

  expect((await call(1)).structuredContent).toEqual({ sum: 2 });
  expect(heapMb() - beforeMb).toBeLessThan(4);
});
