/** Model calls in one form, from the vectors that the Python bridge reads too. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { modelRequest } from "../../adapter/model-request.ts";
import { modelResponse } from "../../adapter/model-response.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";

interface Vectors {
  requests: {
    title: string;
    model: string;
    messages: JsonValue[];
    params: JsonObject;
    options: JsonObject;
    request: JsonObject;
  }[];
  responses: { title: string; message: JsonObject; output: JsonObject; response: JsonObject }[];
}

const file = new URL("../../fixtures/vectors/model.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

describe("a request", () => {
  test.each(vectors.requests)("$title", ({ model, messages, params, options, request }) => {
    expect(modelRequest({ model, input: messages, params, options })).toEqual(request);
  });
});

describe("a response", () => {
  test.each(vectors.responses)("$title", ({ message, output, response }) => {
    expect(modelResponse(message, output)).toEqual(response);
  });
});

test("a value that has no JSON form, or carries a secret, is not part of what is asked", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const params = { model: "m", client: cycle, headers: { authorization: "Bearer x" }, apiKey: "k" };
  const request = modelRequest({ model: "m", input: ["hi"], params, options: {} });

  expect(request.params).toEqual({ client: null });
});
