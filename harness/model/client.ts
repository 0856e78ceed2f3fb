/** The configured models as the port through which flows ask them. */
import { unknownModel } from "../../core/ask.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { ModelPort, ModelRequest, ModelResponse } from "../../core/model.ts";

/** One model, ready to be asked. */
export interface ModelClient {
  /** The provider's name for it. */
  readonly model: string;
  /** Parameters of every request, under the names of `core/model.ts`. */
  readonly params: JsonObject;
  /** Parameters that ask for an answer of this JSON Schema. */
  structured(schema: JsonObject): JsonObject;
  /** @throws {TwintrackError} `MODEL_FAILED`. */
  ask(request: ModelRequest, signal: AbortSignal): Promise<ModelResponse>;
}

/** Every provider's request has this form here, so that equal questions are found equal. */
export function structuredOutput(schema: JsonObject): JsonObject {
  return { responseFormat: { type: "json_schema", json_schema: { name: "answer", schema } } };
}

/** Nothing unless the provider told both. */
export function usageOf(
  input: JsonValue | undefined,
  output: JsonValue | undefined,
): Pick<ModelResponse, "usage"> {
  const [inputTokens, outputTokens] = [Number(input), Number(output)];
  if (!Number.isFinite(inputTokens) || !Number.isFinite(outputTokens)) return {};
  return { usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
}

export function modelPort(clients: Readonly<Record<string, ModelClient>>): ModelPort {
  const clientOf = (name: string): ModelClient => {
    const client = Object.hasOwn(clients, name) ? clients[name] : undefined;
    if (client) return client;
    throw unknownModel(name, Object.keys(clients));
  };
  return {
    requestOf(name, { messages, schema }) {
      const { model, params, structured } = clientOf(name);
      return {
        model,
        messages,
        tools: [],
        params: schema ? { ...params, ...structured(schema) } : params,
      };
    },
    async ask(name, request, signal) {
      return { response: await clientOf(name).ask(request, signal), served: "live" };
    },
  };
}
