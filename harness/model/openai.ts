/**
 * A model behind OpenAI's chat completions, as OpenAI itself and most others speak it.
 * Source: https://platform.openai.com/docs/api-reference/chat
 */
import { messageOf, TwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../../core/json.ts";
import type { ModelMessage, ModelRequest, ModelResponse } from "../../core/model.ts";
import { secretOf } from "../secret.ts";
import { type ModelClient, structuredOutput, usageOf } from "./client.ts";

export interface OpenaiOptions {
  /** The provider's name for it. */
  model: string;
  /** Default `https://api.openai.com/v1`. */
  baseUrl?: string;
  /** Environment variable with the key, or, with `_FILE`, the file that holds it. Default `OPENAI_API_KEY`. */
  apiKeyVariable?: string;
  temperature?: number;
  topP?: number;
  maxTokens?: number;
  seed?: number;
  stop?: string[];
}

const DEFAULT_BASE_URL = "https://api.openai.com/v1";
const DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY";
/** How much of a refusal is worth repeating. */
const EXCERPT = 300;

const WIRE_NAMES: Record<string, string> = {
  temperature: "temperature",
  topP: "top_p",
  maxTokens: "max_tokens",
  seed: "seed",
  stop: "stop",
  responseFormat: "response_format",
};

export function openaiModel(options: OpenaiOptions): ModelClient {
  const { model, baseUrl = DEFAULT_BASE_URL, apiKeyVariable, ...given } = options;
  const url = `${baseUrl.replace(/\/$/, "")}/chat/completions`;
  const params = toJson(given).value as JsonObject;
  return {
    model,
    params,
    structured: structuredOutput,
    async ask(request, signal) {
      const key = secretOf(apiKeyVariable ?? DEFAULT_KEY_VARIABLE);
      const answer = await post(url, key, bodyOf(request), signal);
      return responseOf(url, answer);
    },
  };
}

function bodyOf({ model, messages, params }: ModelRequest): JsonObject {
  const named = Object.entries(params).map(([name, value]) => [WIRE_NAMES[name] ?? name, value]);
  return { ...Object.fromEntries(named), model, messages: messages.map(wireMessage) };
}

function wireMessage({ role, content, name, toolCalls, toolCallId }: ModelMessage): JsonObject {
  return {
    role,
    content,
    ...(name === undefined ? {} : { name }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(toolCalls === undefined ? {} : { tool_calls: toolCalls.map(wireCall) }),
  };
}

function wireCall({ id, name, args }: { id?: string; name: string; args: JsonValue }): JsonObject {
  const call = { name, arguments: JSON.stringify(args) };
  return { ...(id === undefined ? {} : { id }), type: "function", function: call };
}

async function post(
  url: string,
  key: string | undefined,
  body: JsonObject,
  signal: AbortSignal,
): Promise<string> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (key !== undefined) headers.authorization = `Bearer ${key}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw failed(`${url} cannot be reached: ${reasonOf(cause)}`, cause);
  }
  if (response.ok) return text;
  const hint =
    response.status === 401 ? `Set ${DEFAULT_KEY_VARIABLE}, or name another variable.` : undefined;
  throw failed(`${url} answered ${response.status}: ${text.slice(0, EXCERPT)}`, undefined, hint);
}

/** `fetch` hides what happened one level down. */
function reasonOf(thrown: unknown): string {
  const { cause } = thrown as { cause?: { code?: string } };
  return cause?.code ?? messageOf(cause ?? thrown);
}

function responseOf(url: string, text: string): ModelResponse {
  const body = parsed(text);
  const choice = isJsonObject(body) && Array.isArray(body.choices) ? body.choices[0] : undefined;
  const message = isJsonObject(choice) ? choice.message : undefined;
  if (!isJsonObject(body) || !isJsonObject(choice) || !isJsonObject(message)) {
    throw failed(`${url} did not answer with a completion: ${text.slice(0, EXCERPT)}`);
  }
  if (typeof message.refusal === "string") throw failed(`The model refused: ${message.refusal}`);
  const usage = isJsonObject(body.usage) ? body.usage : {};
  return {
    content: message.content ?? "",
    toolCalls: [],
    ...usageOf(usage.prompt_tokens, usage.completion_tokens),
    ...(typeof choice.finish_reason === "string" ? { finishReason: choice.finish_reason } : {}),
    ...(typeof body.id === "string" ? { id: body.id } : {}),
    // The version that answered; what was asked for may be a family.
    ...(typeof body.model === "string" ? { metadata: { model: body.model } } : {}),
  };
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

function failed(message: string, cause?: unknown, hint?: string): TwintrackError {
  return new TwintrackError("MODEL_FAILED", message, { cause, ...(hint ? { hint } : {}) });
}
