import { afterEach, describe, expect, test } from "vitest";
import type { ChainOptions, ChainRun, ChainStream } from "../../adapter/chain.ts";
import { httpChain } from "../../adapter/http-chain.ts";
import type { JsonValue } from "../../core/json.ts";
import { type Answering, type Endpoint, endpoint, sendEvents, sendJson } from "./http-server.ts";

const LIVE: ChainOptions = { tools: { mode: "live" }, effects: {} };

const opened: Endpoint[] = [];

afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

async function open(answering: Answering): Promise<Endpoint> {
  const server = await endpoint(answering);
  opened.push(server);
  return server;
}

async function drained(stream: ChainStream): Promise<{ chunks: JsonValue[]; run: ChainRun }> {
  const chunks: JsonValue[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, run: value };
    chunks.push(value);
  }
}

/** What LangServe makes of a chat model. */
const chunkMessage = (content: string, more: object = {}) => ({
  content,
  additional_kwargs: {},
  response_metadata: {},
  type: "AIMessageChunk",
  name: null,
  id: "run-1",
  tool_calls: [],
  invalid_tool_calls: [],
  usage_metadata: null,
  tool_call_chunks: [],
  chunk_position: null,
  ...more,
});

describe("LangServe", () => {
  test("the input is posted to /invoke, and the output comes back", async () => {
    const { url, asked } = await open((_, response) =>
      sendJson(response, {
        output: { answer: 42 },
        metadata: { run_id: "r", feedback_tokens: [] },
      }),
    );
    const legacy = httpChain(`${url}/chain/invoke`, { headers: { "x-key": "k" } });
    const run = await legacy.invoke({ q: 1 }, LIVE);

    expect(run).toMatchObject({
      outcome: { status: "returned", value: { answer: 42 } },
      calls: [],
    });
    expect(asked).toMatchObject([
      { path: "/chain/invoke", body: { input: { q: 1 } }, headers: { "x-key": "k" } },
    ]);
  });

  test("a run configuration goes where LangServe reads it, in its spelling", async () => {
    const { url, asked } = await open(({ path }, response) =>
      path.endsWith("/invoke")
        ? sendJson(response, { output: 1 })
        : void response
            .writeHead(200, { "content-type": "text/event-stream" })
            .end("event: data\ndata: 1\n\nevent: end\n\n"),
    );
    const legacy = httpChain(`${url}/invoke`);
    const config = { configurable: { thread_id: "t" }, recursion_limit: 9 };
    await legacy.invoke("hi", { ...LIVE, config });
    for await (const _ of legacy.stream("hi", { ...LIVE, config }));

    expect(asked.map(({ path, body }) => [path, body])).toEqual([
      ["/invoke", { input: "hi", config }],
      ["/stream", { input: "hi", config }],
    ]);
  });

  test("a stream yields the chunks of /stream and ends in what /invoke would give", async () => {
    const { url, asked } = await open((_, response) =>
      sendEvents(response, [
        ["metadata", { run_id: "r" }],
        ["data", "grüße "],
        ["data", "🙂"],
        ["end"],
      ]),
    );
    const { chunks, run } = await drained(httpChain(`${url}/chain/invoke`).stream({ q: 1 }, LIVE));

    expect(chunks).toEqual(["grüße ", "🙂"]);
    expect(run.outcome).toEqual({ status: "returned", value: "grüße 🙂" });
    expect(asked).toMatchObject([{ path: "/chain/stream", body: { input: { q: 1 } } }]);
  });

  test("streamed message chunks add up to the message that /invoke gives", async () => {
    const call = { index: 0, type: "tool_call_chunk" };
    const { url } = await open((_, response) =>
      sendEvents(response, [
        ["data", chunkMessage("Let ", { usage_metadata: { input_tokens: 3, output_tokens: 1 } })],
        [
          "data",
          chunkMessage("me", {
            tool_call_chunks: [{ ...call, name: "find", id: "c1", args: '{"a"' }],
          }),
        ],
        [
          "data",
          chunkMessage("", {
            usage_metadata: { input_tokens: 0, output_tokens: 4 },
            tool_call_chunks: [{ ...call, name: null, id: null, args: ":1}" }],
          }),
        ],
        ["end"],
      ]),
    );
    const { run } = await drained(httpChain(`${url}/invoke`).stream("hi", LIVE));

    expect(run.outcome).toEqual({
      status: "returned",
      value: {
        type: "ai",
        content: "Let me",
        id: "run-1",
        name: null,
        additional_kwargs: {},
        response_metadata: {},
        invalid_tool_calls: [],
        tool_calls: [{ name: "find", args: { a: 1 }, id: "c1", type: "tool_call" }],
        usage_metadata: { input_tokens: 3, output_tokens: 5 },
      },
    });
  });

  test("a stream that fails on the way keeps its chunks and ends in the failure", async () => {
    const { url } = await open((_, response) =>
      sendEvents(response, [
        ["data", "half"],
        ["error", { status_code: 500, message: "Internal Server Error" }],
      ]),
    );
    const { chunks, run } = await drained(httpChain(`${url}/invoke`).stream("hi", LIVE));

    expect(chunks).toEqual(["half"]);
    expect(run.outcome).toMatchObject({
      status: "threw",
      error: { code: "LEGACY_FAILED", message: expect.stringContaining("Internal Server Error") },
    });
  });

  test("a stream without its end is not an answer", async () => {
    const { url } = await open((_, response) => sendEvents(response, [["data", "half"]]));
    const { run } = await drained(httpChain(`${url}/invoke`).stream("hi", LIVE));

    expect(run.outcome).toMatchObject({
      error: { message: expect.stringContaining("before the answer was whole") },
    });
  });

  test("a batch asks for each input, a few at a time, and one failure stays alone", async () => {
    let running = 0;
    let most = 0;
    const { url } = await open(async ({ body }, response) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      const { input } = body as { input: number };
      if (input === 3) sendJson(response, "boom", 500);
      else sendJson(response, { output: input * 2 });
    });
    const inputs = [0, 1, 2, 3, 4, 5, 6, 7];
    const runs = await httpChain(`${url}/invoke`).batch(inputs, { ...LIVE, maxConcurrency: 3 });

    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
    expect(
      runs.map(({ outcome }) => (outcome.status === "returned" ? outcome.value : null)),
    ).toEqual([0, 2, 4, null, 8, 10, 12, 14]);
    expect(runs[3]?.outcome).toMatchObject({ error: { code: "LEGACY_FAILED" } });
  });
});

