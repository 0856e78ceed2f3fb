/**
 * Where LangChain itself calls tools: one patch per loaded copy of `@langchain/core`.
 *
 * `StructuredTool.prototype.call` is on the way of every tool call, whoever makes it (an agent, a
 * graph's tool node, the user's own code). The patch asks in which context it runs:
 *
 * - in a chain run, the run's interceptor decides (record, answer from a record, refuse);
 * - in a call made by our own tool server, and outside of everything, it is transparent;
 * - in a shadow process, outside of both, the call is refused: nothing there may touch the world
 *   except through the ledger, even a call that lost its run on the way.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { createRequire, findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TwintrackError } from "../core/error.ts";
import { derive } from "./derive.ts";
import type { ToolObject } from "./shape.ts";

/** One tool call inside a chain run. */
export interface InterceptedCall {
  tool: ToolObject;
  /** After the tool's own schema. */
  parsed: unknown;
  /** As the caller passed them. */
  raw: unknown;
  /** Runs the author's function. */
  proceed: () => unknown;
}

export type Interceptor = (call: InterceptedCall) => unknown;

type Context =
  | { kind: "port" }
  /** `announced`: LangChain is about to reach the derived tool, so the call will not escape. */
  | { kind: "run"; interceptor: Interceptor; announced: boolean };

const contexts = new AsyncLocalStorage<Context>();
const PATCHED = Symbol.for("twintrack.intercepted");

/** Runs `work` so that every tool call in it, however deep, meets the interceptor. */
export function runIntercepted<T>(interceptor: Interceptor, work: () => T): T {
  return contexts.run({ kind: "run", interceptor, announced: false }, work);
}

/** Runs a call of our own tool server; a chain run around it keeps its say. */
export function runAsPort<T>(work: () => T): T {
  return contexts.getStore() ? work() : contexts.run({ kind: "port" }, work);
}

/** True while a call that LangChain announces is on its way to the interceptor. */
export function isAnnounced(): boolean {
  const context = contexts.getStore();
  return context?.kind === "run" && context.announced;
}

/** Patches the copy of LangChain that this tool comes from. Does nothing twice. */
export function interceptTools(tool: object): void {
  const owner = topmostOwner(tool, "call");
  if (owner && owner !== tool) patchCall(owner);
  if (isRunnableTool(tool)) patchInvoke(Object.getPrototypeOf(tool));
}

/** Patches every copy of `@langchain/core` that code in the folder `from` may have loaded. */
export async function interceptInstalled(from: string): Promise<void> {
  const base = pathToFileURL(join(from, "index.js"));
  const parents = [
    base,
    ...["langchain", "@langchain/langgraph"].flatMap((name) => found(name, base)),
  ];
  const manifests = parents.flatMap((parent) => found("@langchain/core", parent));
  for (const manifest of new Set(manifests.map(String))) {
    const { imported, required } = copiesOf(manifest);
    patchExports(...(await Promise.all(imported.map(load))));
    const require = createRequire(manifest);
    // CommonJS and ESM builds are two copies; the first is patched only where it is in use.
    patchExports(...required.filter((file) => file in require.cache).map((file) => require(file)));
  }
}

function load(file: string): Promise<object> {
  return import(pathToFileURL(file).href) as Promise<object>;
}

function found(name: string, parent: URL | string): string[] {
  try {
    const manifest = findPackageJSON(name, parent);
    return manifest === undefined ? [] : [pathToFileURL(manifest).href];
  } catch {
    return []; // Not installed: then nothing can have loaded it.
  }
}

interface Manifest {
  exports?: Record<string, { import?: { default?: string }; require?: { default?: string } }>;
}

