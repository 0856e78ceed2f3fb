/**
 * Shows tracers what a tool was really called with and what it really returned: callbacks are told
 * texts only. The bodies of tool classes are replaced once, in place; a call without a tracer among
 * its callbacks does nothing more than to look.
 */
import { observe } from "./derive.ts";
import { installedCopies } from "./installed.ts";
import { replace, replaceInherited } from "./patch.ts";
import type { ToolObject } from "./shape.ts";

/** A callback handler that wants to see the body of a tool call. */
export interface ToolWitness {
  toolCalled(runId: string, tool: ToolObject, args: unknown): void;
  toolReturned(runId: string, raw: unknown): void;
}

const WITNESS = Symbol.for("twintrack.tool-witness");

/** Marks a handler as a {@link ToolWitness}, also for another copy of this module. */
export function asWitness<T extends ToolWitness>(handler: T): T {
  return Object.defineProperty(handler, WITNESS, { value: true });
}

/** Patches every copy of `@langchain/core` that code in the folder `from` may have loaded. */
export async function traceInstalledTools(from: string): Promise<void> {
  for (const { StructuredTool } of await installedCopies(from)) {
    if (typeof StructuredTool !== "function") continue;
    const base = StructuredTool.prototype as object;
    replace<Invoke>(
      base,
      "invoke",
      (original) =>
        function invoke(...args) {
          openBodies(this, base);
          return original.apply(this, args);
        },
    );
  }
}

function openBodies(tool: ToolObject, base: object): void {
  try {
    replaceInherited<Body>(tool, "_call", base, witnessed);
  } catch {
    // A frozen class stays as it is: its calls are told as callbacks tell them.
  }
}

type Invoke = (this: ToolObject, ...args: unknown[]) => unknown;
type Body = (this: ToolObject, args: unknown, runManager: unknown, config: unknown) => unknown;

function witnessed(original: Body): Body {
  return function _call(args, runManager, config) {
    const { runId, witnesses } = witnessesOf(runManager);
    const proceed = () => original.call(this, args, runManager, config);
    if (witnesses.length === 0) return proceed();
    for (const witness of witnesses) witness.toolCalled(runId, this, args);
    return observe(proceed, {
      onReturn: (raw) => {
        for (const witness of witnesses) witness.toolReturned(runId, raw);
      },
    });
  };
}

function witnessesOf(runManager: unknown): { runId: string; witnesses: ToolWitness[] } {
  const { runId = "", handlers = [] } = (runManager ?? {}) as {
    runId?: string;
    handlers?: (object & { [WITNESS]?: true })[];
  };
  return { runId, witnesses: handlers.filter((one) => one[WITNESS]) as unknown as ToolWitness[] };
}
