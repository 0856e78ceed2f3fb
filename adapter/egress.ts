/**
 * The egress guard of a shadow process: what code there does past LangChain's tools.
 *
 * A shadow run may reach the world only where a tool or a model call that may run does it. Any other
 * socket, datagram or command is refused and told to the run that tried, which makes it a difference
 * of effects. Files are guarded by Node's own permission model (`--allow-fs-write`), which no code in
 * the process can lift. A socket that a permitted call has opened and left open is not seen again.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import childProcess from "node:child_process";
import dgram from "node:dgram";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import workerThreads from "node:worker_threads";
import { TwintrackError } from "../core/error.ts";
import type { ToolCall } from "../core/ledger.ts";
import { serializeError } from "../core/outcome.ts";

/** What a shadow may reach although no tool does it. */
export interface EgressRules {
  /** `host`, `host:port`, or `*.domain`; a path for a local socket. */
  hosts?: readonly string[];
  /** Other processes, of any kind. Default false. */
  commands?: boolean;
  /** Folders that may be written to, beside the system's temporary one. */
  files?: readonly string[];
}

/** Set once there is a guard. */
let rules: EgressRules | undefined;

const ROLE = "TWINTRACK_ROLE";
const RULES = "TWINTRACK_EGRESS";

/** The environment that makes a process a shadow, and its Python children as well. */
export function shadowEnvironment(given: EgressRules): NodeJS.ProcessEnv {
  return { ...process.env, [ROLE]: "shadow", [RULES]: JSON.stringify(given) };
}

/** Names that a child gets whatever else it inherits. */
export const SHADOW_VARIABLES: readonly string[] = [ROLE, RULES];

/** Takes one refused try, in words for the report: `connect db.internal:5432`. */
type NoteAttempt = (attempt: string) => void;

const watched = new AsyncLocalStorage<NoteAttempt | "permitted">();

/**
 * A run, with what the guard refused to it among its calls: as writes of a tool called `egress`, which
 * nothing on the other side can equal.
 */
export async function withAttempts<R extends { calls: ToolCall[] }>(
  work: () => Promise<R>,
): Promise<R> {
  const startedAt = performance.now();
  const attempts: ToolCall[] = [];
  const note = (attempt: string) => {
    attempts.push(attemptedCall(attempt, attempts.length, performance.now() - startedAt));
  };
  const run = await watched.run(note, work);
  return attempts.length === 0 ? run : { ...run, calls: [...run.calls, ...attempts] };
}

function attemptedCall(attempt: string, occurrence: number, startedAtMs: number): ToolCall {
  return {
    tool: "egress",
    args: attempt,
    effect: "write",
    occurrence,
    outcome: { status: "threw", error: serializeError(refused(attempt)) },
    startedAtMs,
    durationMs: 0,
    served: "refused",
  };
}

/** For our own machinery, and for calls that may reach the world. */
export function permitEgress<T>(work: () => T): T {
  return rules === undefined ? work() : watched.run("permitted", work);
}

/** Installs the guard in this process, for good: what user code opens while it loads would stay open. */
export function guardEgress(): void {
  rules = JSON.parse(process.env[RULES] ?? "{}") as EgressRules;
  guardSockets();
  guardDatagrams();
  guardCommands();
  guardThreads();
  guardSignals();
  syncBuiltinESMExports();
}

// biome-ignore lint/suspicious/noExplicitAny: methods of Node's own classes, passed through as they are
type AnyMethod = (this: any, ...args: any[]) => any;

function before(owner: object, member: string, check: (args: unknown[]) => void): void {
  const original = (owner as Record<string, AnyMethod>)[member];
  if (typeof original !== "function") return;
  Object.defineProperty(owner, member, {
    configurable: true,
    writable: true,
    value: function guarded(this: unknown, ...args: unknown[]) {
      check(args);
      return original.apply(this, args);
    },
  });
}

function guardSockets(): void {
  before(net.Socket.prototype, "connect", (args) => {
    const place = placeOf(args);
    if (!isAllowedHost(place)) refuse(`connect ${place}`);
  });
}

/** Of the ways to call `connect`: `(options)`, `(port, host)`, `(path)`, and Node's own `([options, callback])`. */
function placeOf([first, second]: unknown[]): string {
  const given = Array.isArray(first) ? first[0] : first;
  if (typeof given === "string" && Number.isNaN(Number(given))) return given;
  if (typeof given !== "object" || given === null)
    return `${typeof second === "string" ? second : "localhost"}:${String(given)}`;
  const { path, host, port } = given as { path?: string; host?: string; port?: unknown };
  return path ?? `${host ?? "localhost"}:${String(port)}`;
}

function guardDatagrams(): void {
  for (const member of ["send", "connect"]) {
    before(dgram.Socket.prototype, member, (args) => {
      const host = args.findLast((arg) => typeof arg === "string") ?? "localhost";
      const port = args.find((arg) => typeof arg === "number");
      const place = `${String(host)}:${String(port)}`;
      if (!isAllowedHost(place)) refuse(`send to ${place}`);
    });
  }
}

function guardCommands(): void {
  const check = (what: (args: unknown[]) => unknown) => (args: unknown[]) => {
    if (!rules?.commands) refuse(`run ${String(what(args))}`);
  };
  const { ChildProcess } = childProcess;
  const fileOf = (args: unknown[]) => (args[0] as { file?: string } | undefined)?.file;
  before(ChildProcess.prototype, "spawn", check(fileOf));
  for (const member of ["spawnSync", "execSync", "execFileSync"])
    before(
      childProcess,
      member,
      check(([file]) => file),
    );
}

/** A thread has builtin modules of its own, and no guard. */
function guardThreads(): void {
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      if (!rules?.commands) refuse(`start a thread with ${String(args[0])}`);
      super(...args);
    }
  };
}

function guardSignals(): void {
  before(process, "chdir", ([folder]) => refuse(`change to folder ${String(folder)}`));
  before(process, "kill", ([pid]) => {
    if (pid !== process.pid) refuse(`signal process ${String(pid)}`);
  });
}

function isAllowedHost(place: string): boolean {
  return (rules?.hosts ?? []).some((rule) => {
    const host = place.replace(/:\w+$/, "");
    if (rule.startsWith("*.")) return host.endsWith(rule.slice(1));
    return rule === place || rule === host;
  });
}

/** @throws {TwintrackError} `EGRESS_REFUSED`, unless a tool or a model call does it. */
function refuse(attempt: string): void {
  const watcher = watched.getStore();
  if (watcher === "permitted") return;
  watcher?.(attempt);
  throw refused(attempt);
}

function refused(attempt: string): TwintrackError {
  return new TwintrackError(
    "EGRESS_REFUSED",
    `A shadow run tried to ${attempt} outside of a tool; it was not done`,
    {
      hint: "Make it a tool, or allow it: egress: { hosts, files, commands } in the configuration.",
    },
  );
}
