/** Starts ahead the Python processes that a first trigger would wait for, which is seconds. */
import type { ResolvedConfig } from "./config.ts";
import { isPython, type Sides } from "./side.ts";
import type { StageBook } from "./stage.ts";

interface Warmed {
  config: ResolvedConfig;
  sides: Sides;
  stages: StageBook;
}

/** Never rejects: what does not start is told to the trigger that needs it, which tries again. */
export async function warmUp({ config, sides, stages }: Warmed): Promise<void> {
  const answering = Object.entries(config.flows).filter(([flow, { legacy }]) => {
    const { stage } = stages.of(flow);
    return legacy && isPython(legacy) && stage !== "cutover" && stage !== "retired";
  });
  const chains = answering.map(([flow]) => sides.legacy(flow).then((chain) => chain.prepare?.()));
  const usesPythonTools = Object.values(config.tools).some(isPython);
  const tools = usesPythonTools ? [sides.catalog().then((catalog) => catalog.entries())] : [];
  await Promise.allSettled([...chains, ...tools]);
}