function copiesOf(manifest: string): { imported: string[]; required: string[] } {
  const { exports = {} } = JSON.parse(readFileSync(new URL(manifest), "utf8")) as Manifest;
  const folder = dirname(fileURLToPath(manifest));
  const entries = ["./tools", "./runnables"].map((entry) => exports[entry]);
  const files = (paths: (string | undefined)[]) =>
    paths.filter((path) => path !== undefined).map((path) => join(folder, path));
  return {
    imported: files(entries.map((entry) => entry?.import?.default)),
    required: files(entries.map((entry) => entry?.require?.default)),
  };
}

function patchExports(...modules: object[]): void {
  for (const { StructuredTool, RunnableToolLike } of modules as Record<string, unknown>[]) {
    if (typeof StructuredTool === "function") patchCall(StructuredTool.prototype);
    if (typeof RunnableToolLike === "function") patchInvoke(RunnableToolLike.prototype);
  }
}

function topmostOwner(object: object, member: string): object | undefined {
  let owner: object | undefined;
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, member)) owner = at;
  }
  return owner;
}

function isRunnableTool(tool: object): boolean {
  const { lc_name } = tool.constructor as { lc_name?: unknown };
  return typeof lc_name === "function" && lc_name.call(tool.constructor) === "RunnableToolLike";
}

type Method = (this: ToolObject, input: unknown, ...rest: unknown[]) => Promise<unknown>;

function replace(owner: object, member: string, patch: (original: Method) => Method): void {
  if (Object.hasOwn(owner, PATCHED)) return;
  const original = (owner as Record<string, unknown>)[member] as Method;
  Object.defineProperty(owner, PATCHED, { value: true });
  Object.defineProperty(owner, member, {
    value: patch(original),
    writable: true,
    configurable: true,
  });
}

function patchCall(owner: object): void {
  replace(
    owner,
    "call",
    (original) =>
      async function call(input, ...rest) {
        const context = contexts.getStore();
        if (context?.kind !== "run")
          return passed(this, context, () => original.call(this, input, ...rest));
        const derived = derive(this, (parsed, proceed) =>
          contexts.run({ ...context, announced: false }, () =>
            context.interceptor({ tool: this, parsed, raw: argsOf(input), proceed }),
          ),
        );
        return contexts.run({ ...context, announced: true }, () =>
          original.call(derived, input, ...rest),
        );
      },
  );
}

/** A runnable made a tool has no `call`: its `invoke` parses a tool call and runs the runnable. */
function patchInvoke(owner: object): void {
  replace(
    owner,
    "invoke",
    (original) =>
      async function invoke(input, ...rest) {
        const context = contexts.getStore();
        const proceed = () => original.call(this, input, ...rest);
        if (context?.kind !== "run") return passed(this, context, proceed);
        const parsed = await parsedBy(this, input);
        // What the schema refuses never reaches the runnable; LangChain words the refusal.
        return parsed === REFUSED
          ? proceed()
          : context.interceptor({ tool: this, parsed: parsed.args, raw: argsOf(input), proceed });
      },
  );
}

function passed<T>(tool: ToolObject, context: Context | undefined, proceed: () => T): T {
  if (context || process.env.TWINTRACK_ROLE !== "shadow") return proceed();
  throw new TwintrackError(
    "EFFECT_REFUSED",
    `${tool.name} was called in a shadow process outside of any run; it was not executed`,
    { hint: "Call tools while the chain runs, and await what calls them." },
  );
}

const REFUSED = Symbol("refused by the schema");

async function parsedBy(
  tool: ToolObject,
  input: unknown,
): Promise<{ args: unknown } | typeof REFUSED> {
  const schema = tool.schema as { parseAsync?: (value: unknown) => Promise<unknown> } | undefined;
  if (!isToolCall(input) || !schema?.parseAsync) return { args: argsOf(input) };
  try {
    return { args: await schema.parseAsync(input.args) };
  } catch {
    return REFUSED;
  }
}

function argsOf(input: unknown): unknown {
  return isToolCall(input) ? input.args : input;
}

function isToolCall(input: unknown): input is { type: "tool_call"; args: unknown } {
  return (
    typeof input === "object" && input !== null && "type" in input && input.type === "tool_call"
  );
}
