/** `POST /tap/:flow`: what `TwintrackTracer` saw in a service that cannot be moved. */
import type { FastifyInstance } from "fastify";
import type { Harness } from "../twintrack.ts";

export function addTapRoute(app: FastifyInstance, harness: Harness): void {
  app.post<{ Params: { flow: string } }>("/tap/:flow", (request) =>
    harness.tap.take(request.params.flow, request.body),
  );
}
