/** Python's LangChain tools and chains, through `python-bridge` in the user's own interpreter. */
import { TwintrackError } from "../core/error.ts";
import {
  canonicalText,
  digest,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  toJson,
} from "../core/json.ts";
import { exact, holdsLongInteger } from "../core/long-integer.ts";
import { type ToolCallOptions, type ToolResult, TRACE_FIELDS } from "../core/tool.ts";
import type { PythonChild } from "./child.ts";
import { PythonStarter } from "./starter.ts";
import type { Contract, ToolServer, UnsupportedTool } from "./tool-server.ts";
import { type PythonOptions, PythonWorkers } from "./workers.ts";

export type { PythonOptions } from "./workers.ts";

interface Listing {
  contracts: Contract[];
  unsupported: UnsupportedTool[];
}

export interface PythonToolOptions extends PythonOptions {
  /**
   * What the host gives a tool beside its arguments (state, a user's id), by the author's name. A
   * key whose value is undefined promises that every call brings it.
   */
  inject?: (originalName: string) => Injected | undefined;
}

type Injected = Readonly<Record<string, unknown>>;

/**
 * The tools behind `target`: a tool, a list of tools, a toolkit, or a plain function.
 *
 * The first process that starts pins the contracts. A tool whose contract is another one after a
 * restart is refused with `CONTRACT_CHANGED`: whoever calls it was promised something else.
 */
export function pythonTools({ inject: bound, ...options }: PythonToolOptions): ToolServer {
  let pinned: Listing | undefined;
  let changes = new Map<string, string>();
  const python = new PythonWorkers({
    ...options,
    args: targetsOf(options),
    inspect: async (child, timeoutMs) => {
      const listing = await readListing(child, timeoutMs, bound);
      pinned ??= listing;
      changes = changesBetween(pinned.contracts, listing.contracts);
    },
  });
  const list = async (): Promise<Listing> => {
    // A start has a limit of its own, and is not a call.
    const limits = { what: "the list of tools", timeoutMs: Number.POSITIVE_INFINITY };
    if (!pinned) await python.ready(limits);
    return pinned ?? { contracts: [], unsupported: [] };
  };
  return {
    listTools: async () => (await list()).contracts,
    unsupported: async () => (await list()).unsupported,
    async callTool(name, args, options = {}) {
      const { timeoutMs = python.callTimeoutMs, metadata, config, ...limits } = options;
      const inject = injectedBy(bound?.(originalOf(pinned, name)), options.inject);
      const meta = {
        ...traceIn(metadata),
        ...(inject && { "twintrack/inject": toJson(inject).value }),
        ...(config && { "twintrack/config": exact(config) as JsonValue }),
      };
      // Python can hold them.
      const given = holdsLongInteger(args) ? (exact(args) as JsonValue) : args;
      const params = {
        name,
        arguments: given,
        ...(inject || metadata || config ? { _meta: meta } : {}),
      };
      const admit = () => {
        const change = changes.get(name);
        if (change !== undefined) throw contractChanged(name, change);
      };
      const { signal, onProgress } = limits;
      const call = {
        what: `tool ${name}`,
        timeoutMs,
        admit,
        ...(signal && { signal }),
        ...(onProgress && { onProgress }),
      };
      return (await python.request("tools/call", params, call)) as unknown as ToolResult;
    },
    close: () => python.close(),
  };
}

function injectedBy(bound: Injected | undefined, call: Injected | undefined): Injected | undefined {
  return bound || call ? { ...bound, ...call } : undefined;
}

function originalOf(listing: Listing | undefined, name: string): string {
  return listing?.contracts.find((contract) => contract.name === name)?.originalName ?? name;
}

/** W3C trace context travels where MCP has a place for it. */
function traceIn(metadata: ToolCallOptions["metadata"] = {}): JsonObject {
  const fields = Object.entries(metadata).filter(([name]) => TRACE_FIELDS.includes(name));
  return Object.fromEntries(fields.map(([name, value]) => [name, String(value)]));
}

