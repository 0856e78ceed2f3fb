/** In which run, if any, the code that now runs was called: it follows promises, timers and streams. */
import { AsyncLocalStorage } from "node:async_hooks";
import { permitEgress } from "./egress.ts";
import type { Memory } from "./memory.ts";
import type { ModelInterceptor } from "./model-interception.ts";
import type { ToolObject } from "./shape.ts";

/** One tool call inside a chain run. */
export interface InterceptedCall {
  tool: ToolObject;
  /** After the tool's own schema. */
  parsed: unknown;
  /** As the caller passed them. */
  raw: unknown;
  /** Of the model's tool call that this call answers. */
  callId?: string | undefined;
  /** Runs the author's function. */
  proceed: () => unknown;
}

export interface Interceptor {
  tool(call: InterceptedCall): unknown;
  model: ModelInterceptor;
  memory: Memory;
}

type Context =
  | { kind: "port" }
  | {
      kind: "run";
      interceptor: Interceptor;
      /** LangChain is about to reach the derived tool, so the call will not escape. */
      announced: boolean;
      /** A model call inside a model call is a part of it. */
      insideModel: boolean;
      /** What a memory does inside of itself is a part of it. */
      insideMemory: boolean;
    };

export type RunContext = Extract<Context, { kind: "run" }>;

const contexts = new AsyncLocalStorage<Context>();

/** Runs `work` so that every tool and model call in it, however deep, meets the interceptor. */
export function runIntercepted<T>(interceptor: Interceptor, work: () => T): T {
  const outset = { announced: false, insideModel: false, insideMemory: false };
  return contexts.run({ kind: "run", interceptor, ...outset }, work);
}

/** A shadow process is one from its start; reading the environment for each call would be felt. */
export const IN_SHADOW = process.env.TWINTRACK_ROLE === "shadow";

/**
 * Runs a call of our own tool server; a chain run around it keeps its say. Only in a shadow process
 * does it matter who called, so only there does the call carry it along.
 */
export function runAsPort<T>(work: () => T): T {
  const reaching = () => permitEgress(work);
  return IN_SHADOW && !contexts.getStore() ? contexts.run({ kind: "port" }, reaching) : reaching();
}

export function currentContext(): Context | undefined {
  return contexts.getStore();
}

export function runWithin<T>(context: RunContext, work: () => T): T {
  return contexts.run(context, work);
}

/** True while a call that LangChain announces is on its way to the interceptor. */
export function isAnnounced(): boolean {
  const context = contexts.getStore();
  return context?.kind === "run" && context.announced;
}
