/** The configured models as the port through which flows ask them. */
import { unknownModel } from "../../core/ask.ts";
import type { JsonObject } from "../../core/json.ts";
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
