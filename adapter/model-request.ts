/**
 * What a LangChain model is asked, in the one form of `core/model.ts`.
 *
 * Works on anything that looks like LangChain's messages and provider parameters, from any copy of
 * it. `python-bridge` has the same rules; both read `fixtures/vectors/model.json`.
 */
import { isJsonObject, type JsonObject, type JsonValue, setOwn, toJson } from "../core/json.ts";
import type { ModelMessage, ModelRequest, ModelTool, ModelToolCall } from "../core/model.ts";
import type { ToolObject } from "./shape.ts";
import { contractOfKnown } from "./tool-record.ts";

/** A request as LangChain holds it. */
export interface RawRequest {
  /** Used when the parameters name no model. */
  model: string;
  /** Messages; or prompts of a text model. */
  input: readonly unknown[];
  /** Of the provider: what goes over the wire. */
  params: unknown;
  /** Of the call: what the chain bound to the model. */
  options: unknown;
}

export function modelRequest({ model, input, params, options }: RawRequest): ModelRequest {
  const ids = callIds();
  const all = { ...known(options), ...asked(params) };
  const { tools, rest } = split(all);
  return {
    model: modelName(all) ?? model,
    messages: input.map((message) => messageOf(message, ids)),
    tools,
    params: rest,
  };
}

/** Providers draw the ids of calls at random; in order of appearance two equal requests agree. */
type CallIds = (id: unknown) => string;

function callIds(): CallIds {
  const numbers = new Map<unknown, string>();
  return (id) => {
    const number = numbers.get(id) ?? `call_${numbers.size}`;
    numbers.set(id, number);
    return number;
  };
}

export interface MessageLike {
  content?: unknown;
  name?: unknown;
  role?: unknown;
  type?: unknown;
  tool_calls?: unknown;
  tool_call_id?: unknown;
  getType?(): string;
  _getType?(): string;
}

const ROLES: Record<string, string> = { human: "user", ai: "assistant" };

function messageOf(message: unknown, ids: CallIds): ModelMessage {
  if (typeof message === "string") return { role: "user", content: message };
  const like = (message ?? {}) as MessageLike;
  const type = like.getType?.() ?? like._getType?.() ?? String(like.type ?? like.role ?? "user");
  const calls = toolCallsOf(like.tool_calls);
  return {
    role: type === "generic" ? String(like.role) : (ROLES[type] ?? type),
    content: contentOf(like.content, calls.length > 0),
    ...(typeof like.name === "string" && like.name !== "" ? { name: like.name } : {}),
    ...(calls.length > 0
      ? { toolCalls: calls.map(({ id, ...call }) => ({ id: ids(id), ...call })) }
      : {}),
    ...(typeof like.tool_call_id === "string" ? { toolCallId: ids(like.tool_call_id) } : {}),
  };
}

export function toolCallsOf(calls: unknown): ModelToolCall[] {
  if (!Array.isArray(calls)) return [];
  return (calls as { id?: unknown; name?: unknown; args?: unknown }[]).map(
    ({ id, name, args }) => ({
      ...(typeof id === "string" ? { id } : {}),
      name: String(name),
      args: jsonOf(args ?? {}),
    }),
  );
}

/** Calls stand beside the content; providers that repeat them inside would make two forms of one message. */
const CALL_BLOCKS = new Set(["tool_use", "tool_call", "function_call", "functionCall"]);

function contentOf(content: unknown, hasCalls: boolean): JsonValue {
  const value = jsonOf(content ?? "");
  if (!Array.isArray(value)) return value;
  const blocks = value
    .filter((block) => !hasCalls || !isJsonObject(block) || !CALL_BLOCKS.has(String(block.type)))
    .map((block) =>
      isJsonObject(block) && block.type === "text" && typeof block.text === "string"
        ? { type: "text", text: block.text }
        : block,
    );
  const [first] = blocks;
  if (blocks.length === 0) return "";
  return blocks.length === 1 && isJsonObject(first) && first.type === "text"
    ? (first.text as string)
    : blocks;
}

/** Names under which providers know one parameter. */
const PARAMETERS: Record<string, string> = {
  temperature: "temperature",
  top_p: "topP",
  topP: "topP",
  top_k: "topK",
  topK: "topK",
  max_tokens: "maxTokens",
  maxTokens: "maxTokens",
  max_completion_tokens: "maxTokens",
  max_output_tokens: "maxTokens",
  maxOutputTokens: "maxTokens",
  num_predict: "maxTokens",
  numPredict: "maxTokens",
  stop: "stop",
  stop_sequences: "stop",
  stopSequences: "stop",
  seed: "seed",
  frequency_penalty: "frequencyPenalty",
  frequencyPenalty: "frequencyPenalty",
  presence_penalty: "presencePenalty",
  presencePenalty: "presencePenalty",
  tool_choice: "toolChoice",
  toolChoice: "toolChoice",
  tool_config: "toolChoice",
  toolConfig: "toolChoice",
  function_call: "toolChoice",
  response_format: "responseFormat",
  responseFormat: "responseFormat",
  format: "responseFormat",
};