describe("LangGraph Server", () => {
  const langGraph = { assistantId: "agent" };

  test("a run without a thread is waited for", async () => {
    const { url, asked } = await open((_, response) => sendJson(response, { messages: ["done"] }));
    const run = await httpChain(url, { langGraph }).invoke({ messages: ["hi"] }, LIVE);

    expect(run.outcome).toEqual({ status: "returned", value: { messages: ["done"] } });
    expect(asked).toMatchObject([
      { path: "/runs/wait", body: { assistant_id: "agent", input: { messages: ["hi"] } } },
    ]);
  });

  test("a run of a thread goes to that thread, which is made when it is not there", async () => {
    const { url, asked } = await open((_, response) => sendJson(response, {}));
    const threadOf = (input: JsonValue) => `t/${(input as { user: string }).user}`;
    await httpChain(url, { langGraph: { ...langGraph, threadOf } }).invoke({ user: "ada" }, LIVE);

    expect(asked).toMatchObject([
      { path: "/threads/t%2Fada/runs/wait", body: { if_not_exists: "create" } },
    ]);
  });

  test("a run configuration is told in the server's own fields, its thread in the URL", async () => {
    const { url, asked } = await open((_, response) => sendJson(response, {}));
    const config = {
      configurable: { thread_id: "t 1", user: "ada" },
      context: { desk: "A" },
      metadata: { tenant: "north" },
      tags: ["vip"],
      recursion_limit: 9,
    };
    await httpChain(url, { langGraph }).invoke("hi", { ...LIVE, config });
    const threadOf = () => "own";
    const only = { configurable: { thread_id: "t 1" } };
    await httpChain(url, { langGraph: { ...langGraph, threadOf } }).invoke("hi", {
      ...LIVE,
      config: only,
    });

    const shared = { assistant_id: "agent", input: "hi", on_disconnect: "cancel" };
    expect(asked.map(({ path, body }) => [path, body])).toEqual([
      [
        "/threads/t%201/runs/wait",
        {
          ...shared,
          if_not_exists: "create",
          config: { configurable: { user: "ada" }, tags: ["vip"], recursion_limit: 9 },
          context: { desk: "A" },
          metadata: { tenant: "north" },
        },
      ],
      ["/threads/own/runs/wait", { ...shared, if_not_exists: "create" }],
    ]);
  });

  test("a graph that raised is a failure, although the server says 200", async () => {
    const { url } = await open((_, response) =>
      sendJson(response, { __error__: { error: "ValueError", message: "no such order" } }),
    );

    expect((await httpChain(url, { langGraph }).invoke({}, LIVE)).outcome).toMatchObject({
      status: "threw",
      error: {
        code: "LEGACY_FAILED",
        message: expect.stringContaining("ValueError: no such order"),
      },
    });
  });

  test("a stream yields the state after each step and ends in the last one", async () => {
    const { url, asked } = await open((_, response) =>
      sendEvents(response, [
        ["metadata", { run_id: "r", attempt: 1 }],
        ["values", { n: 1 }],
        ["values", { n: 2 }],
        ["end", null],
      ]),
    );
    const { chunks, run } = await drained(httpChain(url, { langGraph }).stream({ n: 0 }, LIVE));

    expect(chunks).toEqual([{ n: 1 }, { n: 2 }]);
    expect(run.outcome).toEqual({ status: "returned", value: { n: 2 } });
    expect(asked).toMatchObject([
      { path: "/runs/stream", body: { stream_mode: ["values"], on_disconnect: "cancel" } },
    ]);
  });

  test("chunks of another mode are shown, and the answer is still the last state", async () => {
    const { url, asked } = await open((_, response) =>
      sendEvents(response, [
        ["values", { n: 0 }],
        ["updates", { add: { n: 1 } }],
        ["values", { n: 1 }],
      ]),
    );
    const options = { langGraph: { ...langGraph, streamMode: "updates" } };
    const { chunks, run } = await drained(httpChain(url, options).stream({ n: 0 }, LIVE));

    expect(chunks).toEqual([{ add: { n: 1 } }]);
    expect(run.outcome).toEqual({ status: "returned", value: { n: 1 } });
    expect(asked).toMatchObject([{ body: { stream_mode: ["updates", "values"] } }]);
  });

  test("an error in the stream is the graph's failure", async () => {
    const { url } = await open((_, response) =>
      sendEvents(response, [
        ["values", { n: 0 }],
        ["error", { error: "KeyError", message: "'x'" }],
      ]),
    );
    const { run } = await drained(httpChain(url, { langGraph }).stream({}, LIVE));

    expect(run.outcome).toMatchObject({
      error: { message: expect.stringContaining("KeyError: 'x'") },
    });
  });
});

