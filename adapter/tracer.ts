/**
 * For a service that cannot be moved: a callback handler that tells Twintrack what the service did.
 *
 * `chain.invoke(input, { callbacks: [tracer] })`. The outermost chain that the tracer sees is a
 * trigger with its answer; the tools and models inside are its calls. Nothing here throws into the
 * service, waits for the network, or keeps more than its bounds.
 */
import { type Outcome, serializeError } from "../core/outcome.ts";
import { finished } from "./chunk.ts";
import { modelRequest } from "./model-request.ts";
import { modelResponse } from "./model-response.ts";
import type { ToolObject } from "./shape.ts";
import { type TapCounts, TapSender } from "./tap-sender.ts";
import { recordable, recordedArgs, recordedReturn, reportedError } from "./tool-record.ts";
import { asWitness, type ToolWitness, traceInstalledTools } from "./tool-tracing.ts";
import { TracedRun } from "./traced-run.ts";

export interface TracerOptions {
  /** The flow, as Twintrack's configuration names it; its `legacy` is `"tap"`. */
  flow: string;
  /** Where `twintrack serve` is, for example `http://127.0.0.1:4100`. */
  url: string;
  apiKey?: string;
  /** Only outermost chains with this run name are triggers. Default: all. */
  runName?: string;
  /** The flow's input in what the chain was called with. Default: all of it. */
  input?: (given: unknown) => unknown;
  /** Runs that wait for the server; more are given up. Default 1,000. */
  maxQueuedRuns?: number;
  /** Their size in all. Default 16 MiB. */
  maxQueuedBytes?: number;
  /** How long the end of the process waits for what is queued. Default 2,000. */
  exitMs?: number;
  /** The folder whose `@langchain/core` the service uses. Default: the working folder. */
  from?: string;
}

/** Runs that never end, for example of a stream that nobody read to its end, are forgotten. */
const MAX_OPEN_RUNS = 10_000;

/** Where a run of LangChain belongs. */
interface Place {
  root: TracedRun;
  /** The outermost tool around it. */
  tool?: string;
  /** Its answer may stand in a record of its own. */
  wraps?: boolean;
}

interface Named {
  id?: readonly string[];
  name?: string;
}

export class TwintrackTracer implements ToolWitness {
  readonly name = "twintrack_tracer";
  /** Called at once, not from a queue: what it is given may change afterwards. */
  readonly awaitHandlers = true;
  readonly raiseError = false;
  /** Resolves when tool calls are seen with their raw values; before, as texts. */
  readonly ready: Promise<void>;
  readonly #options: TracerOptions;
  readonly #sender: TapSender;
  readonly #places = new Map<string, Place>();
  readonly #open = new Map<string, TracedRun>();
  readonly #atExit: () => void;

  constructor(options: TracerOptions) {
    this.#options = options;
    const { url, flow, from = process.cwd(), exitMs = 2_000 } = options;
    const tap = `${url.replace(/\/+$/, "")}/tap/${encodeURIComponent(flow)}`;
    this.#sender = new TapSender({ ...options, url: tap });
    asWitness(this);
    this.ready = traceInstalledTools(from).catch(() => undefined);
    this.#atExit = () => void this.#sender.flush(exitMs);
    process.once("beforeExit", this.#atExit);
  }

  /** Runs sent, waiting, and given up with the cause. */
  get counts(): TapCounts {
    return this.#sender.counts;
  }

  /** Sends what is queued, within the limit; for a service that ends by a signal. */
  async close(limitMs = this.#options.exitMs ?? 2_000): Promise<void> {
    process.off("beforeExit", this.#atExit);
    await this.#sender.flush(limitMs);
  }

  handleChainStart(
    chain: Named,
    inputs: unknown,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    _metadata?: Record<string, unknown>,
    _runType?: string,
    runName?: string,
  ): void {
    this.#quietly(() => {
      const place = this.#placeOf(parentRunId);
      if (place) this.#put(runId, place);
      else this.#begin(chain, inputs, runId, runName);
    });
  }

