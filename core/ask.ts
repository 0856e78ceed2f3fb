/** One model call of a flow, recorded whatever came of it. */
import { TwintrackError } from "./error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import {
  contentText,
  type ModelCall,
  type ModelMessage,
  type ModelPort,
  type ModelQuestion,
  type ModelRequest,
} from "./model.ts";
import { serializeError } from "./outcome.ts";
import { jsonSchemaOf, type Schema } from "./schema.ts";

/** What a run lends to its model calls. */
export interface AskContext {
  models: ModelPort;
  modelCalls: ModelCall[];
  elapsedMs: () => number;
}

/** A text is one message of the user. */
export type Prompt = string | readonly ModelMessage[];

/** A step's prompt and the schema of its output as a question; a schema of texts asks for text. */
export function questionOf(prompt: Prompt, output: Schema | undefined): ModelQuestion {
  const messages = typeof prompt === "string" ? [{ role: "user", content: prompt }] : [...prompt];
  const schema = output && jsonSchemaOf(output);
  return schema && isStructured(schema) ? { messages, schema } : { messages };
}

function isStructured(schema: JsonObject): boolean {
  return Object.keys(schema).length > 0 && schema.type !== "string";
}

/**
 * Asks a model and records the call.
 *
 * @throws {TwintrackError} `OUTPUT_INVALID` when a structured answer is no JSON, or what the port throws.
 */
export async function askModel(
  context: AskContext,
  model: string,
  question: ModelQuestion,
  signal: AbortSignal,
): Promise<JsonValue> {
  const record = startRecord(context, context.models.requestOf(model, question));
  try {
    const { response, served } = await context.models.ask(model, record.request, signal);
    record.served = served;
    record.outcome = { status: "returned", value: response as unknown as JsonObject };
    const text = contentText(response.content);
    return question.schema ? parsed(text, model) : text;
  } catch (error) {
    if (record.outcome.status !== "returned") {
      record.outcome = { status: "threw", error: serializeError(error) };
      if ((error as { code?: unknown }).code === "MODEL_UNRECORDED") record.served = "refused";
    }
    throw error;
  } finally {
    record.durationMs = context.elapsedMs() - record.startedAtMs;
  }
}

function startRecord(context: AskContext, request: ModelRequest): ModelCall {
  const record: ModelCall = {
    request,
    outcome: { status: "timed_out", afterMs: 0 },
    startedAtMs: context.elapsedMs(),
    durationMs: 0,
    served: "live",
  };
  context.modelCalls.push(record);
  return record;
}

const FENCED = /```(?:json)?\s*\n([\s\S]*?)\n?```/;

/** Models that know no structured output put their JSON into a fence. */
function parsed(text: string, model: string): JsonValue {
  const candidates = [text, FENCED.exec(text)?.[1]].filter((one) => one !== undefined);
  for (const candidate of candidates) {
    try {
      return JSON.parse(candidate) as JsonValue;
    } catch {}
  }
  const start = text.slice(0, 100);
  throw new TwintrackError("OUTPUT_INVALID", `Model "${model}" answered no JSON: ${start}`);
}

/** A port without models, for flows that need none. */
export const noModels: ModelPort = {
  requestOf: (name) => {
    throw unknownModel(name, []);
  },
  ask: (name) => Promise.reject(unknownModel(name, [])),
};

export function unknownModel(name: string, known: readonly string[]): TwintrackError {
  return new TwintrackError("MODEL_UNKNOWN", `No model is called "${name}"`, {
    hint: `There are: ${known.join(", ") || "none"}. Add it to models in the configuration.`,
  });
}

/** What a history keeps of a question, to be told apart from another one later. */
export function askedFor(model: string, { messages, schema }: ModelQuestion): JsonValue {
  const kept = { model, messages: messages as unknown as JsonValue };
  return isJsonObject(schema) ? { ...kept, schema } : kept;
}