/** What became of each pinned contract that is not what it was, by tool name. */
function changesBetween(
  pinned: readonly Contract[],
  now: readonly Contract[],
): Map<string, string> {
  const hashes = new Map(now.map(({ name, contractHash }) => [name, contractHash]));
  const changed = pinned.filter((contract) => hashes.get(contract.name) !== contract.contractHash);
  return new Map(
    changed.map(({ name, contractHash }) => [
      name,
      `it was ${contractHash} and is ${hashes.get(name) ?? "gone"}`,
    ]),
  );
}

function contractChanged(name: string, change: string): TwintrackError {
  return new TwintrackError(
    "CONTRACT_CHANGED",
    `Tool ${name} changed when its Python process was started again: ${change}`,
    { hint: "Review it with twintrack tools contracts --check, then restart." },
  );
}

/**
 * Starts `target` once and tells what runs it: `python`, `executable`, `langchain-core`, `protocol`, …
 *
 * @throws {TwintrackError} `PYTHON_UNAVAILABLE` with the reason and a remedy.
 */
export async function pythonVersions(
  options: PythonOptions,
  kind: "tools" | "chain",
): Promise<JsonObject> {
  const args = kind === "chain" ? ["--chain", ...targetsOf(options)] : targetsOf(options);
  const child = await new PythonStarter({ ...options, args }).start();
  await child.close();
  return child.versions;
}

export function targetsOf({ target }: PythonOptions): string[] {
  return typeof target === "string" ? [target] : [...target];
}

async function readListing(
  python: PythonChild,
  timeoutMs: number,
  bound: PythonToolOptions["inject"],
): Promise<Listing> {
  const listing: Listing = { contracts: [], unsupported: [] };
  let cursor: string | undefined;
  do {
    const page = await python.request("tools/list", cursor === undefined ? {} : { cursor }, {
      what: "the list of tools",
      timeoutMs,
    });
    if (!Array.isArray(page.tools)) break;
    for (const tool of page.tools as unknown as PythonTool[]) addTool(listing, tool, bound);
    const listed = isJsonObject(page._meta) ? page._meta["twintrack/unsupported"] : undefined;
    if (Array.isArray(listed))
      listing.unsupported.push(...(listed as unknown as UnsupportedTool[]));
    cursor = page.nextCursor as string | undefined;
  } while (cursor !== undefined);
  return listing;
}

/** A tool that cannot do without what nobody gives it is listed with that reason. */
function addTool(listing: Listing, tool: PythonTool, bound: PythonToolOptions["inject"]): void {
  const given = bound?.(tool.title) ?? {};
  const needed = (tool._meta?.["twintrack/contract"]?.injected ?? []) as unknown as Needed[];
  const missing = needed.filter(({ name, required }) => required && !(name in given));
  if (missing.length === 0) {
    listing.contracts.push(contractOf(tool));
    return;
  }
  const names = missing.map(({ name }) => name).join(", ");
  const reason = `It needs binding: ${names}. Give it with inject, or from Python code with bind.`;
  listing.unsupported.push({ name: tool.title, reason });
}

interface Needed {
  name: string;
  required: boolean;
}

function contractOf(tool: PythonTool): Contract {
  const { name, description, inputSchema, title, _meta } = tool;
  // A root that is no object is kept from clients of older revisions; we are none.
  const outputSchema = tool.outputSchema ?? _meta?.["twintrack/contract"]?.outputSchema;
  const texts = [name, canonicalText(inputSchema), canonicalText(outputSchema ?? null)];
  return {
    name,
    originalName: title,
    language: "python",
    description,
    inputSchema,
    ...(isJsonObject(outputSchema) ? { outputSchema } : {}),
    contractHash: `sha256:${digest(...texts)}`,
  };
}

interface PythonTool {
  name: string;
  title: string;
  description: string;
  inputSchema: JsonObject;
  outputSchema?: JsonObject;
  _meta?: { "twintrack/contract"?: JsonObject };
}
