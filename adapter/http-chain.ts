/** A legacy chain behind HTTP: LangServe, LangGraph Server, or any endpoint that speaks JSON. */
import { messageOf, TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import { withLongIntegers } from "../core/long-integer.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import type { RunConfig } from "../core/run-config.ts";
import { runBatch } from "./batch.ts";
import type { ChainOptions, ChainRun, LegacyChain } from "./chain.ts";
import { joinJson } from "./chunk.ts";
import { isExpiry, type Limits, withinLimits } from "./deadline.ts";
import { type Hand, handedOver } from "./handover.ts";
import {
  excerpt,
  failed,
  type HttpDialect,
  type HttpRequest,
  type JsonMapping,
  jsonEndpoint,
  type LangGraphOptions,
  langGraphServer,
  langServe,
  parsed,
} from "./http-dialect.ts";
import { serverEvents } from "./sse.ts";

export interface HttpChainOptions extends JsonMapping {
  headers?: Readonly<Record<string, string>>;
  /** Limit when a run has none of its own. */
  timeoutMs?: number;
  /** `url` is the root of a LangGraph Server. */
  langGraph?: LangGraphOptions;
}

type Ask = (signal: AbortSignal | undefined) => Promise<JsonValue>;

/**
 * `batch` makes one request per input: LangServe's own `/batch` fails as a whole, and asking again
 * would repeat writes.
 */
export function httpChain(url: string, options: HttpChainOptions = {}): LegacyChain {
  const { headers = {} } = options;
  const dialect = dialectOf(url, options);
  const limited = ({ timeoutMs = options.timeoutMs, ...run }: ChainOptions): ChainOptions =>
    timeoutMs === undefined ? run : { ...run, timeoutMs };
  const run = async (given: ChainOptions, ask: Ask): Promise<ChainRun> => {
    const startedAt = performance.now();
    const limits = limited(given);
    const outcome =
      given.tools.mode === "recorded"
        ? notIsolated(url)
        : await ended(withinLimits(url, limits, ask), limits);
    const durationMs = performance.now() - startedAt;
    return { outcome, lossy: false, calls: [], modelCalls: [], durationMs };
  };
  const invoke: LegacyChain["invoke"] = (input, given) =>
    run(given, async (signal) => {
      const request = dialect.invoke(input, given.config);
      const response = await posted(request, headers, signal);
      return answerIn(dialect, request.url, await response.text());
    });
  return {
    invoke,
    stream: (input, given) =>
      handedOver<JsonValue, ChainRun>(given.signal, (hand, signal) =>
        run({ ...given, signal }, (stop) =>
          streamed(dialect, { input, config: given.config }, headers, hand, stop),
        ),
      ),
    batch: (inputs, given) => runBatch(invoke, inputs, given),
    close: async () => undefined,
  };
}

function dialectOf(url: string, options: HttpChainOptions): HttpDialect {
  if (options.langGraph) return langGraphServer(url, options.langGraph);
  if (options.request || options.response) return jsonEndpoint(url, options);
  return langServe(url);
}

/** Its tools run on another machine: nothing here could keep a second run from writing. */
function notIsolated(url: string): Outcome {
  const text = `${url} cannot run in a shadow: its tools are out of reach, so a second run would write for real`;
  return { status: "threw", error: serializeError(new TwintrackError("SIDE_MISSING", text)) };
}

function answerIn(dialect: HttpDialect, url: string, text: string): JsonValue {
  return dialect.outputIn(parsed(url, text));
}

async function ended(answer: Promise<JsonValue>, { timeoutMs = 0 }: Limits): Promise<Outcome> {
  try {
    return { status: "returned", value: await answer };
  } catch (thrown) {
    return isExpiry(thrown)
      ? { status: "timed_out", afterMs: timeoutMs }
      : { status: "threw", error: serializeError(thrown) };
  }
}

async function posted(
  { url, body }: HttpRequest,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const response = await reached(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: withLongIntegers(body),
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  throw failed(`${url} answered ${response.status}: ${excerpt(await response.text())}`);
}

/** `fetch` says of every trouble that it failed, and keeps what and where to itself. */
async function reached(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    const { cause = error } = error as { cause?: { code?: string } };
    // Several addresses of one name that were all tried in vain have a code and no message.
    const what = messageOf(cause) || (cause as { code?: string }).code;
    throw failed(`${url} does not answer: ${what}`, error);
  }
}

async function streamed(
  dialect: HttpDialect,
  { input, config }: { input: JsonValue; config: RunConfig | undefined },
  headers: Readonly<Record<string, string>>,
  hand: Hand<JsonValue>,
  signal: AbortSignal | undefined,
): Promise<JsonValue> {
  const { stream } = dialect;
  const request = stream ? stream.request(input, config) : dialect.invoke(input, config);
  const response = await posted(request, headers, signal);
  if (!stream) {
    const answer = answerIn(dialect, request.url, await response.text());
    await hand(answer);
    return answer;
  }
  const { joined, ended: saidEnd, state } = await collected(stream, response, request.url, hand);
  const answer = state ?? (joined === undefined ? undefined : stream.finish?.(joined));
  if (answer !== undefined && (saidEnd || !stream.saysEnd)) return answer;
  throw failed(`${request.url} ended its stream before the answer was whole`);
}

interface Collected {
  /** The chunks, as one value. */
  joined?: JsonValue;
  state?: JsonValue;
  ended: boolean;
}

async function collected(
  { read }: NonNullable<HttpDialect["stream"]>,
  response: Response,
  url: string,
  hand: Hand<JsonValue>,
): Promise<Collected> {
  const collected: Collected = { ended: false };
  for await (const event of eventsOf(response, url)) {
    const meant = read(event);
    if (meant.kind === "end") collected.ended = true;
    if (meant.kind === "state") collected.state = meant.value;
    if (meant.kind === "chunk") {
      const { joined } = collected;
      collected.joined = joined === undefined ? meant.chunk : joinJson(joined, meant.chunk);
      await hand(meant.chunk);
    } else if (meant.kind === "state" && meant.shown) await hand(meant.value);
  }
  return collected;
}

function eventsOf(response: Response, url: string) {
  const type = response.headers.get("content-type") ?? "";
  if (response.body && type.startsWith("text/event-stream")) return serverEvents(response.body);
  throw failed(`${url} did not answer with a stream of events but with "${type}"`);
}
