/** `POST /flows/:flow/invoke`, in the shape of LangServe: a client only changes its base URL. */
import type { FastifyInstance } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import type { Harness } from "../twintrack.ts";
import { outputOf } from "../twintrack.ts";

export function addFlowRoutes(app: FastifyInstance, harness: Harness): void {
  app.post<{ Params: { flow: string } }>("/flows/:flow/invoke", async (request, reply) => {
    const key = request.headers["idempotency-key"];
    const abort = new AbortController();
    // The caller hung up before the answer: the side is told, and the trial is not judged. Who sent
    // a key may come back for this answer, and others with the same key wait for it already.
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished && key === undefined) abort.abort();
    });
    const answer = await harness.live.answer(request.params.flow, inputOf(request.body), {
      source: "http",
      signal: abort.signal,
      ...(typeof key === "string" ? { triggerId: key } : {}),
    });
    void reply.header("Twintrack-Trial", answer.trialId);
    return outputOf(request.params.flow, answer);
  });
}

function inputOf(body: unknown): JsonValue {
  if (isJsonObject(body) && "input" in body) return body.input as JsonValue;
  throw new TwintrackError("REQUEST_INVALID", 'The body must be JSON like { "input": … }');
}
