/** One call of a LangChain tool in this process: through `invoke`, with the raw value kept. */
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../core/json.ts";
import { holdsLongInteger, rounded } from "../core/long-integer.ts";
import type { ToolCallOptions, ToolResult } from "../core/tool.ts";
import type { CommandPolicy } from "./command.ts";
import { errorResult, toolResult } from "./content.ts";
import { runAsPort } from "./context.ts";
import { withinLimits } from "./deadline.ts";
import { derive, type Generator, isGenerator } from "./derive.ts";
import type { KnownTool } from "./listing.ts";
import { runnableConfig } from "./runnable-config.ts";

let callCount = 0;

/** What happens during one call that its result has to tell. */
interface Call {
  raw?: unknown;
  signal?: AbortSignal | undefined;
  onItem?: ((item: unknown) => void) | undefined;
}

/** What the host of the tools says of every call. */
export interface Hosting {
  /**
   * What the host gives a tool beside its arguments (context, store, state), by the author's name.
   * A key whose value is undefined promises that every call brings it.
   */
  inject?: (originalName: string) => Injected | undefined;
  /** What a returned LangGraph `Command` becomes: an error with a hint (default), or data. */
  commands?: CommandPolicy;
}

type Injected = Readonly<Record<string, unknown>>;

/** A call that could not be made, or was given up, is an error; what the tool threw is a result. */
export async function invokeTool(
  known: KnownTool,
  args: JsonValue,
  options: ToolCallOptions,
  { inject, commands = "error" }: Hosting,
): Promise<ToolResult> {
  const bound = inject?.(known.tool.name);
  const refused = known.enforced.refusal(args);
  if (refused) return refused;
  const startedAt = performance.now();
  const { tool } = known;
  const call: Call = { onItem: itemsAsProgress(options.onProgress) };
  const observed = tool._call ? derive(tool, around(call)) : tool;
  const id = `twintrack-${++callCount}`;
  const input = envelope(known, id, args);
  try {
    const output = await withinLimits(tool.name, options, (signal) => {
      call.signal = signal;
      return runAsPort(() => observed.invoke(input, configOf(id, call, options, bound)));
    });
    const raw = "raw" in call ? call.raw : output;
    const durationMs = performance.now() - startedAt;
    return known.enforced.judged(toolResult({ output, raw, durationMs, commands }));
  } catch (thrown) {
    if (thrown instanceof TwintrackError) throw thrown;
    return errorResult(thrown, performance.now() - startedAt);
  }
}

/** What LangChain calls the runtime: a graph's tool node gives its tools the same members. */
function configOf(
  id: string,
  { signal, onItem }: Call,
  { inject, metadata, config: given }: ToolCallOptions,
  bound: Injected | undefined,
): object {
  const host = { ...bound, ...inject };
  const config: Record<string, unknown> = given ? underHost(runnableConfig(given), host) : host;
  config.toolCallId = id;
  if (onItem) config.writer ??= onItem;
  if (metadata) config.metadata = { ...(config.metadata as object), ...metadata };
  if (signal) config.signal = signal;
  return config;
}

/** What the host binds is not for a caller to choose; what it leaves open is. */
function underHost(run: JsonObject, host: Injected): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...run, ...host };
  for (const key of ["configurable", "metadata"]) {
    const [asked, bound] = [run[key], host[key]];
    if (isJsonObject(asked) && isJsonObject(bound)) merged[key] = { ...asked, ...bound };
  }
  return merged;
}

function around(call: Call) {
  return (_args: unknown, proceed: () => unknown, runManager: unknown) => {
    const keep = (returned: unknown) => kept(call, returned, runManager);
    const returned = proceed();
    // A promise more for each call would be felt: this is on the way of all of them.
    return returned instanceof Promise ? returned.then(keep) : keep(returned);
  };
}

function kept(call: Call, returned: unknown, runManager: unknown): unknown {
  if (isGenerator(returned)) {
    return drained(returned, call, runManager).then((value) => {
      call.raw = value;
      return value;
    });
  }
  call.raw = returned;
  return returned;
}

interface ToolEvents {
  handleToolEvent?(item: unknown): Promise<void>;
}

/** Here and not by LangChain, whose 0.x would return the generator itself. */
async function drained(
  generator: Generator,
  { signal, onItem }: Call,
  runManager: unknown,
): Promise<unknown> {
  const events = runManager as ToolEvents | undefined;
  try {
    let item = await generator.next();
    while (!item.done) {
      signal?.throwIfAborted();
      onItem?.(item.value);
      await events?.handleToolEvent?.(item.value);
      item = await generator.next();
    }
    return item.value;
  } finally {
    await generator.return?.(undefined);
  }
}

function itemsAsProgress(onProgress: ToolCallOptions["onProgress"]) {
  if (!onProgress) return undefined;
  let progress = 0;
  return (item: unknown) => onProgress({ progress: ++progress, message: textOf(item) });
}

function textOf(item: unknown): string {
  if (typeof item === "string") return item;
  try {
    return JSON.stringify(toJson(item).value);
  } catch {
    return String(item);
  }
}

/**
 * LangChain keeps artifact and status, and validates a runnable's arguments, only for a tool call.
 *
 * It also takes any arguments of the form `{ type: "tool_call", args }` for such a call, once more
 * on the way to the tool. Those are wrapped twice, so that the caller's object stays an argument.
 */
function envelope({ tool, revive }: KnownTool, id: string, args: JsonValue): object {
  const data = toJson(args ?? {}).value;
  const given = holdsLongInteger(data) ? rounded(data) : data;
  // A bare text is the one argument of a tool that takes text.
  const copy = typeof given === "string" ? { input: given } : given;
  const wrapped = {
    type: "tool_call",
    id,
    name: tool.name,
    args: revive ? revive(copy) : copy,
  };
  const smuggles = tool._call && isJsonObject(copy) && copy.type === "tool_call";
  return smuggles ? { ...wrapped, args: wrapped } : wrapped;
}
