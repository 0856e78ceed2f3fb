/**
 * The model calls of one chain run: recorded, and in recorded mode answered where the request is
 * one that the other side made too.
 */
import { TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import { type ModelCall, type ModelRequest, type ModelResponse, modelBook } from "../core/model.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import type { ChainTools } from "./chain.ts";
import type { ModelInterceptor, ModelObject, SeenModelCall } from "./model-interception.ts";
import { modelRequest } from "./model-request.ts";
import { chunkFrom, generatedFrom, modelResponse, responseIn, textOf } from "./model-response.ts";
import { rebuilt } from "./recorded-error.ts";

export interface ModelRecorder {
  interceptor: ModelInterceptor;
  /** The calls so far; one that has not ended is `timed_out`. */
  calls(): ModelCall[];
}

type Entry = Omit<ModelCall, "outcome"> & { outcome?: Outcome };

interface Surroundings {
  elapsedMs(): number;
  /** The tool whose code is running, if any. */
  insideTool(): string | undefined;
}

export function modelRecorder(
  tools: ChainTools,
  { elapsedMs, insideTool }: Surroundings,
): ModelRecorder {
  const entries: Entry[] = [];
  const book = tools.mode === "recorded" ? modelBook(tools.modelRecording ?? []) : undefined;
  const mayRun = tools.mode === "live" || tools.models !== "recorded";

  const begin = (call: SeenModelCall, streamed: boolean): Entry => {
    const tool = insideTool();
    const entry: Entry = {
      request: requestOf(call),
      ...(streamed && { streamed }),
      ...(tool === undefined ? {} : { insideTool: tool }),
      startedAtMs: elapsedMs(),
      durationMs: 0,
      served: "live",
    };
    entries.push(entry);
    return entry;
  };
  const end = (entry: Entry, outcome: Outcome) => {
    entry.outcome = outcome;
    entry.durationMs = elapsedMs() - entry.startedAtMs;
  };
  /** The recorded answer; undefined when the model may run. */
  const recordedFor = (entry: Entry): ModelResponse | undefined => {
    const recorded = book?.answer(entry.request);
    const outcome = recorded && !recorded.lossy ? recorded.outcome : undefined;
    if (outcome === undefined || outcome.status === "timed_out") {
      if (mayRun) return undefined;
      const error = unrecorded(entry.request);
      entry.served = "refused";
      end(entry, { status: "threw", error: serializeError(error) });
      throw error;
    }
    entry.served = "recorded";
    end(entry, outcome);
    if (outcome.status === "threw") throw rebuilt(outcome.error);
    return outcome.value as unknown as ModelResponse;
  };
  const failed = (entry: Entry, thrown: unknown) =>
    end(entry, { status: "threw", error: serializeError(thrown) });

  async function generate(call: SeenModelCall, proceed: () => Promise<unknown>): Promise<unknown> {
    const entry = begin(call, false);
    const recorded = recordedFor(entry);
    if (recorded) return generatedFrom(call, recorded);
    try {
      const result = await proceed();
      const { response, whole } = responseIn(call, result);
      if (!whole) entry.lossy = true;
      end(entry, returned(response));
      return result;
    } catch (thrown) {
      failed(entry, thrown);
      throw thrown;
    }
  }

  async function* stream(
    call: SeenModelCall,
    proceed: () => AsyncIterable<unknown>,
  ): AsyncGenerator<unknown, void, void> {
    const entry = begin(call, true);
    const recorded = recordedFor(entry);
    if (recorded) {
      const chunk = chunkFrom(call, recorded);
      await call.onToken?.(textOf(recorded));
      yield chunk;
      return;
    }
    yield* recordedStream(entry, proceed(), end);
  }

  return {
    interceptor: { generate, stream },
    calls: () => entries.map((entry) => settled(entry, elapsedMs())),
  };
}

/** Passes chunks on and keeps their sum; a reader that leaves early leaves an answer that is not whole. */
async function* recordedStream(
  entry: Entry,
  chunks: AsyncIterable<unknown>,
  end: (entry: Entry, outcome: Outcome) => void,
): AsyncGenerator<unknown, void, void> {
  let sum: GenerationChunk | undefined;
  let whole = false;
  try {
    for await (const chunk of chunks as AsyncIterable<GenerationChunk>) {
      sum = sum?.concat ? sum.concat(chunk) : chunk;
      yield chunk;
    }
    whole = true;
  } catch (thrown) {
    end(entry, { status: "threw", error: serializeError(thrown) });
    throw thrown;
  } finally {
    if (!entry.outcome) {
      if (!whole) entry.lossy = true;
      end(entry, returned(modelResponse(sum?.message ?? sum?.text, sum?.generationInfo)));
    }
  }
}

interface GenerationChunk {
  text?: string;
  message?: unknown;
  generationInfo?: unknown;
  concat?(other: GenerationChunk): GenerationChunk;
}

function returned(response: ModelResponse): Outcome {
  return { status: "returned", value: response as unknown as JsonValue };
}

function settled(entry: Entry, nowMs: number): ModelCall {
  if (entry.outcome) return { ...entry, outcome: entry.outcome };
  const waitedMs = nowMs - entry.startedAtMs;
  return { ...entry, outcome: { status: "timed_out", afterMs: waitedMs }, durationMs: waitedMs };
}

function requestOf({ model, input, options }: SeenModelCall): ModelRequest {
  return modelRequest({
    model: nameOf(model),
    input: Array.isArray(input) ? input : [input],
    params: paramsOf(model, options),
    options,
  });
}

function nameOf(model: ModelObject): string {
  const names = [model.model, model.modelName];
  const name = names.find((given) => typeof given === "string" && given !== "");
  return (name as string | undefined) ?? model.constructor.name;
}

function paramsOf(model: ModelObject, options: object): object {
  try {
    return model.invocationParams?.(options) ?? {};
  } catch {
    return {}; // The call itself will tell what is wrong with its options.
  }
}

function unrecorded({ model }: ModelRequest): TwintrackError {
  return new TwintrackError(
    "MODEL_UNRECORDED",
    `The model ${model} was not asked this by the other side`,
    { hint: 'Allow it with shadow: { models: "live" }.' },
  );
}
