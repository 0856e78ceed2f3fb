/** The trivial flow of the live benchmark: legacy waits as for a network, and adds one. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Side } from "../../core/trigger.ts";

const Waits = z.object({ n: z.number(), waitMs: z.number() });
type Waits = z.infer<typeof Waits>;

export async function waitingLegacy({ n, waitMs }: Waits): Promise<{ sum: number }> {
  if (waitMs > 0) await pause(waitMs);
  return { sum: n + 1 };
}

/** What every request of the trivial flow sends, unless a benchmark wants more. */
export const waitingBodies = (waitMs: number): string[] =>
  Array.from({ length: 50 }, (_, n) => JSON.stringify({ input: { n, waitMs } }));

/** An answer of 1 MB; the sides differ in one of its values. */
export function largeAnswer(side: Side): JsonObject {
  const lines = Array.from({ length: 12_000 }, (_, n) => ({
    sku: `SKU-${n}`,
    quantity: n % 7,
    note: `as ordered, in box ${n * 31}`,
    paid: n % 3 === 0,
  }));
  return { side, lines };
}

/** Candidates that are slow, throw, or never end: the answer must not notice. */
export function badFlow(name: string, does: () => unknown) {
  return flow(name, { version: "1", input: Waits, output: z.unknown() })
    .step("does", { run: does })
    .returns(({ does: done }) => done);
}

/** The candidate does not wait: what it costs is not to be hidden behind a timer. */
export const waitingFlow = flow("waits", {
  version: "1",
  input: Waits,
  output: z.object({ sum: z.number() }),
})
  .step("sum", { run: ({ input }) => input.n + 1, output: z.number() })
  .returns(({ sum }) => ({ sum }));
