/** How the endpoints that serve LangChain chains are asked, and where they put their answers. */
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { parseLongIntegers, rounded } from "../core/long-integer.ts";
import { infoOf, type RunConfig } from "../core/run-config.ts";
import { finished } from "./chunk.ts";
import type { ServerEvent } from "./sse.ts";

export interface HttpRequest {
  url: string;
  body: JsonValue;
}

/** What one event of a stream means. */
export type StreamEvent =
  | { kind: "chunk"; chunk: JsonValue }
  /** The value so far; the last one is the answer. */
  | { kind: "state"; value: JsonValue; shown: boolean }
  | { kind: "end" }
  | { kind: "other" };

export interface HttpDialect {
  invoke(input: JsonValue, config?: RunConfig): HttpRequest;
  /** @throws {TwintrackError} `LEGACY_FAILED` when the body holds no answer. */
  outputIn(body: JsonValue): JsonValue;
  /** Absent where there is no stream: then the whole answer is the only chunk. */
  stream?: {
    request(input: JsonValue, config?: RunConfig): HttpRequest;
    /** @throws {TwintrackError} `LEGACY_FAILED` when the event tells of a failure. */
    read(event: ServerEvent): StreamEvent;
    /** The server says when it is done: a stream that just stops was cut off. */
    saysEnd: boolean;
    /** The answer that joined chunks are; absent where only a state is one. */
    finish?(joined: JsonValue): JsonValue;
  };
}

/** LangServe: `url` ends with `/invoke`, and `/stream` is beside it. Any other URL has no stream. */
export function langServe(url: string): HttpDialect {
  const isLangServe = /\/invoke\/?$/.test(url);
  return {
    invoke: (input, config) => ({ url, body: bodyOf(input, config) }),
    outputIn(body) {
      if (isJsonObject(body) && body.output !== undefined) return body.output;
      throw failed(`${url} answered without an output: ${excerpt(body)}`);
    },
    ...(isLangServe && {
      stream: {
        request: (input, config) => ({
          url: url.replace(/\/invoke\/?$/, "/stream"),
          body: bodyOf(input, config),
        }),
        read: (event) => readLangServe(url, event),
        saysEnd: true,
        finish: finished,
      },
    }),
  };
}

function bodyOf(input: JsonValue, config: RunConfig | undefined): JsonObject {
  return config ? { input, config } : { input };
}

function readLangServe(url: string, { event, data }: ServerEvent): StreamEvent {
  switch (event) {
    case "data":
      return { kind: "chunk", chunk: parsed(url, data) };
    case "end":
      return { kind: "end" };
    case "error":
      throw failed(`${url} failed while it streamed: ${data}`);
    default:
      return { kind: "other" };
  }
}

export interface LangGraphOptions {
  /** Id of the assistant, or the name of the graph. */
  assistantId: string;
  /** The thread a run belongs to. Default the configuration's `thread_id`; without one the run leaves no state. */
  threadOf?: (input: JsonValue, config: RunConfig) => string;
  /** What the chunks of a stream are. Default `values`: the state after each step. */
  streamMode?: string;
}

/** LangGraph Server: `url` is its root. */
export function langGraphServer(url: string, options: LangGraphOptions): HttpDialect {
  const root = url.replace(/\/+$/, "");
  const { assistantId, threadOf, streamMode = "values" } = options;
  const request = (input: JsonValue, config: RunConfig | undefined, way: string): LangGraphRun => {
    const { thread, ...fields } = graphFields(config);
    const chosen = threadOf ? threadOf(rounded(input), infoOf(config).config) : thread;
    const place = chosen === undefined ? "" : `/threads/${encodeURIComponent(chosen)}`;
    const body = {
      assistant_id: assistantId,
      input,
      ...fields,
      // Who hangs up does not want the run any more.
      on_disconnect: "cancel",
      ...(chosen === undefined ? {} : { if_not_exists: "create" }),
    };
    return { url: `${root}${place}/runs/${way}`, body };
  };
  const modes = [...new Set([streamMode, "values"])];
  return {
    invoke: (input, config) => request(input, config, "wait"),
    outputIn(state) {
      if (!isJsonObject(state) || state.__error__ === undefined) return state;
      throw graphFailure(root, state.__error__);
    },
    stream: {
      request: (input, config) => {
        const { url: place, body } = request(input, config, "stream");
        return { url: place, body: { ...body, stream_mode: modes } };
      },
      read: (event) => readLangGraph(root, streamMode, event),
      saysEnd: false,
    },
  };
}

interface LangGraphRun {
  url: string;
  body: JsonObject;
}

/** The server's own fields; the thread of a run stands in its URL, and the server tells the graph. */
function graphFields({ configurable = {}, context, metadata, ...rest }: RunConfig = {}) {
  const { thread_id: thread, ...others } = configurable;
  const named = Object.keys(others).length > 0 ? { configurable: others } : {};
  const config = { ...rest, ...named };
  return {
    ...(thread !== undefined && { thread: String(thread) }),
    ...(Object.keys(config).length > 0 && { config }),
    ...(metadata && { metadata }),
    ...(context !== undefined && { context }),
  };
}

function readLangGraph(root: string, shown: string, { event, data }: ServerEvent): StreamEvent {
  // `messages` comes as `messages/partial`, `messages/complete` …
  const [mode = event] = event.split("/");
  if (event === "error") throw graphFailure(root, parsed(root, data));
  if (event === "end") return { kind: "end" };
  if (event === "values")
    return { kind: "state", value: parsed(root, data), shown: shown === "values" };
  if (mode === shown) return { kind: "chunk", chunk: parsed(root, data) };
  return { kind: "other" };
}

function graphFailure(root: string, error: JsonValue): TwintrackError {
  const { error: name, message } = isJsonObject(error) ? error : {};
  return failed(`${root} failed: ${String(name ?? "Error")}: ${String(message ?? excerpt(error))}`);
}

export interface JsonMapping {
  /**
   * The body to post; default `{ input }`, with `config` where there is one. An integer beyond 2^53 is `{ $type: "bigint", value: "…" }`,
   * and a number again in the text of the body.
   */
  request?: (input: JsonValue, config: RunConfig) => JsonValue;
  /** The answer in the body that came back; default its `output`. */
  response?: (body: JsonValue) => JsonValue;
}

/** Any endpoint that takes JSON and gives JSON. */
export function jsonEndpoint(url: string, { request, response }: JsonMapping): HttpDialect {
  const plain = langServe(url);
  return {
    invoke: (input, config) =>
      request ? { url, body: request(input, config ?? {}) } : plain.invoke(input, config),
    outputIn(body) {
      if (!response) return plain.outputIn(body);
      const output = response(body) as JsonValue | undefined;
      if (output !== undefined) return output;
      throw failed(`The response mapping found nothing in what ${url} answered: ${excerpt(body)}`);
    },
  };
}

/** How much of an answer is worth repeating. */
const EXCERPT_CHARS = 300;

export function excerpt(value: JsonValue): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, EXCERPT_CHARS);
}

/**
 * Integers that JavaScript would round are kept as bigints (see core/long-integer.ts).
 *
 * @throws {TwintrackError} `LEGACY_FAILED` when the text is no JSON.
 */
export function parsed(url: string, text: string): JsonValue {
  try {
    return parseLongIntegers(text);
  } catch (cause) {
    throw failed(`${url} did not answer with JSON: ${excerpt(text)}`, cause);
  }
}

export function failed(message: string, cause?: unknown): TwintrackError {
  return new TwintrackError("LEGACY_FAILED", message, { cause });
}
