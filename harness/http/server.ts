/** The HTTP face: flows for callers, health and metrics for operators, the report for people. */
import { randomBytes } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import { announceServer } from "../cli/desk.ts";
import { books } from "../store/books.ts";
import type { Harness } from "../twintrack.ts";
import { addFlowRoutes } from "./flows.ts";
import { isBearer } from "./key.ts";
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
  if (!LOOPBACK.includes(host) && !apiKey) {
    throw new TwintrackError(
      "BIND_REFUSED",
      `${host} can be reached from outside, and nothing authenticates callers`,
      { hint: "Set TWINTRACK_API_KEY (or TWINTRACK_API_KEY_FILE), or bind to 127.0.0.1." },
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
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new TwintrackError("REQUEST_INVALID", `There is no ${request.method} ${request.url}`),
      404,
    ),
  );
  if (apiKey) requireKey(app, apiKey);
  else requireLocalHost(app);
  addFlowRoutes(app, harness);
  addTapRoute(app, harness);
  addReportRoutes(app, harness, secret);
  addMcpRoute(app, harness);
  addHealthRoutes(app, harness);
  return app;
}

/** Health stays open for whoever restarts us; commands check a secret of their own. */
const OPEN_PATHS = ["/healthz", "/readyz", "/api/commands"];

function requireKey(app: FastifyInstance, apiKey: string): void {
  app.addHook("onRequest", async (request, reply) => {
    if (OPEN_PATHS.includes(request.url) || isBearer(request.headers.authorization, apiKey))
      return undefined;
    const refusal = new TwintrackError("UNAUTHENTICATED", "This server needs an API key", {
      hint: "Send Authorization: Bearer <key>.",
    });
    return sendProblem(reply, refusal);
  });
}

/** A page in a browser here may reach us under a name of its own (DNS rebinding); it says so in `Host`. */
function requireLocalHost(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    if (LOOPBACK.includes(request.hostname.replace(/^\[(.*)\]$/, "$1"))) return undefined;
    const refusal = new TwintrackError(
      "UNAUTHENTICATED",
      `Without an API key only this machine is served, not the host ${request.hostname}`,
      { hint: "Call 127.0.0.1, or set TWINTRACK_API_KEY." },
    );
    return sendProblem(reply, refusal, 403);
  });
}

function addHealthRoutes(app: FastifyInstance, harness: Harness): void {
  app.get("/healthz", () => ({ ok: true }));
  app.get("/readyz", async (_request, reply) => {
    const status = harness.status();
    // Not ready still answers flows: only what needs the database waits.
    const ready = status.database.ready && status.spool.problem === undefined;
    return reply.code(ready ? 200 : 503).send({ ready, ...status });
  });
  app.get("/metrics", async (_request, reply) => {
    const counted = await harness
      .database()
      .then(books)
      .catch(() => undefined);
    return reply.type("text/plain; version=0.0.4").send(renderMetrics(harness.status(), counted));
  });
}