  handleChainEnd(outputs: unknown, runId: string): void {
    this.#quietly(() => {
      const place = this.#places.get(runId);
      const { value, lossy } = recordable(place?.wraps ? unwrapped(outputs) : outputs);
      this.#finish(runId, { status: "returned", value: finished(value) }, lossy);
    });
  }

  handleChainError(error: unknown, runId: string): void {
    this.#quietly(() =>
      this.#finish(runId, { status: "threw", error: serializeError(error) }, false),
    );
  }

  handleToolStart(
    tool: Named,
    input: string,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    _metadata?: Record<string, unknown>,
    runName?: string,
  ): void {
    this.#quietly(() => {
      const place = this.#placeOf(parentRunId);
      if (!place) return;
      const name = tool.name ?? runName ?? tool.id?.at(-1) ?? "unknown";
      this.#put(runId, { ...place, tool: place.tool ?? name });
      const args = recordable(parsed(input)).value;
      if (place.tool === undefined) place.root.beginTool(runId, name, args);
    });
  }

  toolCalled(runId: string, tool: ToolObject, args: unknown): void {
    this.#quietly(() => {
      const place = this.#places.get(runId);
      place?.root.toolIs(runId, tool.name, recordedArgs({ tool, parsed: args, raw: args }));
    });
  }

  toolReturned(runId: string, raw: unknown): void {
    this.#quietly(() => {
      const { outcome, marks } = recordedReturn(raw);
      this.#places.get(runId)?.root.endTool(runId, outcome, marks);
    });
  }

  handleToolEnd(output: unknown, runId: string): void {
    this.#quietly(() => {
      const { content = output, name } = (output ?? {}) as { content?: unknown; name?: string };
      const value = typeof content === "string" ? parsed(content) : content;
      const outcome = reportedError(output) ?? {
        status: "returned" as const,
        value: recordable(value).value,
      };
      const root = this.#places.get(runId)?.root;
      if (name !== undefined) root?.toolIs(runId, name);
      root?.endTool(runId, outcome); // Does nothing when the raw value is known already.
    });
  }

  handleToolError(error: unknown, runId: string): void {
    this.#quietly(() => {
      const outcome = { status: "threw" as const, error: serializeError(error) };
      this.#places.get(runId)?.root.endTool(runId, outcome);
    });
  }

  handleChatModelStart(
    model: Named,
    messages: unknown[][],
    runId: string,
    parentRunId?: string,
    extra?: Record<string, unknown>,
    _tags?: string[],
    metadata?: Record<string, unknown>,
  ): void {
    this.#quietly(() =>
      this.#beginModel(model, messages[0] ?? [], runId, parentRunId, extra, metadata),
    );
  }

  handleLLMStart(
    model: Named,
    prompts: string[],
    runId: string,
    parentRunId?: string,
    extra?: Record<string, unknown>,
    _tags?: string[],
    metadata?: Record<string, unknown>,
  ): void {
    this.#quietly(() => this.#beginModel(model, prompts, runId, parentRunId, extra, metadata));
  }

  handleLLMEnd(output: { generations?: unknown[][]; llmOutput?: unknown }, runId: string): void {
    this.#quietly(() => {
      const [generation] = (output.generations?.[0] ?? []) as {
        message?: unknown;
        text?: string;
      }[];
      const answer = generation?.message ?? generation?.text ?? "";
      this.#places.get(runId)?.root.endModel(runId, modelResponse(answer, output.llmOutput));
    });
  }

  handleLLMError(error: unknown, runId: string): void {
    this.#quietly(() => this.#places.get(runId)?.root.failModel(runId, serializeError(error)));
  }

  #beginModel(
    model: Named,
    input: unknown[],
    runId: string,
    parentRunId: string | undefined,
    extra: Record<string, unknown> = {},
    metadata: Record<string, unknown> = {},
  ): void {
    const place = this.#placeOf(parentRunId);
    if (!place) return;
    this.#put(runId, place);
    const name = metadata.ls_model_name ?? model.id?.at(-1) ?? "unknown";
    const { invocation_params: params, options } = extra;
    place.root.beginModel(
      runId,
      modelRequest({ model: String(name), input, params, options }),
      place.tool,
    );
  }

  #placeOf(parentRunId: string | undefined): Place | undefined {
    return parentRunId === undefined ? undefined : this.#places.get(parentRunId);
  }

  #put(runId: string, place: Place): void {
    this.#places.set(runId, place);
    place.root.members.add(runId);
  }

  #begin(chain: Named, inputs: unknown, runId: string, runName: string | undefined): void {
    const { runName: wanted, input } = this.#options;
    if (wanted !== undefined && wanted !== (runName ?? chain.name)) return;
    const run = new TracedRun(runId, recordable(input ? input(inputs) : inputs).value);
    this.#open.set(runId, run);
    // Runnables wrap an answer that is no record as { output }; older chains have a field of that name.
    this.#put(runId, { root: run, wraps: chain.id?.includes("chains") !== true });
    const [oldest] = this.#open.keys();
    if (this.#open.size > MAX_OPEN_RUNS && oldest !== undefined) this.#forget(oldest);
  }

  #finish(runId: string, outcome: Outcome, lossy: boolean): void {
    const run = this.#open.get(runId);
    if (!run) return;
    this.#forget(runId);
    run.end(outcome, lossy);
    this.#sender.offer(run.told());
  }

  #forget(runId: string): void {
    const run = this.#open.get(runId);
    this.#open.delete(runId);
    for (const id of run?.members ?? []) this.#places.delete(id);
  }

  /** Whatever goes wrong in here is not the service's concern. */
  #quietly(work: () => void): void {
    try {
      work();
    } catch {
      // A value that cannot be told: its run is told without it, or not at all.
    }
  }
}

function unwrapped(outputs: unknown): unknown {
  const entries = Object.entries((outputs ?? {}) as object);
  const [[key, value] = []] = entries;
  const isWrapped = entries.length === 1 && key === "output";
  return isWrapped && (typeof value !== "object" || value === null || Array.isArray(value))
    ? value
    : outputs;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
