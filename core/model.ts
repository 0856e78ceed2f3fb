/**
 * Model calls in one form, whoever the provider is and whichever language called it.
 *
 * Two requests that ask the same are equal here: ids that a provider drew are numbered in order of
 * appearance, and whether the answer was streamed is not part of the question.
 */
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import type { Outcome } from "./outcome.ts";

export interface ModelToolCall {
  id?: string;
  name: string;
  args: JsonValue;
}

export interface ModelMessage {
  /** `system`, `user`, `assistant`, `tool`, or a provider's own. */
  role: string;
  content: JsonValue;
  name?: string;
  toolCalls?: ModelToolCall[];
  toolCallId?: string;
}

export interface ModelTool {
  name: string;
  description?: string;
  parameters?: JsonValue;
  /** What the provider runs itself, as it was declared. */
  provider?: JsonValue;
}

export interface ModelRequest {
  model: string;
  messages: ModelMessage[];
  tools: ModelTool[];
  /** `temperature`, `maxTokens`, `stop`, `toolChoice` … under one name each. */
  params: JsonObject;
}

export interface ModelUsage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
}

export interface ModelResponse {
  content: JsonValue;
  toolCalls: ModelToolCall[];
  usage?: ModelUsage;
  finishReason?: string;
  id?: string;
  /** What the provider added, as LangChain keeps it; it stands in when the answer is replayed. */
  extra?: JsonObject;
  metadata?: JsonObject;
}

/** One model call of one run. Of several with equal requests the order tells which is which. */
export interface ModelCall {
  request: ModelRequest;
  /** `returned` holds a {@link ModelResponse}. */
  outcome: Outcome;
  /** The answer is not whole: its reader left, or it has no JSON form. It cannot stand in. */
  lossy?: boolean;
  streamed?: boolean;
  /** The tool whose own code made the call. */
  insideTool?: string;
  startedAtMs: number;
  durationMs: number;
  served: "live" | "recorded" | "refused";
}

/** `shared`: every model call of a run was answered from the other run's record. */
export type ModelSharing = "shared" | "independent";

export function modelKey(request: ModelRequest): string {
  return canonicalText(request as unknown as JsonObject);
}

export interface ModelBook {
  /** The next recorded call with an equal request; each is given out once. */
  answer(request: ModelRequest): ModelCall | undefined;
}

export function modelBook(recording: readonly ModelCall[]): ModelBook {
  const waiting = Map.groupBy(recording, ({ request }) => modelKey(request));
  return { answer: (request) => waiting.get(modelKey(request))?.shift() };
}

/** Undefined for a run without model calls. */
export function sharingOf(calls: readonly ModelCall[]): ModelSharing | undefined {
  if (calls.length === 0) return undefined;
  return calls.every(({ served }) => served === "recorded") ? "shared" : "independent";
}

/** A model as it was asked for, and the version of it that answered. */
export interface ModelVersion {
  asked: string;
  /** As the provider names it; where it does not, the name that was asked for. */
  answered: string;
}

/** Under which names providers, and LangChain for them, tell what answered. */
const VERSION_FIELDS = ["model", "model_name", "modelId", "model_id", "model_version"];

/** Of the calls that were answered, each version once, in the order of their first answers. */
export function versionsOf(calls: readonly ModelCall[]): ModelVersion[] {
  const versions = new Map<string, ModelVersion>();
  for (const { request, outcome } of calls) {
    if (outcome.status !== "returned") continue;
    const version = { asked: request.model, answered: answeredBy(outcome.value) ?? request.model };
    versions.set(JSON.stringify(version), version);
  }
  return [...versions.values()];
}

function answeredBy(response: JsonValue): string | undefined {
  const metadata = isJsonObject(response) ? response.metadata : undefined;
  if (!isJsonObject(metadata)) return undefined;
  const told = VERSION_FIELDS.map((field) => metadata[field]);
  return told.find((name): name is string => typeof name === "string" && name !== "");
}

/** What a step asks; the port adds which model answers, and with which parameters. */
export interface ModelQuestion {
  messages: ModelMessage[];
  /** JSON Schema of the answer, for a structured one; absent for text. */
  schema?: JsonObject;
}

export interface ModelAnswer {
  response: ModelResponse;
  served: "live" | "recorded";
}

/** The port through which a flow asks models, by the names that the flow gives them. */
export interface ModelPort {
  /**
   * The request as it would go out: what is recorded, and what another run's record is searched for.
   *
   * @throws {TwintrackError} `MODEL_UNKNOWN` listing the models there are.
   */
  requestOf(name: string, question: ModelQuestion): ModelRequest;
  /** @throws {TwintrackError} `MODEL_FAILED`, `MODEL_UNRECORDED`, `TIMEOUT`. */
  ask(name: string, request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>;
}

/** All text of a message or an answer; blocks of other kinds have none. */
export function contentText(content: JsonValue): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block) => (isJsonObject(block) && typeof block.text === "string" ? block.text : ""))
    .join("");
}
