/** `/mcp`: the wrapped tools over streamable HTTP, on the server's own port. */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import type { FastifyInstance } from "fastify";
import { catalogServer } from "../../adapter/catalog-server.ts";
import { mcpHttpHandler } from "../../adapter/mcp-server.ts";
import type { Harness } from "../twintrack.ts";

export function addMcpRoute(app: FastifyInstance, harness: Harness): void {
  const handler = harness.sides.catalog().then((catalog) => mcpHttpHandler(catalogServer(catalog)));
  handler.catch(() => undefined); // Told to whoever calls.
  app.all("/mcp", async (request, reply) => {
    const handle = await handler;
    const gone = new AbortController();
    // In 2026-07-28 a client cancels by closing the response stream.
    reply.raw.once("close", () => gone.abort());
    const response = await handle(
      new Request(`http://${request.headers.host ?? "localhost"}${request.url}`, {
        method: request.method,
        headers: request.headers as Record<string, string>,
        signal: gone.signal,
        ...(request.body === undefined || request.body === null
          ? {}
          : { body: JSON.stringify(request.body) }),
      }),
    );
    response.headers.forEach((value, name) => void reply.header(name, value));
    return reply
      .code(response.status)
      .send(response.body === null ? "" : Readable.fromWeb(response.body as ReadableStream));
  });
}
