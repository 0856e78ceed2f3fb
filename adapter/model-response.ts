/** What a LangChain model answered, in the one form of `core/model.ts`, and back. */
import { isJsonObject, type JsonObject } from "../core/json.ts";
import type { ModelResponse, ModelUsage } from "../core/model.ts";
import type { CoreExports } from "./installed.ts";
import type { SeenModelCall } from "./model-interception.ts";
import { jsonOf, type MessageLike, toolCallsOf } from "./model-request.ts";

interface AnswerLike extends MessageLike {
  id?: unknown;
  usage_metadata?: unknown;
  response_metadata?: unknown;
  additional_kwargs?: unknown;
}

/** What a chat model answered; `output` is what the provider says of the call as a whole. */
export function modelResponse(message: unknown, output: unknown = {}): ModelResponse {
  if (typeof message === "string") return { content: message, toolCalls: [] };
  const like = (message ?? {}) as AnswerLike;
  const metadata = { ...fields(output), ...fields(like.response_metadata) };
  const extra = fields(like.additional_kwargs);
  const usage = usageOf(like.usage_metadata, metadata);
  const finishReason = reasonIn(metadata);
  return {
    content: jsonOf(like.content ?? ""),
    toolCalls: toolCallsOf(like.tool_calls),
    ...(usage && { usage }),
    ...(finishReason !== undefined && { finishReason }),
    ...(typeof like.id === "string" && { id: like.id }),
    ...(Object.keys(extra).length > 0 && { extra }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

function usageOf(given: unknown, metadata: JsonObject): ModelUsage | undefined {
  const counts = [
    fields(given),
    fields(metadata.tokenUsage),
    fields(metadata.token_usage),
    fields(metadata.usage),
  ];
  const count = (...names: string[]) =>
    counts.flatMap((usage) => names.map((name) => usage[name])).find((n) => typeof n === "number");
  const inputTokens = count("input_tokens", "promptTokens", "prompt_tokens") as number | undefined;
  const outputTokens = count("output_tokens", "completionTokens", "completion_tokens") as
    | number
    | undefined;
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  const totalTokens = count("total_tokens", "totalTokens") as number | undefined;
  return { inputTokens, outputTokens, totalTokens: totalTokens ?? inputTokens + outputTokens };
}

function reasonIn(metadata: JsonObject): string | undefined {
  const names = ["finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason"];
  return names.map((name) => metadata[name]).find((reason) => typeof reason === "string") as
    | string
    | undefined;
}

function fields(value: unknown): JsonObject {
  const converted = jsonOf(value ?? {});
  return isJsonObject(converted) ? converted : {};
}

interface Generation {
  text?: unknown;
  message?: unknown;
  generationInfo?: unknown;
}

interface Generated {
  generations?: readonly (Generation | readonly Generation[])[];
  llmOutput?: unknown;
}

/** The answer in what `_generate` gave; `whole` is false when it held more than one. */
export function responseIn(
  { kind }: Pick<SeenModelCall, "kind">,
  result: unknown,
): { response: ModelResponse; whole: boolean } {
  const { generations = [], llmOutput } = (result ?? {}) as Generated;
  if (kind === "text") return textResponse(generations as Generation[][], llmOutput);
  const [generation] = generations as Generation[];
  const output = { ...fields(llmOutput), ...fields(generation?.generationInfo) };
  return { response: modelResponse(generation?.message, output), whole: generations.length === 1 };
}

/** One text for one prompt; several prompts of one call give a list of texts. */
function textResponse(
  generations: readonly (readonly Generation[])[],
  llmOutput: unknown,
): { response: ModelResponse; whole: boolean } {
  const texts = generations.map(([first]) => String(first?.text ?? ""));
  const content = texts.length === 1 ? String(texts[0]) : texts;
  const response = modelResponse(
    { content },
    { ...fields(llmOutput), ...fields(generations[0]?.[0]?.generationInfo) },
  );
  return { response, whole: generations.every((list) => list.length === 1) };
}

/** The recorded answer, as `_generate` would have given it. */
export function generatedFrom({ kind, core }: SeenModelCall, response: ModelResponse): Generated {
  if (kind === "chat") {
    const message = messageFrom(core, "AIMessage", response);
    return { generations: [{ text: textOf(response), message }] };
  }
  const texts = Array.isArray(response.content) ? response.content : [response.content];
  return { generations: texts.map((text) => [{ text: String(text) }]) };
}

/** The recorded answer, as the one chunk of a stream. */
export function chunkFrom({ kind, core }: SeenModelCall, response: ModelResponse): unknown {
  const text = textOf(response);
  if (kind === "text") return made(core, "GenerationChunk", { text });
  const message = messageFrom(core, "AIMessageChunk", response);
  return made(core, "ChatGenerationChunk", { text, message });
}

export function textOf({ content }: ModelResponse): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block) => (isJsonObject(block) && block.type === "text" ? String(block.text) : ""))
    .join("");
}

function messageFrom(
  core: CoreExports,
  name: "AIMessage" | "AIMessageChunk",
  response: ModelResponse,
) {
  const { content, toolCalls, usage, id, extra = {}, metadata = {} } = structuredClone(response);
  const calls = toolCalls.map((call) => ({ ...call, type: "tool_call" }));
  const pieces = toolCalls.map(({ args, ...call }, index) => ({
    ...call,
    args: JSON.stringify(args),
    index,
    type: "tool_call_chunk",
  }));
  return made(core, name, {
    content,
    additional_kwargs: extra,
    response_metadata: metadata,
    ...(id === undefined ? {} : { id }),
    ...(name === "AIMessage" ? { tool_calls: calls } : { tool_call_chunks: pieces }),
    ...(usage && {
      usage_metadata: {
        input_tokens: usage.inputTokens,
        output_tokens: usage.outputTokens,
        total_tokens: usage.totalTokens,
      },
    }),
  });
}

/** An object of the same copy of core as the model, so that the chain cannot tell it apart. */
function made(core: CoreExports, name: string, given: object): unknown {
  const Made = core[name] as new (fields: object) => unknown;
  return new Made(given);
}