const MODEL_NAMES = ["model", "model_name", "modelName", "model_id", "modelId", "deployment_name"];
const TOOL_LISTS = ["tools", "functions"];

/** How the call travels, and who made it, is not what is asked. */
const NOT_ASKED =
  /^(_.*|ls_.*|stream.*|signal|timeout.*|callbacks|tags|metadata|user|batch_size|promptIndex|cache|verbose|max_?retries|request_timeout|n_ctx)$/i;
const SECRET = /api_?key|secret|authorization|headers|password|credential|access_?token/i;

/** Of the call's options only what is known to be a parameter: the rest is LangChain's own business. */
function known(options: unknown): JsonObject {
  return chosen(options, (name) => name in PARAMETERS || TOOL_LISTS.includes(name));
}

function asked(params: unknown): JsonObject {
  return chosen(params, (name) => !NOT_ASKED.test(name) && !SECRET.test(name));
}

function chosen(given: unknown, wanted: (name: string) => boolean): JsonObject {
  const object: JsonObject = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined || value === null || !wanted(name)) continue;
    const json = TOOL_LISTS.includes(name) && Array.isArray(value) ? value.map(plainTool) : value;
    setOwn(object, name, jsonOf(json));
  }
  return object;
}

/** A LangChain tool among the options, as its contract: its own fields are code. */
function plainTool(tool: unknown): unknown {
  const { name, invoke } = (tool ?? {}) as { name?: unknown; invoke?: unknown };
  if (typeof name !== "string" || typeof invoke !== "function") return tool;
  const contract = contractOfKnown(tool as ToolObject);
  if (!contract) return { name }; // The model's package will say what it thinks of that.
  return { name, description: contract.description, parameters: contract.inputSchema };
}

function modelName(params: JsonObject): string | undefined {
  const name = MODEL_NAMES.map((key) => params[key]).find((value) => typeof value === "string");
  return name === "" ? undefined : (name as string | undefined);
}

function split(params: JsonObject): { tools: ModelTool[]; rest: JsonObject } {
  const tools: ModelTool[] = [];
  const rest: JsonObject = {};
  for (const [name, value] of Object.entries(params)) {
    if (MODEL_NAMES.includes(name)) continue;
    if (TOOL_LISTS.includes(name)) tools.push(...toolsOf(value));
    else if (name in PARAMETERS) rest[PARAMETERS[name] as string] = value;
    else setOwn(rest, name, value);
  }
  if (rest.stop !== undefined) rest.stop = [rest.stop].flat();
  if (Array.isArray(rest.stop) && rest.stop.length === 0) delete rest.stop;
  return { tools, rest };
}

function toolsOf(tools: JsonValue): ModelTool[] {
  if (!Array.isArray(tools)) return [];
  return tools.filter(isJsonObject).flatMap((tool) => {
    const inner = tool.functionDeclarations ?? tool.function_declarations;
    return Array.isArray(inner) ? inner.filter(isJsonObject).map(toolOf) : [toolOf(tool)];
  });
}

/** OpenAI nests under `function`, Bedrock under `toolSpec`; the schema has four names. */
function toolOf(tool: JsonObject): ModelTool {
  const spec = [tool.function, tool.toolSpec, tool].find(isJsonObject) ?? tool;
  if (typeof spec.name !== "string") return { name: String(tool.type), provider: tool };
  const schema = spec.parameters ?? spec.input_schema ?? spec.inputSchema ?? spec.schema;
  const parameters = isJsonObject(schema) && isJsonObject(schema.json) ? schema.json : schema;
  const isProviders = parameters === undefined && typeof tool.type === "string";
  return {
    name: spec.name,
    ...(typeof spec.description === "string" ? { description: spec.description } : {}),
    ...(parameters === undefined || parameters === null ? {} : { parameters }),
    ...(isProviders && tool.type !== "function" ? { provider: tool } : {}),
  };
}

/** A value without JSON form, for example an open client among the parameters, is not what is asked. */
export function jsonOf(value: unknown): JsonValue {
  try {
    return toJson(value).value;
  } catch {
    return null;
  }
}
