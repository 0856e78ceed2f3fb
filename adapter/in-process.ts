/** JavaScript LangChain tools, called in this process, as a {@link ToolServer}. */
import { messageOf, TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonValue, toJson } from "../core/json.ts";
import type { ToolCallOptions, ToolResult } from "../core/tool.ts";
import { errorResult, toolResult } from "./content.ts";
import { contractOf } from "./contract.ts";
import { withinLimits } from "./deadline.ts";
import { derive, observe } from "./derive.ts";
import { interceptTools, runAsPort } from "./interception.ts";
import { suggestion } from "./nearest.ts";
import { shapeOf, type ToolObject } from "./shape.ts";
import type { Contract, ToolServer, UnsupportedTool } from "./tool-server.ts";

export interface InProcessOptions {
  /** What the host gives a tool beside its arguments (context, store, state), by the author's name. */
  inject?: (originalName: string) => Readonly<Record<string, unknown>> | undefined;
}

interface Listing {
  contracts: Contract[];
  unsupported: UnsupportedTool[];
  /** By legal name; an author's name that is not legal finds its tool too. */
  tools: Map<string, ToolObject>;
}

/**
 * Serves LangChain tools: one, a list, a toolkit, a record or module of tools, or a promise of these.
 * What cannot be called is listed by `unsupported()` with its reason, and hides nothing else.
 */
export function toolServer(tools: unknown, options: InProcessOptions = {}): ToolServer {
  let listed: Promise<Listing> | undefined;
  const listing = () => (listed ??= list(tools));
  return {
    listTools: async () => (await listing()).contracts,
    unsupported: async () => (await listing()).unsupported,
    async callTool(name, args, callOptions = {}) {
      const { tools: known } = await listing();
      const tool = known.get(name);
      if (!tool) throw unknownTool(name, [...known.keys()]);
      const inject = { ...options.inject?.(tool.name), ...callOptions.inject };
      return call(tool, args, { ...callOptions, inject });
    },
    close: async () => undefined,
  };
}

async function list(source: unknown): Promise<Listing> {
  const listing: Listing = { contracts: [], unsupported: [], tools: new Map() };
  await collect(await source, listing);
  for (const { name, originalName } of listing.contracts) {
    const tool = listing.tools.get(name);
    if (tool && !listing.tools.has(originalName)) listing.tools.set(originalName, tool);
  }
  return listing;
}

async function collect(value: unknown, listing: Listing): Promise<void> {
  const shape = shapeOf(value);
  switch (shape.kind) {
    case "group":
      for (const member of shape.members) await collect(await member, listing);
      return;
    case "unsupported":
      listing.unsupported.push({ name: shape.name, reason: shape.reason });
      return;
    case "tool":
      add(shape.tool, listing);
      return;
    default:
      return shape satisfies never;
  }
}

function add(tool: ToolObject, { contracts, unsupported, tools }: Listing): void {
  try {
    const contract = contractOf(tool, new Set(tools.keys()));
    contracts.push(contract);
    tools.set(contract.name, tool);
    interceptTools(tool);
  } catch (error) {
    unsupported.push({ name: tool.name, reason: messageOf(error) });
  }
}

function unknownTool(name: string, names: readonly string[]): TwintrackError {
  const hint = suggestion(name, names);
  return new TwintrackError("TOOL_UNKNOWN", `No tool is called "${name}". ${hint}`, { hint });
}

let callCount = 0;

async function call(
  tool: ToolObject,
  args: JsonValue,
  options: ToolCallOptions,
): Promise<ToolResult> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  const kept: { raw?: unknown } = {};
  const observed = tool._call ? derive(tool, observer(kept, options.onProgress)) : tool;
  const id = `twintrack-${++callCount}`;
  const run = async (signal?: AbortSignal) => {
    const config = { ...options.inject, toolCallId: id, ...(signal && { signal }) };
    return runAsPort(() => observed.invoke(envelope(tool, id, args), config));
  };
  try {
    const output = await withinLimits(tool.name, options, run);
    return toolResult({ output, raw: "raw" in kept ? kept.raw : output, durationMs: elapsed() });
  } catch (thrown) {
    if (isOurs(thrown)) throw thrown;
    return errorResult(thrown, elapsed());
  }
}

/** A call that could not be made, or was given up, is an error; what the tool threw is a result. */
function isOurs(thrown: unknown): boolean {
  return thrown instanceof TwintrackError;
}

function observer(kept: { raw?: unknown }, onProgress: ToolCallOptions["onProgress"]) {
  let progress = 0;
  return (_args: unknown, proceed: () => unknown) =>
    observe(proceed, {
      onYield: (item) => onProgress?.({ progress: ++progress, message: textOf(item) }),
      onReturn: (raw) => {
        kept.raw = raw;
      },
    });
}

function textOf(item: unknown): string {
  return typeof item === "string" ? item : (JSON.stringify(item) ?? String(item));
}

/**
 * LangChain keeps artifact and status, and validates a runnable's arguments, only for a tool call.
 *
 * It also takes any arguments of the form `{ type: "tool_call", args }` for such a call, once more
 * on the way to the tool. Those are wrapped twice, so that the caller's object stays an argument.
 */
function envelope(tool: ToolObject, id: string, args: JsonValue): object {
  const copy = toJson(args ?? {}).value;
  const given = typeof copy === "string" && tool._call ? { input: copy } : copy;
  const wrapped = { type: "tool_call", id, name: tool.name, args: given };
  const smuggles = tool._call && isJsonObject(given) && given.type === "tool_call";
  return smuggles ? { ...wrapped, args: wrapped } : wrapped;
}
