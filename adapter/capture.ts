/**
 * A JavaScript LangChain implementation as a {@link LegacyChain}: a runnable, an agent, a compiled
 * graph, or a plain function that uses them. The user's code is not changed.
 */
import { TwintrackError } from "../core/error.ts";
import { type JsonValue, toJson } from "../core/json.ts";
import { rounded } from "../core/long-integer.ts";
import { sharingOf } from "../core/model.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import { runBatch } from "./batch.ts";
import type { ChainOptions, ChainRun, LegacyChain } from "./chain.ts";
import { finished } from "./chunk.ts";
import { isAnnounced, runIntercepted } from "./context.ts";
import { isExpiry, withinLimits } from "./deadline.ts";
import { type Hand, handedOver } from "./handover.ts";
import { interceptInstalled } from "./interception.ts";
import { recorder } from "./recorder.ts";
import { runnableConfig } from "./runnable-config.ts";
import { type Runnable, streamOf } from "./runnable-stream.ts";
import { unrecordedWatch, type Watch } from "./unrecorded.ts";

interface ChainSource {
  /** The folder whose `@langchain/core` the chain uses; default the working folder. */
  from?: string;
}

/**
 * @throws {TwintrackError} `CONFIG_INVALID` when `legacy` is neither a function nor has `invoke`.
 */
export function chain(legacy: unknown, { from = process.cwd() }: ChainSource = {}): LegacyChain {
  const runnable = runnableOf(legacy);
  const watchNext = unrecordedWatch();
  let intercepted: Promise<void> | undefined;
  const ready = () => (intercepted ??= interceptInstalled(from));
  // A shadow process refuses stray tool calls from the moment it knows that there is a chain.
  if (process.env.TWINTRACK_ROLE === "shadow") ready().catch(() => undefined);
  const invoke: LegacyChain["invoke"] = async (input, options) => {
    await ready();
    // A copy: a chain may change what it is given, and what is recorded stays as it came.
    return record(options, (config) => runnable.invoke(rounded(input), config), watchNext);
  };
  return {
    invoke,
    stream(input, options) {
      const make = async (hand: Hand<JsonValue>, signal: AbortSignal) => {
        await ready();
        const handOn = (chunk: unknown) => hand(toJson(chunk).value);
        const work: Work = (config, step) =>
          streamOf(runnable, rounded(input), config, { step, hand: handOn });
        return withWholeMessages(await record({ ...options, signal }, work, watchNext));
      };
      return handedOver(options.signal, make);
    },
    batch: (inputs, options) => runBatch(invoke, inputs, options),
    close: async () => undefined,
  };
}

function runnableOf(legacy: unknown): Runnable {
  if (typeof legacy === "function") return { invoke: legacy as Runnable["invoke"] };
  if (typeof (legacy as Partial<Runnable> | null)?.invoke === "function") return legacy as Runnable;
  throw new TwintrackError("CONFIG_INVALID", `legacy is ${describe(legacy)}, not a chain`, {
    hint: "Give a runnable, an agent, a compiled graph, or an async function.",
  });
}

/** Joined chunks are chunks themselves; `invoke` gives messages. */
function withWholeMessages(run: ChainRun): ChainRun {
  const { outcome } = run;
  if (outcome.status !== "returned") return run;
  return { ...run, outcome: { ...outcome, value: finished(outcome.value) } };
}

function describe(value: unknown): string {
  return typeof value === "object" ? "an object without invoke" : `of type ${typeof value}`;
}

/** Runs `work` in the run's context. A stream is pulled by others, so each of its steps goes through `step`. */
type Work = (config: object, step: <T>(work: () => T) => T) => unknown;

async function record(
  options: ChainOptions,
  work: Work,
  watchNext: () => Watch | undefined,
): Promise<ChainRun> {
  const run = recorder(options);
  const given = options.config ? runnableConfig(options.config) : {};
  const isRecorded = options.tools.mode === "recorded";
  const watch = isRecorded ? undefined : watchNext();
  const callbacks = isRecorded ? [strayToolGuard] : watch?.callbacks;
  const config = callbacks ? { ...given, callbacks } : given;
  const step = <T>(next: () => T) => runIntercepted(run.interceptor, next);
  const running = withinLimits("The chain", options, async (signal) =>
    step(() => work(signal ? { ...config, signal } : config, step)),
  );
  const { outcome, lossy } = await outcomeOf(running, options);
  const modelCalls = run.modelCalls();
  const models = sharingOf(modelCalls);
  const calls = run.calls();
  const memory = run.memoryReads();
  watch?.check({ calls, modelCalls });
  return {
    outcome,
    lossy,
    calls,
    modelCalls,
    ...(models && { models }),
    ...(memory.length > 0 && { memory }),
    durationMs: run.elapsedMs(),
  };
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
