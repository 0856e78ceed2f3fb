/** Many inputs through one chain, a few at a time. */
import type { JsonValue } from "../core/json.ts";
import { serializeError } from "../core/outcome.ts";
import type { BatchOptions, ChainOptions, ChainRun } from "./chain.ts";

const DEFAULT_CONCURRENCY = 8;

/** One run per input, in their order. A run that fails, or could not be made, is an outcome of its own. */
export async function runBatch(
  invoke: (input: JsonValue, options: ChainOptions) => Promise<ChainRun>,
  inputs: readonly JsonValue[],
  { maxConcurrency = DEFAULT_CONCURRENCY, ...options }: BatchOptions,
): Promise<ChainRun[]> {
  const runs: ChainRun[] = [];
  const waiting = inputs.entries();
  const worker = async () => {
    for (const [index, input] of waiting) {
      runs[index] = await invoke(input, options).catch(notMade);
    }
  };
  const workers = Math.min(Math.max(1, maxConcurrency), inputs.length);
  await Promise.all(Array.from({ length: workers }, worker));
  return runs;
}

function notMade(thrown: unknown): ChainRun {
  const outcome = { status: "threw" as const, error: serializeError(thrown) };
  return { outcome, lossy: false, calls: [], modelCalls: [], durationMs: 0 };
}
