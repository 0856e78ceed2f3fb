/** The trivial flow of the live benchmark: legacy waits as for a network, and adds one. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { flow } from "../../core/flow.ts";

const Waits = z.object({ n: z.number(), waitMs: z.number() });
type Waits = z.infer<typeof Waits>;

export async function waitingLegacy({ n, waitMs }: Waits): Promise<{ sum: number }> {
  if (waitMs > 0) await pause(waitMs);
  return { sum: n + 1 };
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
