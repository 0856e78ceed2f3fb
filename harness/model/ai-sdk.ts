/**
 * Any model of the Vercel AI SDK, as its provider packages make them (specification v2, v3 and v4):
 * `aiSdkModel(createOpenAICompatible({ … })("name"))`. Duck-typed: the SDK itself is not needed.
 * Source: https://github.com/vercel/ai/tree/main/packages/provider/src/language-model
 */
import { messageOf, TwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../../core/json.ts";
import {
  contentText,
  type ModelMessage,
  type ModelRequest,
  type ModelResponse,
} from "../../core/model.ts";
import { type ModelClient, structuredOutput, usageOf } from "./client.ts";

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
    structured: structuredOutput,
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
  if (role === "system") return { role, content: contentText(content) };
  if (role === "tool") {
    const output = { type: "text", value: contentText(content) };
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
  return { role, content: [{ type: "text", text: contentText(content) }, ...calls] };
}

function responseOf(model: AiSdkLanguageModel, result: JsonValue): ModelResponse {
  if (!isJsonObject(result) || !Array.isArray(result.content))
    throw failed(model, "it answered without content");
  const texts = result.content.filter((part) => isJsonObject(part) && part.type === "text");
  const { finishReason, response } = result;
  const usage = isJsonObject(result.usage) ? result.usage : {};
  const reason = isJsonObject(finishReason) ? finishReason.unified : finishReason;
  return {
    content: contentText(texts),
    toolCalls: [],
    ...usageOf(total(usage.inputTokens), total(usage.outputTokens)),
    ...(typeof reason === "string" ? { finishReason: reason } : {}),
    ...(isJsonObject(response) && typeof response.id === "string" ? { id: response.id } : {}),
    ...(isJsonObject(response) && typeof response.modelId === "string"
      ? { metadata: { model: response.modelId } }
      : {}),
  };
}

/** A number, or from specification v3 on what it is made of. */
function total(tokens: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(tokens) ? tokens.total : tokens;
}

function failed(model: AiSdkLanguageModel, why: string, cause?: unknown): TwintrackError {
  return new TwintrackError("MODEL_FAILED", `Model ${model.modelId} failed: ${why}`, { cause });
}
