/**
 * A JavaScript LangChain implementation as a {@link LegacyChain}: a runnable, an agent, a compiled
 * graph, or a plain function that uses them. The user's code is not changed.
 */
import { TwintrackError } from "../core/error.ts";
import { type JsonValue, toJson } from "../core/json.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import type { ChainOptions, ChainRun, LegacyChain } from "./chain.ts";
import { isExpiry, withinLimits } from "./deadline.ts";
import { interceptInstalled, isAnnounced, runIntercepted } from "./interception.ts";
import { recorder } from "./recorder.ts";

interface Runnable {
  invoke(input: unknown, config?: object): unknown;
}

interface ChainSource {
  /** The folder whose `@langchain/core` the chain uses; default the working folder. */
  from?: string;
}

/**
 * @throws {TwintrackError} `CONFIG_INVALID` when `legacy` is neither a function nor has `invoke`.
 */
export function chain(legacy: unknown, { from = process.cwd() }: ChainSource = {}): LegacyChain {
  const call = callable(legacy);
  let intercepted: Promise<void> | undefined;
  const ready = () => (intercepted ??= interceptInstalled(from));
  // A shadow process refuses stray tool calls from the moment it knows that there is a chain.
  if (process.env.TWINTRACK_ROLE === "shadow") ready().catch(() => undefined);
  return {
    async invoke(input, options) {
      await ready();
      return record(call, input, options);
    },
    close: async () => undefined,
  };
}

type Call = (input: unknown, config: object) => unknown;

function callable(legacy: unknown): Call {
  if (typeof legacy === "function") return legacy as Call;
  const { invoke } = (legacy ?? {}) as Partial<Runnable>;
  if (typeof invoke === "function") return (input, config) => invoke.call(legacy, input, config);
  throw new TwintrackError("CONFIG_INVALID", `legacy is ${describe(legacy)}, not a chain`, {
    hint: "Give a runnable, an agent, a compiled graph, or an async function.",
  });
}

function describe(value: unknown): string {
  return typeof value === "object" ? "an object without invoke" : `of type ${typeof value}`;
}

async function record(call: Call, input: JsonValue, options: ChainOptions): Promise<ChainRun> {
  const run = recorder(options);
  const guard = options.tools.mode === "recorded" ? { callbacks: [strayToolGuard] } : {};
  const work = async (signal?: AbortSignal) => {
    const config = signal ? { ...guard, signal } : guard;
    return runIntercepted(run.intercept, () => call(structuredClone(input), config));
  };
  const { outcome, lossy } = await outcomeOf(withinLimits("The chain", options, work), options);
  return { outcome, lossy, calls: run.calls(), durationMs: run.elapsedMs() };
}

async function outcomeOf(
  running: Promise<unknown>,
  { timeoutMs = 0 }: ChainOptions,
): Promise<{ outcome: Outcome; lossy: boolean }> {
  try {
    const { value, lossy } = toJson(await running);
    return { outcome: { status: "returned", value }, lossy };
  } catch (thrown) {
    const outcome: Outcome = isExpiry(thrown)
      ? { status: "timed_out", afterMs: timeoutMs }
      : { status: "threw", error: serializeError(thrown) };
    return { outcome, lossy: false };
  }
}

/**
 * The second belt of a recorded run. A tool from a copy of LangChain that could not be found is
 * not patched, but it announces itself to callbacks before it runs, and stops when one throws.
 */
const strayToolGuard = {
  awaitHandlers: true,
  raiseError: true,
  handleToolStart() {
    if (isAnnounced()) return;
    throw new TwintrackError(
      "EFFECT_REFUSED",
      "A tool of a copy of @langchain/core that is not intercepted was called; it was not executed",
      { hint: "Run npm dedupe, so that chain and tools share one @langchain/core." },
    );
  },
};
