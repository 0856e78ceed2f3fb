/** Model steps of typed flows against a local server that speaks the protocol. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { noModels } from "../../core/ask.ts";
import { flow, graph, type RunResult, replay, runFlow } from "../../core/index.ts";
import { modelPort } from "../../harness/model/client.ts";
import { dailyBudget } from "../../harness/model/isolation.ts";
import { type OpenaiOptions, openaiModel } from "../../harness/model/openai.ts";
import { type Completions, type Say, serveCompletions } from "../app/completions.ts";

const servers: Completions[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(say: Say): Promise<Completions> {
  const server = await serveCompletions(say);
  servers.push(server);
  return server;
}

const tools = { callTool: () => Promise.reject(new Error("this flow calls no tool")) };
const Sum = z.object({ total: z.number(), words: z.array(z.string()) });

const adds = flow("adds", { version: "1", input: z.object({ text: z.string() }), output: Sum })
  .step("sum", {
    model: "default",
    prompt: ({ input }) => [
      { role: "system", content: "Add what you find." },
      { role: "user", content: input.text },
    ],
    output: Sum,
    retries: 2,
    jitter: "none",
  })
  .returns(({ sum }) => sum);

const tells = (timeoutMs = 30_000) =>
  flow("tells", { version: "1", input: z.unknown(), output: z.string() })
    .step("text", { model: "default", prompt: () => "hello", output: z.string(), timeoutMs })
    .returns(({ text }) => text);

function modelsOf(url: string, options: Partial<OpenaiOptions> = {}) {
  const models = { default: openaiModel({ model: "scripted-1", baseUrl: url, ...options }) };
  return modelPort(models);
}

const run = (url: string, options?: Partial<OpenaiOptions>): Promise<RunResult> =>
  runFlow(tells(), {}, { tools, models: modelsOf(url, options) });

const GOOD = '{"total":3,"words":["one","two"]}';

describe("a model step", () => {
  test("asks for the schema of its output and returns the answer as that", async () => {
    const server = await serve(() => GOOD);

    const { outcome, modelCalls, calls } = await runFlow(
      adds,
      { text: "one two" },
      { tools, models: modelsOf(server.url, { temperature: 0, maxTokens: 9 }) },
    );

    expect(outcome).toEqual({ status: "returned", value: JSON.parse(GOOD) });
    expect(server.asked.map(({ body }) => body)).toMatchObject([
      {
        model: "scripted-1",
        temperature: 0,
        max_tokens: 9,
        messages: [{ role: "system" }, { role: "user", content: "one two" }],
        response_format: { type: "json_schema", json_schema: { schema: { type: "object" } } },
      },
    ]);
    expect(calls).toEqual([]);
    expect(modelCalls).toMatchObject([
      {
        request: { model: "scripted-1", params: { temperature: 0 } },
        outcome: { value: { usage: { inputTokens: 12, outputTokens: 3, totalTokens: 15 } } },
        served: "live",
      },
    ]);
  });

  test("takes text as it is when its output is a text", async () => {
    const server = await serve(() => "hello you");
    const { outcome } = await run(server.url);
    expect(outcome).toEqual({ status: "returned", value: "hello you" });
    expect(server.asked[0]?.body).not.toHaveProperty("response_format");
    expect(server.asked[0]?.body.messages).toEqual([{ role: "user", content: "hello" }]);
  });

  test("asks again when the answer is no JSON, or does not fit, and finds JSON in a fence", async () => {
    const answers = ["three", '{"total":"3"}', `Sure:\n\`\`\`json\n${GOOD}\n\`\`\``];
    const server = await serve((_, number) => answers[number - 1] ?? "");

    const { outcome, modelCalls, history } = await runFlow(
      adds,
      { text: "x" },
      { tools, models: modelsOf(server.url) },
    );

    expect(outcome).toEqual({ status: "returned", value: JSON.parse(GOOD) });
    expect(modelCalls).toHaveLength(3);
    const failures = history.filter((event) => event.type === "step_failed");
    expect(failures.map((event) => event.type === "step_failed" && event.error.code)).toEqual([
      "OUTPUT_INVALID",
      "OUTPUT_INVALID",
    ]);
  });

  test("is answered from the history in a replay, and refuses a prompt that has changed", async () => {
    const server = await serve(() => "hello you");
    const { history, outcome } = await run(server.url);

    expect((await replay(tells(), history)).outcome).toEqual(outcome);
    expect(server.asked).toHaveLength(1);

    const other = flow("tells", { version: "1", input: z.unknown(), output: z.string() })
      .step("text", { model: "default", prompt: () => "good bye", output: z.string() })
      .returns(({ text }) => text);
    await expect(replay(other, history)).rejects.toMatchObject({ code: "HISTORY_MISMATCH" });
  });

  test("is a node of the graph, and part of the flow's hash", () => {
    expect(graph(adds).nodes).toEqual([
      { name: "sum", kind: "model", model: "default", optional: false },
    ]);
    const asks = (model: string) =>
      flow("f", { version: "1", input: z.unknown(), output: z.string() })
        .step("text", { model, prompt: () => "", output: z.string() })
        .returns(({ text }) => text);
    expect(asks("a").hash).not.toBe(asks("b").hash);
  });

  test.each([
    ["no models", noModels, "none"],
    ["other models", modelPort({ large: openaiModel({ model: "x" }) }), "large"],
  ])(
    "that names an unknown model where there are %s says which there are",
    async (_, models, names) => {
      const { outcome, modelCalls } = await runFlow(tells(), {}, { tools, models });
      expect(outcome).toMatchObject({ error: { code: "MODEL_UNKNOWN", step: "text" } });
      expect(modelCalls).toEqual([]);
      expect(() => models.requestOf("default", { messages: [] })).toThrow(
        expect.objectContaining({ hint: expect.stringContaining(names) }),
      );
    },
  );
});

describe("a model that fails", () => {
  test.each<[string, NonNullable<ReturnType<Say>>, RegExp]>([
    [
      "refuses the request",
      { status: 400, body: '{"error":"too long"}' },
      /answered 400.*too long/,
    ],
    ["is overloaded", { status: 529, body: "overloaded" }, /answered 529: overloaded/],
    ["answers with a page", { status: 200, body: "<html>" }, /no.* completion|did not answer/],
    ["answers without choices", { status: 200, body: '{"choices":[]}' }, /did not answer/],
    [
      "declines",
      { status: 200, body: '{"choices":[{"message":{"refusal":"no"}}]}' },
      /refused: no/,
    ],
  ])("H6: because it %s is MODEL_FAILED in its own words", async (_, said, message) => {
    const server = await serve(() => said);
    const { outcome } = await run(server.url);
    expect(outcome).toMatchObject({
      error: { code: "MODEL_FAILED", message: expect.stringMatching(message) },
    });
  });

  test("because nobody listens is MODEL_FAILED with the reason", async () => {
    const closed = await serveCompletions(() => "x");
    await closed.close();
    expect((await run(closed.url)).outcome).toMatchObject({
      error: { code: "MODEL_FAILED", message: expect.stringContaining("ECONNREFUSED") },
    });
  });

  test("because it never answers costs the step its limit, and the request is ended", async () => {
    const server = await serve(() => undefined);
    const { outcome } = await runFlow(tells(200), {}, { tools, models: modelsOf(server.url) });
    expect(outcome).toMatchObject({ error: { code: "TIMEOUT" } });
    await server.asked[0]?.left;
    expect(server.asked).toHaveLength(1);
  });

  test("is asked again as often as the step says", async () => {
    const server = await serve((_, number) => (number < 3 ? { status: 503, body: "busy" } : GOOD));
    const { outcome } = await runFlow(adds, { text: "x" }, { tools, models: modelsOf(server.url) });
    expect(outcome.status).toBe("returned");
    expect(server.asked).toHaveLength(3);
  });
});

describe("the key", () => {
  test("comes from the environment or a file, by the name that is given", async () => {
    const server = await serve(() => "x");
    await run(server.url);
    vi.stubEnv("OPENAI_API_KEY", "k-default");
    await run(server.url);
    const file = join(mkdtempSync(join(tmpdir(), "twintrack-key-")), "key");
    writeFileSync(file, "k-file\n");
    vi.stubEnv("OTHER_KEY_FILE", file);
    await run(server.url, { apiKeyVariable: "OTHER_KEY" });
    const sent = server.asked.map(({ authorization }) => authorization);
    expect(sent).toEqual([undefined, "Bearer k-default", "Bearer k-file"]);
  });

  test("is in no error and no record", async () => {
    vi.stubEnv("OPENAI_API_KEY", "k-secret");
    const server = await serve(() => ({ status: 401, body: "no such key" }));
    const result = await run(server.url);
    expect(result.outcome).toMatchObject({ error: { code: "MODEL_FAILED" } });
    expect(server.asked[0]?.authorization).toBe("Bearer k-secret");
    expect(JSON.stringify(result)).not.toContain("k-secret");
  });
});

test("a day's budget is spent by each flow alone, and is whole again the next day", () => {
  let now = Date.parse("2026-11-21T23:00:00Z");
  const spend = dailyBudget(() => now);
  expect([spend("a", 2), spend("a", 2), spend("a", 2), spend("b", 2)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  now += 3_600_000;
  expect(spend("a", 2)).toBe(true);
  expect(spend("a", 0)).toBe(false);
});
