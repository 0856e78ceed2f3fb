/**
 * Any model of the Vercel AI SDK, as its provider packages make them (specification v2, v3 and v4):
 * `aiSdkModel(createOpenAICompatible({ … })("name"))`. Duck-typed: the SDK itself is not needed.
 * Source: https://github.com/vercel/ai/tree/main/packages/provider/src/language-model
 */
import { messageOf, TwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../../core/json.ts";
import type { ModelMessage, ModelRequest, ModelResponse } from "../../core/model.ts";
import type { ModelClient } from "./client.ts";

/** What is needed of a `LanguageModel`. */
export interface AiSdkLanguageModel {
  readonly modelId: string;
  readonly specificationVersion: string;
  doGenerate(options: never): PromiseLike<unknown>;
}

export interface AiSdkOptions {
  temperature?: number;
  topP?: number;
  maxTokens?: number;
  seed?: number;
  stop?: string[];
}

const SDK_NAMES: Record<string, string> = { maxTokens: "maxOutputTokens", stop: "stopSequences" };

export function aiSdkModel(model: AiSdkLanguageModel, options: AiSdkOptions = {}): ModelClient {
  return {
    model: model.modelId,
    params: toJson(options).value as JsonObject,
    // The form that requests of every provider have here, so that equal questions are found equal.
    structured: (schema) => ({
      responseFormat: { type: "json_schema", json_schema: { name: "answer", schema } },
    }),
    async ask(request, signal) {
      const call = { ...callOf(request), abortSignal: signal } as never;
      try {
        return responseOf(model, toJson(await model.doGenerate(call)).value);
      } catch (cause) {
        if (signal.aborted || cause instanceof TwintrackError) throw cause;
        throw failed(model, messageOf(cause), cause);
      }
    },
  };
}

function callOf({ messages, params }: ModelRequest): JsonObject {
  const { responseFormat, ...others } = params;
  const named = Object.entries(others).map(([name, value]) => [SDK_NAMES[name] ?? name, value]);
  return {
    ...Object.fromEntries(named),
    prompt: messages.map(sdkMessage),
    ...(isJsonObject(responseFormat) ? { responseFormat: sdkFormat(responseFormat) } : {}),
  };
}

function sdkFormat({ json_schema: given }: JsonObject): JsonObject {
  const { name = "answer", schema = {} } = isJsonObject(given) ? given : {};
  return { type: "json", name, schema };
}

/** A system message is a text; every other one is made of parts. */
function sdkMessage({ role, content, toolCalls = [], toolCallId, name }: ModelMessage): JsonObject {
  if (role === "system") return { role, content: textOf(content) };
  if (role === "tool") {
    const output = { type: "text", value: textOf(content) };
    const result = {
      type: "tool-result",
      toolCallId: toolCallId ?? "",
      toolName: name ?? "",
      output,
    };
    return { role, content: [result] };
  }
  const calls = toolCalls.map(({ id = "", name: toolName, args }) => {
    return { type: "tool-call", toolCallId: id, toolName, input: args };
  });
  return { role, content: [{ type: "text", text: textOf(content) }, ...calls] };
}

function textOf(content: JsonValue): string {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? content : [content];
  return parts
    .map((part) => (isJsonObject(part) && typeof part.text === "string" ? part.text : ""))
    .join("");
}

function responseOf(model: AiSdkLanguageModel, result: JsonValue): ModelResponse {
  if (!isJsonObject(result) || !Array.isArray(result.content))
    throw failed(model, "it answered without content");
  const texts = result.content.filter((part) => isJsonObject(part) && part.type === "text");
  const { finishReason, response } = result;
  const reason = isJsonObject(finishReason) ? finishReason.unified : finishReason;
  return {
    content: textOf(texts),
    toolCalls: [],
    ...usageIn(result.usage),
    ...(typeof reason === "string" ? { finishReason: reason } : {}),
    ...(isJsonObject(response) && typeof response.id === "string" ? { id: response.id } : {}),
    ...(isJsonObject(response) && typeof response.modelId === "string"
      ? { metadata: { model: response.modelId } }
      : {}),
  };
}

function usageIn(usage: JsonValue | undefined): Pick<ModelResponse, "usage"> {
  if (!isJsonObject(usage)) return {};
  const total = (tokens: JsonValue | undefined) =>
    Number(isJsonObject(tokens) ? tokens.total : tokens);
  const [inputTokens, outputTokens] = [total(usage.inputTokens), total(usage.outputTokens)];
  if (!Number.isFinite(inputTokens) || !Number.isFinite(outputTokens)) return {};
  return { usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
}

function failed(model: AiSdkLanguageModel, why: string, cause?: unknown): TwintrackError {
  return new TwintrackError("MODEL_FAILED", `Model ${model.modelId} failed: ${why}`, { cause });
}