describe("any JSON endpoint", () => {
  test("the mapping makes the request and finds the answer", async () => {
    const { url, asked } = await open(({ body }, response) =>
      sendJson(response, { result: { text: (body as { question: string }).question } }),
    );
    const legacy = httpChain(`${url}/ask`, {
      request: (input) => ({ question: (input as { q: string }).q, stream: false }),
      response: (body) => (body as { result: { text: string } }).result.text,
    });

    expect((await legacy.invoke({ q: "why" }, LIVE)).outcome).toEqual({
      status: "returned",
      value: "why",
    });
    expect(asked).toMatchObject([{ path: "/ask", body: { question: "why", stream: false } }]);
  });

  test("the mapping is told the run configuration, which is empty where there is none", async () => {
    const { url, asked } = await open((_, response) => sendJson(response, { output: 1 }));
    const legacy = httpChain(url, {
      request: (input, { configurable }) => ({ input, user: configurable?.user ?? null }),
    });
    await legacy.invoke("hi", { ...LIVE, config: { configurable: { user: "ada" } } });
    await legacy.invoke("hi", LIVE);

    expect(asked.map(({ body }) => body)).toEqual([
      { input: "hi", user: "ada" },
      { input: "hi", user: null },
    ]);
  });

  test.each([
    ["an integer beyond 2^53 is kept digit by digit", "-9007199254740993", true],
    ["a shorter one is a number", "9007199254740991", false],
    ["a fraction is a number, however long", "0.1000000000000000055511151231257827", false],
    ["digits in a text are a text", '"9007199254740993"', false],
  ])("%s", async (_, text, isLong) => {
    const { url } = await open((_asked, response) => void response.end(`{"output":[${text}]}`));
    const { outcome, lossy } = await httpChain(url).invoke({}, LIVE);
    const value = isLong ? { $type: "bigint", value: text } : (JSON.parse(text) as JsonValue);
    expect(outcome).toEqual({ status: "returned", value: [value] });
    expect(lossy).toBe(false);
  });

  test("a stream of it is its one answer", async () => {
    const { url } = await open((_, response) => sendJson(response, { output: [1] }));
    const { chunks, run } = await drained(httpChain(`${url}/ask`).stream({}, LIVE));

    expect(chunks).toEqual([[1]]);
    expect(run.outcome).toEqual({ status: "returned", value: [1] });
  });

  test("a mapping that finds nothing says what there was", async () => {
    const { url } = await open((_, response) => sendJson(response, { other: 1 }));
    const response = (body: JsonValue) => (body as { result: JsonValue }).result;

    expect((await httpChain(url, { response }).invoke({}, LIVE)).outcome).toMatchObject({
      error: { code: "LEGACY_FAILED", message: expect.stringContaining('{"other":1}') },
    });
  });
});

