/**
 * `POST /flows/:flow/invoke` and `/stream`, in the shape of LangServe: a client only changes its base URL.
 */
import { once } from "node:events";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import {
  mayHoldLongInteger,
  parseLongIntegers,
  withLongIntegers,
} from "../../core/long-integer.ts";
import type { GivenRunConfig } from "../../core/run-config.ts";
import type { Answer } from "../live.ts";
import { privacyOf } from "../privacy/privacy.ts";
import type { Harness } from "../twintrack.ts";
import { outputOf } from "../twintrack.ts";
import { problemOf } from "./problem.ts";

type FlowRequest = FastifyRequest<{ Params: { flow: string } }>;

export function addFlowRoutes(server: FastifyInstance, harness: Harness): void {
  server.register((app, _options, done) => {
    keepLongIntegers(app);
    addRoutes(app, harness);
    done();
  });
}

/** A chain in Python, or behind HTTP, may be able to hold them. */
function keepLongIntegers(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser<string>(
    "application/json",
    { parseAs: "string" },
    (request, text, done) =>
      parse(request, text, (error, body) =>
        error || !mayHoldLongInteger(text)
          ? done(error, body)
          : done(null, parseLongIntegers(text)),
      ),
  );
}

function addRoutes(app: FastifyInstance, harness: Harness): void {
  const { mask } = privacyOf(harness.config);
  const answer = (
    request: FlowRequest,
    reply: FastifyReply,
    onChunk?: (chunk: JsonValue) => Promise<void>,
  ): Promise<Answer> => {
    const key = request.headers["idempotency-key"];
    const abort = new AbortController();
    // The caller hung up before the answer: the side is told, and the trial is not judged. Who sent
    // a key may come back for this answer, and others with the same key wait for it already.
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished && key === undefined) abort.abort();
    });
    const { input, config } = sentIn(request.body);
    return harness.live.answer(request.params.flow, input, {
      source: "http",
      signal: abort.signal,
      ...(config ? { config } : {}),
      ...(typeof key === "string" ? { triggerId: key } : {}),
      ...(onChunk ? { onChunk } : {}),
    });
  };
  app.post("/flows/:flow/invoke", async (request: FlowRequest, reply) => {
    const answered = await answer(request, reply);
    void reply.header("Twintrack-Trial", answered.trialId);
    const { output, metadata } = outputOf(request.params.flow, answered);
    const text = withLongIntegers({ output, metadata: { ...metadata } });
    return reply.type("application/json; charset=utf-8").send(text);
  });
  app.post("/flows/:flow/stream", async (request: FlowRequest, reply) => {
    const events = eventsOn(reply);
    try {
      const answered = await answer(request, reply, (chunk) => events.send("data", chunk));
      const { output, metadata } = outputOf(request.params.flow, answered);
      // What does not stream, or was answered before, is one chunk.
      if (!events.begun()) await events.send("data", output);
      await events.send("metadata", { ...metadata });
      await events.send("end");
    } catch (error) {
      if (!events.begun()) throw error;
      await events.send("error", problemOf(error, mask));
    }
    reply.raw.end();
  });
}

interface Events {
  /** Waits for a caller that reads slowly. */
  send(event: string, data?: JsonValue): Promise<void>;
  begun(): boolean;
}

/** The head is sent with the first event: until then a failure has a status of its own. */
function eventsOn(reply: FastifyReply): Events {
  const { raw } = reply;
  return {
    begun: () => raw.headersSent,
    async send(event, data) {
      if (!raw.headersSent) {
        reply.hijack();
        raw.writeHead(200, {
          "content-type": "text/event-stream",
          "cache-control": "no-store",
          // Kept open, the connection would delay the server's own end until it times out.
          connection: "close",
        });
      }
      if (raw.destroyed) return; // The caller is gone, and the side was told.
      const line = data === undefined ? "" : `data: ${withLongIntegers(data)}\n`;
      if (!raw.write(`event: ${event}\n${line}\n`))
        await Promise.race([once(raw, "drain"), once(raw, "close")]);
    },
  };
}

function sentIn(body: unknown): { input: JsonValue; config?: GivenRunConfig } {
  if (!isJsonObject(body) || body.input === undefined)
    throw new TwintrackError("REQUEST_INVALID", 'The body must be JSON like { "input": … }');
  const { input, config, kwargs } = body;
  const [key] = isJsonObject(kwargs) ? Object.keys(kwargs) : [];
  if (key !== undefined)
    throw new TwintrackError("REQUEST_INVALID", `kwargs.${key} cannot be carried`, {
      hint: "Put it into the input, or into config.configurable.",
    });
  return config === undefined || config === null ? { input } : { input, config: chosen(config) };
}

/** What LangServe's clients write into each request when nobody chose a limit. */
const CLIENT_DEFAULT_LIMIT = 25;

/**
 * Without what LangServe's clients send along and its server leaves out: it says nothing of the answer.
 *
 * @returns what is checked where the trigger is answered
 */
function chosen(config: JsonValue): GivenRunConfig {
  if (!isJsonObject(config)) return config as GivenRunConfig;
  const { run_name, run_id, max_concurrency, ...said } = config;
  const { recursion_limit: snake, recursionLimit: camel, ...rest } = said;
  const limits = Object.entries({ recursion_limit: snake, recursionLimit: camel });
  const own = limits.filter(([, limit]) => limit !== undefined && limit !== CLIENT_DEFAULT_LIMIT);
  return { ...rest, ...Object.fromEntries(own) };
}
