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
import { TwintrackError } from "../core/error.ts";
import { patchHistories } from "./chat-history.ts";
import { patchGraphs } from "./checkpoint.ts";
import { patchClassic } from "./classic-memory.ts";
import { currentContext, IN_SHADOW, type RunContext, runWithin } from "./context.ts";
import { derive } from "./derive.ts";
import {
  type CoreExports,
  installedClassics,
  installedCopies,
  installedGraphs,
} from "./installed.ts";
import { learnClasses } from "./message-record.ts";
import { patchModels } from "./model-interception.ts";
import { replace } from "./patch.ts";
import type { ToolObject } from "./shape.ts";

/** Patches the copy of LangChain that this tool comes from. Does nothing twice. */
export function interceptTools(tool: object): void {
  const owner = topmostOwner(tool, "call");
  if (owner && owner !== tool) patchCall(owner);
  if (isRunnableTool(tool)) patchInvoke(Object.getPrototypeOf(tool));
}

/** Patches every copy of LangChain and LangGraph that code in the folder `from` may have loaded. */
export async function interceptInstalled(from: string): Promise<void> {
  const copies = await installedCopies(from);
  for (const copy of copies) {
    patchTools(copy);
    patchModels(copy);
    patchHistories(copy);
  }
  const graphs = await installedGraphs(from);
  for (const copy of graphs) patchGraphs(copy);
  const [core] = copies;
  learnClasses(core, graphs[0]);
  if (core) for (const copy of await installedClassics(from)) patchClassic(copy, core);
}

function patchTools({ StructuredTool, RunnableToolLike }: CoreExports): void {
  if (typeof StructuredTool === "function") patchCall(StructuredTool.prototype);
  if (typeof RunnableToolLike === "function") patchInvoke(RunnableToolLike.prototype);
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

type Method = (this: ToolObject, ...args: unknown[]) => Promise<unknown>;

function patchCall(owner: object): void {
  replace<Method>(
    owner,
    "call",
    (original) =>
      function call(...args) {
        const context = currentContext();
        if (context?.kind === "run") return intercepted(this, context, original, args);
        return isStray(context) ? Promise.reject(strayCall(this)) : original.apply(this, args);
      },
  );
}

function intercepted(
  tool: ToolObject,
  context: RunContext,
  original: Method,
  args: unknown[],
): Promise<unknown> {
  const raw = argsOf(args[0]);
  const callId = callIdOf(args);
  const derived = derive(tool, (parsed, proceed) =>
    runWithin({ ...context, announced: false }, () =>
      context.interceptor.tool({ tool, parsed, raw, callId, proceed }),
    ),
  );
  return runWithin({ ...context, announced: true }, () => original.apply(derived, args));
}

/** A runnable made a tool has no `call`: its `invoke` parses a tool call and runs the runnable. */
function patchInvoke(owner: object): void {
  replace<Method>(
    owner,
    "invoke",
    (original) =>
      async function invoke(...args) {
        const context = currentContext();
        if (isStray(context)) throw strayCall(this);
        const proceed = () => original.apply(this, args);
        if (context?.kind !== "run") return proceed();
        const parsed = await parsedBy(this, args[0]);
        // What the schema refuses never reaches the runnable; LangChain words the refusal.
        return parsed === REFUSED
          ? proceed()
          : context.interceptor.tool({
              tool: this,
              parsed: parsed.args,
              raw: argsOf(args[0]),
              callId: callIdOf(args),
              proceed,
            });
      },
  );
}

/** A call of nobody's: in a shadow process, outside of any run and of our own tool server. */
function isStray(context: object | undefined): boolean {
  return IN_SHADOW && context === undefined;
}

function strayCall(tool: ToolObject): TwintrackError {
  return new TwintrackError(
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

/** LangChain hands the tool call on beside its arguments. */
function callIdOf([input, config]: readonly unknown[]): string | undefined {
  const call = isToolCall(input)
    ? input
    : (config as { toolCall?: ToolCallLike } | undefined)?.toolCall;
  return typeof call?.id === "string" ? call.id : undefined;
}

interface ToolCallLike {
  type: "tool_call";
  args: unknown;
  id?: unknown;
}

function isToolCall(input: unknown): input is ToolCallLike {
  return (
    typeof input === "object" && input !== null && "type" in input && input.type === "tool_call"
  );
}
