/**
 * The door: which route needs which role, who the caller is, and how often he may guess.
 *
 * Every route is in the table; one that is not cannot be registered. Without any key only this
 * machine is served, and may do everything but commands. With keys every caller needs one.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { TwintrackError } from "../../core/error.ts";
import type { KeyRecord } from "../access/api-key.ts";
import type { KeyBook } from "../access/key-book.ts";
import { may, type Role } from "../access/role.ts";
import { isBearer } from "./key.ts";
import { sendProblem } from "./problem.ts";

/** `open`: for whoever restarts us. `itself`: the route checks what is asked of it. */
export type Access = Role | "open" | "itself";

export const ROUTES: Readonly<Record<string, Access>> = {
  "POST /flows/:flow/invoke": "ingest",
  "POST /flows/:flow/stream": "ingest",
  "POST /tap/:flow": "ingest",
  "* /mcp": "ingest",
  "GET /": "viewer",
  "GET /api/report": "viewer",
  "GET /metrics": "viewer",
  "POST /api/commands": "itself",
  "GET /healthz": "open",
  "GET /readyz": "open",
};

export interface Door {
  /** A key from the environment: it may do everything. */
  adminKey: string | undefined;
  /** Of commands from this machine: only this user can read it. */
  secret: string;
  keys: KeyBook;
  /** Names under which this machine is reached. */
  loopback: readonly string[];
}

/** @returns undefined for a route that is not in the table */
function accessOf(method: string, url: string): Access | undefined {
  // Fastify answers HEAD wherever it answers GET.
  return ROUTES[`${method === "HEAD" ? "GET" : method} ${url}`] ?? ROUTES[`* ${url}`];
}

export function guard(app: FastifyInstance, door: Door, clock: () => number = Date.now): void {
  const guesses = openGuesses(clock);
  app.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) {
      if (accessOf(one, url) === undefined)
        throw new Error(`${one} ${url} is in no table of access; add it in harness/http/access.ts`);
    }
  });
  // Without a promise: every trigger comes through here.
  app.addHook("onRequest", (request, reply, next) => {
    const refusal = refusalOf(request, door, guesses);
    if (refusal === undefined) return next();
    if (refusal.retryAfterS !== undefined) void reply.header("retry-after", refusal.retryAfterS);
    void sendProblem(reply, refusal.error, undefined, refusal.httpStatus);
  });
}

/** Why a request may not go on, and with which status if not the error's own. */
interface Refusal {
  error: TwintrackError;
  httpStatus?: number;
  retryAfterS?: number;
}

function refusalOf(request: FastifyRequest, door: Door, guesses: Guesses): Refusal | undefined {
  const { url } = request.routeOptions;
  // What is not found is said to everybody alike, once he may be here at all.
  const access = url === undefined ? "viewer" : (accessOf(request.method, url) ?? "admin");
  if (access === "open") return undefined;
  if (!needsKey(door)) return isFromThisMachine(request, door) ? undefined : fromElsewhere(request);
  if (access === "itself" && isBearer(request.headers.authorization, door.secret)) return undefined;
  const role = roleOf(request, door);
  if (role === undefined) return guesses.isOver(request.ip) ? TOO_MANY : NO_KEY;
  const isAllowed = url === undefined || access === "itself" || may(role, access);
  return isAllowed ? undefined : { error: forbidden(role, access) };
}

function needsKey({ adminKey, keys }: Door): boolean {
  return adminKey !== undefined || keys.isUsed();
}

/** The role that a request's key gives; undefined without one. */
function roleOf(request: FastifyRequest, door: Door): Role | undefined {
  const isAdmin =
    door.adminKey !== undefined && isBearer(request.headers.authorization, door.adminKey);
  return isAdmin ? "admin" : recordOf(request, door)?.role;
}

function recordOf(request: FastifyRequest, { keys }: Door): KeyRecord | undefined {
  const key = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  return key === undefined ? undefined : keys.recordOf(key);
}

/** May see more than that we are there. */
export function mayRead(request: FastifyRequest, door: Door): boolean {
  const role = roleOf(request, door);
  return !needsKey(door) || (role !== undefined && may(role, "viewer"));
}

/**
 * Who commands: this machine's own user, who says his name himself, or the owner of a key, whose name
 * is the key's.
 *
 * @throws {TwintrackError} `UNAUTHENTICATED`
 */
export function commanderOf(request: FastifyRequest, door: Door): { role: Role; who?: string } {
  if (isBearer(request.headers.authorization, door.secret)) return { role: "admin" };
  const record = recordOf(request, door);
  if (record) return { role: record.role, who: record.name };
  if (roleOf(request, door) === "admin") return { role: "admin", who: "TWINTRACK_API_KEY" };
  throw new TwintrackError(
    "UNAUTHENTICATED",
    "Commands need an API key, or the secret in server-<pid>.json of the data folder",
    { hint: "Send Authorization: Bearer <key>." },
  );
}

export function forbidden(role: Role, needed: string): TwintrackError {
  return new TwintrackError("FORBIDDEN", `A ${role} key may not do this; it needs ${needed}`, {
    hint: `Make one: twintrack keys add --role ${needed} --name …`,
  });
}

/** A page in a browser here may reach us under a name of its own (DNS rebinding); it says so in `Host`. */
function isFromThisMachine({ hostname }: FastifyRequest, { loopback }: Door): boolean {
  return loopback.includes(hostname) || loopback.includes(hostname.replace(/^\[(.*)\]$/, "$1"));
}

function fromElsewhere({ hostname }: FastifyRequest): Refusal {
  const text = `Without an API key only this machine is served, not the host ${hostname}`;
  const hint = "Call 127.0.0.1, or set TWINTRACK_API_KEY.";
  return { error: new TwintrackError("UNAUTHENTICATED", text, { hint }), httpStatus: 403 };
}

const MAX_GUESSES = 20;
const WINDOW_MS = 60_000;

const NO_KEY: Refusal = {
  error: new TwintrackError("UNAUTHENTICATED", "This server needs an API key", {
    hint: "Send Authorization: Bearer <key>.",
  }),
};

const TOO_MANY: Refusal = {
  error: new TwintrackError(
    "TOO_MANY_ATTEMPTS",
    `More than ${MAX_GUESSES} wrong keys within a minute`,
    {
      hint: "Wait a minute, and send the right key.",
    },
  ),
  retryAfterS: WINDOW_MS / 1_000,
};

const MAX_ADDRESSES = 10_000;

interface Guesses {
  isOver(address: string): boolean;
}

/**
 * Wrong keys by address. A right key always passes: behind one proxy all callers have one address,
 * and whoever guesses must not shut the others out.
 */
function openGuesses(clock: () => number): Guesses {
  const wrong = new Map<string, { count: number; sinceMs: number }>();
  return {
    isOver(address) {
      const now = clock();
      const known = wrong.get(address);
      const entry = known && now - known.sinceMs < WINDOW_MS ? known : { count: 0, sinceMs: now };
      entry.count++;
      wrong.delete(address);
      wrong.set(address, entry);
      const [oldest] = wrong.keys();
      if (wrong.size > MAX_ADDRESSES && oldest !== undefined) wrong.delete(oldest);
      return entry.count > MAX_GUESSES;
    },
  };
}
