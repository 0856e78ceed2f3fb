/** `/mcp`: the wrapped tools over streamable HTTP, on the server's own port. */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import type { FastifyInstance } from "fastify";
import type { Catalog } from "../../adapter/catalog.ts";
import { catalogServer } from "../../adapter/catalog-server.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { noteMcpTool } from "../store/mcp-tools.ts";
import type { Harness } from "../twintrack.ts";

export function addMcpRoute(server: FastifyInstance, harness: Harness): void {
  server.register((app, _options, done) => {
    // As it came: the protocol reads it in its own way.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, parsed) =>
      parsed(null, body),
    );
    addRoute(app, harness);
    done();
  });
}

function addRoute(app: FastifyInstance, harness: Harness): void {
  const tools = harness.sides.catalog().then((catalog) => catalogServer(noted(catalog, harness)));
  tools.catch(() => undefined); // Told to whoever calls.
  let handler: ReturnType<typeof handlerOf> | undefined;
  app.all("/mcp", async (request, reply) => {
    handler ??= handlerOf(tools);
    const handle = await handler;
    const gone = new AbortController();
    // In 2026-07-28 a client cancels by closing the response stream.
    reply.raw.once("close", () => gone.abort());
    const response = await handle(
      new Request(`http://${request.headers.host ?? "localhost"}${request.url}`, {
        method: request.method,
        headers: request.headers as Record<string, string>,
        signal: gone.signal,
        ...(request.body instanceof Uint8Array ? { body: request.body } : {}),
      }),
    );
    response.headers.forEach((value, name) => void reply.header(name, value));
    return reply
      .code(response.status)
      .send(response.body === null ? "" : Readable.fromWeb(response.body as ReadableStream));
  });
}

/** The protocol is a quarter of what a server loads, and most servers are never asked for it. */
async function handlerOf(tools: Promise<ToolServer>) {
  const { mcpHttpHandler } = await import("../../adapter/mcp-server.ts");
  return mcpHttpHandler(await tools);
}

/** A call is told to the store once a minute and never waited for: retiring asks who still calls. */
function noted(catalog: Catalog, harness: Harness): Catalog {
  const toldAt = new Map<string, number>();
  return {
    ...catalog,
    callTool(name, args, options) {
      const now = Date.now();
      if (now - (toldAt.get(name) ?? 0) > TELL_EVERY_MS) {
        toldAt.set(name, now);
        const telling = harness.database().then((db) => noteMcpTool(db, name));
        telling.catch(() => toldAt.delete(name)); // The next call tells it.
      }
      return catalog.callTool(name, args, options);
    },
  };
}

const TELL_EVERY_MS = 60_000;
