/** The HTTP face: flows for callers, health and metrics for operators, the report for people. */
import { randomBytes } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { announceServer } from "../cli/desk.ts";
import { privacyOf } from "../privacy/privacy.ts";
import { books } from "../store/books.ts";
import type { Harness } from "../twintrack.ts";
import { type Door, guard, mayRead } from "./access.ts";
import { addFlowRoutes } from "./flows.ts";
import { addMcpRoute } from "./mcp.ts";
import { renderMetrics } from "./metrics.ts";
import { BODY_LIMIT_BYTES, sendProblem } from "./problem.ts";
import { addReportRoutes } from "./report.ts";
import { addTapRoute } from "./tap.ts";

export interface ServerOptions {
  /** Default 127.0.0.1; another address needs an API key. */
  host?: string;
  /** Default 4100; 0 takes a free one. */
  port?: number;
  /** Callers send `Authorization: Bearer <key>`. Without one, only this machine may call. */
  apiKey?: string;
}

export interface Server {
  url: string;
  /** Stops taking requests, lets running ones end, and closes. */
  close(): Promise<void>;
}

const LOOPBACK = ["127.0.0.1", "localhost", "::1"];

export async function serve(harness: Harness, options: ServerOptions = {}): Promise<Server> {
  const { host = "127.0.0.1", port = 4100, apiKey } = options;
  if (!LOOPBACK.includes(host) && !apiKey && !harness.keys.isUsed()) {
    throw new TwintrackError(
      "BIND_REFUSED",
      `${host} can be reached from outside, and nothing authenticates callers`,
      {
        hint: "Set TWINTRACK_API_KEY (or TWINTRACK_API_KEY_FILE), make a key (twintrack keys add), or bind to 127.0.0.1.",
      },
    );
  }
  // Commands from this machine have a secret of their own, so that no shared key is needed for them.
  const secret = randomBytes(32).toString("hex");
  const app = buildApp(harness, secret, apiKey);
  const url = await app.listen({ host, port }).catch((cause: NodeJS.ErrnoException) => {
    throw new TwintrackError(
      "BIND_FAILED",
      `Port ${port} on ${host} cannot be opened: ${cause.message}`,
      { cause, hint: `Choose another with --port, or stop what uses ${port}.` },
    );
  });
  const withdraw = announceServer(harness.config, { url: loopbackUrl(url), secret });
  return {
    url,
    close: async () => {
      withdraw();
      await app.close();
    },
  };
}

/** Where this machine reaches a server that listens on every address. */
function loopbackUrl(url: string): string {
  return url.replace(/\/\/(0\.0\.0\.0|\[::\])/, "//127.0.0.1");
}

function buildApp(harness: Harness, secret: string, apiKey: string | undefined): FastifyInstance {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: "idle" });
  const { mask } = privacyOf(harness.config);
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, error, mask));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new TwintrackError("REQUEST_INVALID", `There is no ${request.method} ${request.url}`),
      mask,
      404,
    ),
  );
  const door: Door = { adminKey: apiKey, secret, keys: harness.keys, loopback: LOOPBACK };
  guard(app, door);
  addFlowRoutes(app, harness);
  addTapRoute(app, harness);
  addReportRoutes(app, harness, door);
  addMcpRoute(app, harness);
  addHealthRoutes(app, harness, door);
  return app;
}

function addHealthRoutes(app: FastifyInstance, harness: Harness, door: Door): void {
  app.get("/healthz", () => ({ ok: true }));
  app.get("/readyz", async (request, reply) => {
    const status = harness.status();
    // Not ready still answers flows: only what needs the database waits.
    const ready = status.database.ready && status.spool.problem === undefined;
    // Whoever restarts us needs no more than the first word.
    const told = mayRead(request, door) ? { ready, ...status } : { ready };
    return reply.code(ready ? 200 : 503).send(told);
  });
  app.get("/metrics", async (_request, reply) => {
    const counted = await harness
      .database()
      .then(books)
      .catch(() => undefined);
    return reply.type("text/plain; version=0.0.4").send(renderMetrics(harness.status(), counted));
  });
}
