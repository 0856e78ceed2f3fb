/** Python's LangChain chains, through `python-bridge` in the user's own interpreter. */
import type { TwintrackError } from "../core/error.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";
import { exact } from "../core/long-integer.ts";
import { sharingOf } from "../core/model.ts";
import { runBatch } from "./batch.ts";
import type { AnswerRead, ChainOptions, ChainRun, ChainTools, LegacyChain } from "./chain.ts";
import { type Hand, handedOver } from "./handover.ts";
import { targetsOf } from "./python.ts";
import type { RequestOptions } from "./rpc.ts";
import { type PythonOptions, PythonWorkers } from "./workers.ts";

/**
 * The chain behind `target`: a runnable, an agent, a compiled graph, or a function.
 *
 * Recorded runs have a process of their own with the role `shadow`, which refuses to run a chain
 * with live tools, and refuses a tool call that cannot be traced to a run.
 */
export function pythonChain(options: PythonOptions): LegacyChain {
  const args = ["--chain", ...targetsOf(options)];
  const live = new PythonWorkers({ ...options, args });
  const shadow = new PythonWorkers({ ...options, args, role: "shadow" });
  const run = (input: JsonValue, given: ChainOptions, hand?: Hand<JsonValue>) => {
    const { tools, effects, config } = given;
    const onRead = answererOf(tools);
    const params = {
      input: exact(input) as JsonValue,
      tools: { ...tools, ...(onRead && { reads: "asked" }) } as unknown as JsonObject,
      effects,
      ...(config && { config: exact(config) as JsonValue }),
    };
    const hooks = { onChunk: hand, onRead };
    return runChain(tools.mode === "live" ? live : shadow, params, given, hooks);
  };
  const invoke: LegacyChain["invoke"] = (input, given) => run(input, given);
  return {
    prepare: () => live.ready({ what: "the chain", timeoutMs: live.callTimeoutMs }),
    invoke,
    stream: (input, given) =>
      handedOver<JsonValue, ChainRun>(given.signal, (hand, signal) =>
        run(input, { ...given, signal }, hand),
      ),
    batch: (inputs, given) => runBatch(invoke, inputs, given),
    close: async () => {
      await Promise.all([live.close(), shadow.close()]);
    },
  };
}

/** The function that answers unrecorded reads: the process asks it over the pipe. */
function answererOf(tools: ChainTools): AnswerRead | undefined {
  return tools.mode === "recorded" && typeof tools.reads === "function" ? tools.reads : undefined;
}

async function runChain(
  python: PythonWorkers,
  params: JsonObject,
  { signal, timeoutMs = python.callTimeoutMs }: ChainOptions,
  hooks: Pick<RequestOptions, "onChunk" | "onRead">,
): Promise<ChainRun> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  const limits = { what: "the chain", ...(signal ? { signal } : {}) };
  try {
    await python.ready({ ...limits, timeoutMs });
    // The bridge keeps the deadline itself, and then still knows the calls that were made.
    const result = await python.request(
      hooks.onChunk ? "twintrack/chain/stream" : "twintrack/chain/invoke",
      { ...params, timeoutMs: Math.max(1, timeoutMs - elapsed()) },
      { ...limits, ...hooks, timeoutMs: timeoutMs + python.graceMs, elapsedMs: elapsed() },
    );
    const run = result as unknown as ChainRun;
    const { outcome, lossy, calls, modelCalls = [], memory, durationMs } = run;
    if (outcome.status === "timed_out")
      return { ...timedOut(timeoutMs, elapsed()), calls, modelCalls, ...(memory && { memory }) };
    const models = sharingOf(modelCalls);
    const beside = { ...(models && { models }), ...(memory && { memory }) };
    return { outcome, lossy, calls, modelCalls, ...beside, durationMs };
  } catch (error) {
    if ((error as TwintrackError).code !== "TIMEOUT") throw error;
    return timedOut(timeoutMs, elapsed());
  }
}

function timedOut(afterMs: number, durationMs: number): ChainRun {
  const outcome = { status: "timed_out" as const, afterMs };
  return { outcome, lossy: false, calls: [], modelCalls: [], durationMs };
}
