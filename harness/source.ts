/** Where tools and legacy chains come from. */
import { z } from "zod";
import type { ContractModes } from "../adapter/enforcement.ts";
import type { HttpChainOptions } from "../adapter/http-chain.ts";
import type { Effect } from "../core/effect.ts";

/** A Python object, `package.module:attribute`, loaded in the user's own interpreter. */
export interface PythonSource {
  python: string;
  /** Path of the interpreter; default: `VIRTUAL_ENV`, then `.venv` in `cwd`, then `python3`. */
  interpreter?: string;
  /** Where Python looks for the package; default: the folder of the config file. */
  cwd?: string;
  /** Added to the inherited environment. */
  env?: Record<string, string>;
  /** What is inherited: `true` (default) all, `false` nothing, or the names to pass on. */
  inheritEnv?: boolean | string[];
  /** Processes; more than one help tools that compute in Python. Default 1. */
  workers?: number;
  /** `process-per-call`: nothing a call leaves behind is seen by the next. Default `shared`. */
  isolation?: "shared" | "process-per-call";
  /** Threads for sync tools in each process. Default 32. */
  threads?: number;
  /** A Python object, `package.module:attribute`, that injects what JSON cannot: a store, a client. */
  bind?: string;
  /** Limits in milliseconds: of a start (30,000), of a call (60,000), of a cancelled call (1,000). */
  startTimeoutMs?: number;
  callTimeoutMs?: number;
  graceMs?: number;
}

export type ToolSource = (
  | { module: string; export?: string }
  | PythonSource
  | { tools: readonly unknown[] }
) & {
  /** What each tool does to the world, by the author's name; undeclared means `write`. */
  effects?: Record<string, Effect>;
  /**
   * What a tool gets beside its arguments (state, a user's id), by the author's name; callers cannot
   * send it. A tool that needs what nobody gives is listed as unsupported.
   */
  inject?: (tool: string) => Record<string, unknown> | undefined;
  /** How calls are held to the contracts. Default `{ input: "lenient", output: "warn" }`. */
  contract?: Pick<ContractModes, "input" | "output">;
};

/** A loader of a runnable, graph or function; the thing itself; a Python object; or an HTTP endpoint. */
export type LegacySource =
  | (() => unknown)
  | { invoke: unknown }
  | PythonSource
  | HttpSource
  /** A service that cannot be moved: it answers elsewhere, and a `TwintrackTracer` in it tells what it did. */
  | "tap";

/** A chain behind HTTP: LangServe's `/invoke`, LangGraph Server, or any endpoint that speaks JSON. */
export interface HttpSource extends Omit<HttpChainOptions, "timeoutMs"> {
  url: string;
}

/** Legacy in Python: `python("my_app.chain:chain")`. */
export function python(target: string, options: Omit<PythonSource, "python"> = {}): PythonSource {
  return { python: target, ...options };
}

/**
 * Legacy behind HTTP. LangServe, or any endpoint that takes `{ input }` and gives `{ output }`:
 * `http("https://…/invoke")`. LangGraph Server: `http("https://…", { langGraph: { assistantId } })`.
 * Anything else: `http("https://…", { request: (input) => body, response: (body) => output })`.
 */
export function http(url: string, options: Omit<HttpSource, "url"> = {}): HttpSource {
  return { url, ...options };
}

export function isHttp(source: LegacySource): source is HttpSource {
  return typeof source === "object" && "url" in source && !("invoke" in source);
}

/** What a service does before it answers is not seen from here. */
export function showsCalls(source: LegacySource | undefined): boolean {
  return source !== undefined && !isHttp(source);
}

export const anyFunction = z.custom<object>(
  (value) => typeof value === "function",
  "must be a function",
);
export const anyObject = z.custom<object>(
  (value) => typeof value === "object" && value !== null,
  "must be an object",
);
const effects = z.record(z.string(), z.enum(["read", "write"])).optional();
const contract = z
  .strictObject({
    input: z.enum(["lenient", "strict"]).optional(),
    output: z.enum(["off", "warn", "enforce"]).optional(),
  })
  .optional();
const anySource = { effects, contract, inject: anyFunction.optional() };
const pythonTarget = z
  .string()
  .regex(/^[\w.]+:[\w.]+$/, 'must look like "package.module:attribute"');
const pythonShape = {
  python: pythonTarget,
  bind: pythonTarget.optional(),
  interpreter: z.string().optional(),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  inheritEnv: z.union([z.boolean(), z.array(z.string())]).optional(),
  workers: z.int().positive().max(64).optional(),
  isolation: z.enum(["shared", "process-per-call"]).optional(),
  threads: z.int().positive().max(1_024).optional(),
  startTimeoutMs: z.number().positive().optional(),
  callTimeoutMs: z.number().positive().optional(),
  graceMs: z.number().positive().optional(),
};

/** What a configuration may say of a source of tools. */
export const toolSourceShape = z.union([
  z.strictObject({ module: z.string(), export: z.string().optional(), ...anySource }),
  z.strictObject({ ...pythonShape, ...anySource }),
  z.strictObject({ tools: z.array(z.unknown()), ...anySource }),
]);
