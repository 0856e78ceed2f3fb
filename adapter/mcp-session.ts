/**
 * Sessions of 2025-era clients over HTTP.
 *
 * These clients cancel a call, and hear of a changed list, in requests of their own; without a
 * session, nobody could tell to which call or client such a request belongs. The 2026-07-28
 * revision has no sessions, and clients that never open one are served without.
 */
import { randomUUID } from "node:crypto";
import {
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { failure } from "./mcp-body.ts";

interface Session {
  server: Server;
  transport: WebStandardStreamableHTTPServerTransport;
}

export interface Sessions {
  /** Undefined for a request that neither opens a session nor belongs to one. */
  handle(request: Request, body: unknown): Promise<Response> | undefined;
  close(): Promise<void>;
}

/** Clients often leave without a word; beyond this many, the one silent for longest is closed. */
const MAX_SESSIONS = 1_000;

const SESSION_HEADER = "mcp-session-id";
const METHOD_HEADER = "mcp-method";
const NOT_FOUND = 404;
const SESSION_UNKNOWN = -32_001;

export function openSessions(serverOf: () => Server): Sessions {
  /** In the order of their last request. */
  const sessions = new Map<string, Session>();

  async function open(request: Request, body: unknown): Promise<Response> {
    const server = serverOf();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await server.connect(transport);
    const response = await transport.handleRequest(request, { parsedBody: body });
    const [silent] = sessions.size > MAX_SESSIONS ? sessions : [];
    if (silent) await end(...silent);
    return response;
  }

  async function end(id: string, { server }: Session): Promise<void> {
    sessions.delete(id);
    await server.close();
  }

  return {
    handle(request, body) {
      const id = request.headers.get(SESSION_HEADER);
      // A request that names its method in a header is of a revision without sessions.
      if (request.headers.has(METHOD_HEADER)) return undefined;
      if (id === null) return isInitialize(body) ? open(request, body) : undefined;
      const session = sessions.get(id);
      if (!session) return Promise.resolve(failure(NOT_FOUND, SESSION_UNKNOWN, UNKNOWN));
      sessions.delete(id);
      sessions.set(id, session);
      const parsedBody = body === undefined ? {} : { parsedBody: body };
      return session.transport.handleRequest(request, parsedBody);
    },
    async close() {
      await Promise.all([...sessions].map(([id, session]) => end(id, session)));
    },
  };
}

const UNKNOWN = "This session is not known, or was closed because it was silent; initialize again";

function isInitialize(body: unknown): boolean {
  const messages = Array.isArray(body) ? body : [body];
  return messages.some((message) => (message as { method?: unknown })?.method === "initialize");
}
