/** A legacy chain behind HTTP: LangServe's `/invoke`, or any endpoint that takes `{ input }` and gives `{ output }`. */
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonValue } from "../core/json.ts";
import { type Outcome, serializeError } from "../core/outcome.ts";
import type { LegacyChain } from "./chain.ts";
import { isExpiry, type Limits, withinLimits } from "./deadline.ts";

interface HttpChainOptions {
  headers?: Record<string, string>;
  /** Limit when a run has none of its own. */
  timeoutMs?: number;
}

/** How much of an error body is worth repeating. */
const EXCERPT = 300;

export function httpChain(
  url: string,
  { headers = {}, timeoutMs }: HttpChainOptions = {},
): LegacyChain {
  return {
    async invoke(input, options) {
      const startedAt = performance.now();
      const limits = { ...options, timeoutMs: options.timeoutMs ?? timeoutMs };
      const outcome =
        options.tools.mode === "recorded"
          ? notIsolated(url)
          : await ended(
              withinLimits(url, limits, (signal) => post(url, headers, input, signal)),
              limits,
            );
      return { outcome, lossy: false, calls: [], durationMs: performance.now() - startedAt };
    },
    close: async () => undefined,
  };
}

/** Its tools run on another machine: nothing here could keep a second run from writing. */
function notIsolated(url: string): Outcome {
  const text = `${url} cannot run in a shadow: its tools are out of reach, so a second run would write for real`;
  return { status: "threw", error: serializeError(new TwintrackError("SIDE_MISSING", text)) };
}

async function ended(answer: Promise<JsonValue>, { timeoutMs = 0 }: Limits): Promise<Outcome> {
  try {
    return { status: "returned", value: await answer };
  } catch (thrown) {
    if (isExpiry(thrown)) return { status: "timed_out", afterMs: timeoutMs };
    return { status: "threw", error: serializeError(thrown) };
  }
}

async function post(
  url: string,
  headers: Record<string, string>,
  input: JsonValue,
  signal?: AbortSignal,
): Promise<JsonValue> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ input }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  if (!response.ok) throw failed(`${url} answered ${response.status}: ${text.slice(0, EXCERPT)}`);
  return outputIn(url, text);
}

function outputIn(url: string, text: string): JsonValue {
  const body = parsed(url, text);
  if (isJsonObject(body) && body.output !== undefined) return body.output;
  throw failed(`${url} answered without an output: ${text.slice(0, EXCERPT)}`);
}

function parsed(url: string, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw failed(`${url} did not answer with JSON: ${text.slice(0, EXCERPT)}`, cause);
  }
}

function failed(message: string, cause?: unknown): TwintrackError {
  return new TwintrackError("LEGACY_FAILED", message, { cause });
}
