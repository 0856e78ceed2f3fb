/** JavaScript LangChain tools, called in this process, as a {@link ToolServer}. */
import { TwintrackError } from "../core/error.ts";
import type { CommandPolicy } from "./command.ts";
import { type ContractModes, withContract } from "./enforcement.ts";
import { invokeTool } from "./invocation.ts";
import { type Listing, listTools } from "./listing.ts";
import { suggestion } from "./nearest.ts";
import type { ToolObject } from "./shape.ts";
import type { ToolServer } from "./tool-server.ts";

export interface InProcessOptions extends ContractModes {
  /**
   * What the host gives a tool beside its arguments (context, store, state), by the author's name.
   * A key whose value is undefined promises that every call brings it.
   */
  inject?: (originalName: string) => Readonly<Record<string, unknown>> | undefined;
  /**
   * What a tool cannot do without, by the author's name: `{ remember: ["store"] }`. The tool's own
   * `metadata.requires` says the same. A tool whose host does not bind it is listed as unsupported.
   */
  requires?: Readonly<Record<string, readonly string[]>>;
  /** What a returned LangGraph `Command` becomes: an error with a hint (default), or data. */
  commands?: CommandPolicy;
}

/** A {@link ToolServer} whose tools can be exchanged while it serves. */
export interface InProcessServer extends ToolServer {
  replaceTools(tools: unknown): Promise<void>;
}

/**
 * Serves LangChain tools: one, a list, a toolkit, a record or module of tools, or a promise of these.
 * What cannot be called is listed by `unsupported()` with its reason, and hides nothing else.
 */
export function toolServer(tools: unknown, options: InProcessOptions = {}): InProcessServer {
  const { inject, commands = "error" } = options;
  const listeners = new Set<() => void>();
  let source = tools;
  let listed: Promise<Listing> | undefined;
  const listing = () => {
    listed ??= listTools(source, (tool) => missingFor(tool, options));
    return listed;
  };
  const server: ToolServer = {
    listTools: async () => (await listing()).contracts,
    unsupported: async () => (await listing()).unsupported,
    async callTool(name, args, callOptions = {}) {
      const { tools: known } = await listing();
      const found = known.get(name);
      if (!found) throw unknownTool(name, [...known.keys()]);
      const bound = inject?.(found.tool.name);
      const injected = bound ? { ...bound, ...callOptions.inject } : callOptions.inject;
      return invokeTool(found, args, { ...callOptions, inject: injected ?? {} }, commands);
    },
    onListChanged(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => undefined,
  };
  return {
    ...withContract(server, options),
    async replaceTools(next) {
      source = next;
      listed = undefined;
      await listing();
      for (const listener of listeners) listener();
    },
  };
}

function missingFor(tool: ToolObject, { inject, requires }: InProcessOptions): readonly string[] {
  const declared = requires?.[tool.name] ?? tool.metadata?.requires;
  if (!Array.isArray(declared)) return [];
  const bound = inject?.(tool.name) ?? {};
  return declared.map(String).filter((name) => !(name in bound));
}

function unknownTool(name: string, names: readonly string[]): TwintrackError {
  const hint = suggestion(name, names);
  return new TwintrackError("TOOL_UNKNOWN", `No tool is called "${name}". ${hint}`, { hint });
}
