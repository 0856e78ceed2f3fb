/** Streams a JavaScript runnable and adds its chunks up to what `invoke` would have given. */
import { joinChunks } from "./chunk.ts";

export interface Runnable {
  invoke(input: unknown, config: object): unknown;
  stream?(input: unknown, config: object): unknown;
}

export interface Steps {
  /** Runs a step in the context of the run. */
  step<T>(work: () => T): T;
  hand(chunk: unknown): Promise<void>;
}

type Mode = string;

/** LangGraph's compiled graph; an agent of `langchain` holds one. */
interface Graph {
  lg_is_pregel?: boolean;
  streamMode?: Mode | Mode[];
  outputChannels?: unknown;
}

export async function streamOf(
  runnable: Runnable,
  input: unknown,
  config: object,
  steps: Steps,
): Promise<unknown> {
  const graph = graphIn(runnable);
  if (graph) return graphStream(runnable, graph, input, config, steps);
  if (typeof runnable.stream === "function") {
    return joined(await runnable.stream(input, config), steps);
  }
  const returned = await runnable.invoke(input, config);
  if (isIterable(returned)) return joined(returned, steps);
  await steps.hand(returned);
  return returned;
}

function graphIn(runnable: Runnable): Graph | undefined {
  const candidates = [runnable, (runnable as { graph?: unknown }).graph] as (Graph | undefined)[];
  return candidates.find((graph) => graph?.lg_is_pregel === true);
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Each item is asked for in the run's context: that is where a generator's own code then runs. */
async function* stepped(stream: unknown, { step }: Steps): AsyncGenerator<unknown, void, void> {
  const items = step(() => (stream as AsyncIterable<unknown>)[Symbol.asyncIterator]());
  let ended = false;
  try {
    for (;;) {
      const item = await step(() => items.next());
      ended = item.done === true;
      if (ended) return;
      yield item.value;
    }
  } finally {
    if (!ended) await step(async () => items.return?.());
  }
}

async function joined(stream: unknown, steps: Steps): Promise<unknown> {
  let sum: unknown;
  for await (const chunk of stepped(stream, steps)) {
    sum = joinChunks(sum, chunk);
    await steps.hand(chunk);
  }
  return sum;
}

const INTERRUPT = "__interrupt__";

/** Chunks are those of the graph's own mode; the answer is the last state, as in the graph's `invoke`. */
async function graphStream(
  runnable: Runnable,
  { streamMode = "updates", outputChannels }: Graph,
  input: unknown,
  config: object,
  steps: Steps,
): Promise<unknown> {
  const shown = [streamMode].flat();
  const modes = [...new Set([...shown, "values"])];
  const outputKeys = outputChannels === undefined ? {} : { outputKeys: outputChannels };
  const stream = await runnable.stream?.(input, { ...config, ...outputKeys, streamMode: modes });
  let state: unknown;
  const interrupts: unknown[] = [];
  for await (const item of stepped(stream, steps)) {
    const [mode, chunk] = item as [Mode, unknown];
    const interrupt = (chunk as { [INTERRUPT]?: unknown } | null)?.[INTERRUPT];
    if (mode === "values" && interrupt !== undefined) interrupts.push(interrupt);
    else if (mode === "values") state = chunk;
    if (shown.includes(mode)) await steps.hand(shown.length === 1 ? chunk : item);
  }
  if (interrupts.length === 0) return state;
  return { ...(state as object | undefined), [INTERRUPT]: interrupts.flat(1) };
}