test.each([
  ["a failure status", 500, "boom", "answered 500: boom"],
  ["a body that is not JSON", 200, "<html>", "did not answer with JSON: <html>"],
  ["a body without output", 200, "{}", "answered without an output"],
])("%s is LEGACY_FAILED with what the endpoint said", async (_, status, body, text) => {
  const { url } = await open((_asked, response) => void response.writeHead(status).end(body));

  expect((await httpChain(url).invoke({}, LIVE)).outcome).toMatchObject({
    status: "threw",
    error: { code: "LEGACY_FAILED", message: expect.stringContaining(text) },
  });
});

test.each(["127.0.0.1", "localhost"])(
  "an endpoint that is down on %s is named, and why",
  async (host) => {
    const server = await endpoint((_, response) => void response.end());
    server.close();
    const url = `http://${host}:${new URL(server.url).port}/invoke`;

    expect((await httpChain(url).invoke({}, LIVE)).outcome).toMatchObject({
      status: "threw",
      error: {
        code: "LEGACY_FAILED",
        message: expect.stringMatching(new RegExp(`^${url} does not answer: .*ECONNREFUSED`)),
      },
    });
  },
);

test("an endpoint that does not answer is timed out, and learns that nobody waits", async () => {
  const gone = Promise.withResolvers<void>();
  const { url, abandoned } = await open((_, response) => void response.once("close", gone.resolve));
  const run = await httpChain(url).invoke({}, { ...LIVE, timeoutMs: 100 });
  await gone.promise;

  expect(run.outcome).toEqual({ status: "timed_out", afterMs: 100 });
  expect(abandoned).toEqual(["/"]);
});

test.each(["deadline", "cancel", "leaving"])(
  "the server learns of a stream that is given up by %s",
  async (how) => {
    const gone = Promise.withResolvers<void>();
    const { url, abandoned } = await open((_, response) => {
      response.once("close", gone.resolve);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('event: data\ndata: "first"\n\n');
    });
    const stop = new AbortController();
    const limits = how === "deadline" ? { timeoutMs: 1_000 } : { signal: stop.signal };
    const stream = httpChain(`${url}/invoke`).stream({}, { ...LIVE, ...limits });

    expect(await stream.next()).toEqual({ done: false, value: "first" });
    if (how === "cancel") stop.abort();
    const { value: run } =
      how === "leaving" ? { value: await stream.return(undefined as never) } : await stream.next();
    await gone.promise;

    expect(abandoned).toEqual(["/stream"]);
    if (how === "deadline") expect(run).toMatchObject({ outcome: { status: "timed_out" } });
    if (how === "cancel") expect(run).toMatchObject({ outcome: { error: { code: "CANCELLED" } } });
  },
);

test("a remote chain is never called in a shadow, because its writes could not be kept back", async () => {
  const { url, asked } = await open((_, response) => sendJson(response, { output: 1 }));
  const tools = { mode: "recorded", recording: [], reads: "live" } as const;
  const run = await httpChain(url).invoke({}, { tools, effects: {} });
  const { run: streamed } = await drained(httpChain(url).stream({}, { tools, effects: {} }));

  expect(run.outcome).toMatchObject({ status: "threw", error: { code: "SIDE_MISSING" } });
  expect(streamed.outcome).toEqual(run.outcome);
  expect(asked).toEqual([]);
});
