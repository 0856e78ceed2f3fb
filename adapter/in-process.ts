/** JavaScript LangChain tools, called in this process, as a {@link ToolServer}. */
import { TwintrackError } from "../core/error.ts";
import type { ContractModes } from "./enforcement.ts";
import { type Hosting, invokeTool } from "./invocation.ts";
import { type KnownTool, type Listing, listTools } from "./listing.ts";
import { suggestion } from "./nearest.ts";
import type { ToolObject } from "./shape.ts";
import { type ToolServer, unsupportedTool } from "./tool-server.ts";

export interface InProcessOptions extends ContractModes, Hosting {
  /**
   * What a tool cannot do without, by the author's name: `{ remember: ["store"] }`. The tool's own
   * `metadata.requires` says the same. A tool whose host does not bind it is listed as unsupported.
   */
  requires?: Readonly<Record<string, readonly string[]>>;
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
  const listeners = new Set<() => void>();
  const rules = { unbound: (tool: ToolObject) => missingFor(tool, options), modes: options };
  let source = tools;
  let reading: Promise<Listing> | undefined;
  /** Once known, a call need not wait for it. */
  let known: Listing | undefined;
  const settled = async () => {
    reading ??= listTools(source, rules);
    known = await reading;
    return known;
  };
  return {
    listTools: async () => (known ?? (await settled())).contracts,
    unsupported: async () => (known ?? (await settled())).unsupported,
    callTool(name, args, callOptions = {}) {
      const found = known?.tools.get(name);
      if (found) return invokeTool(found, args, callOptions, options);
      return settled().then((listing) =>
        invokeTool(toolIn(listing, name), args, callOptions, options),
      );
    },
    onListChanged(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async replaceTools(next) {
      source = next;
      reading = undefined;
      await settled();
      for (const listener of listeners) listener();
    },
    close: async () => undefined,
  };
}

function toolIn({ tools, unsupported }: Listing, name: string): KnownTool {
  const found = tools.get(name);
  if (found) return found;
  const listed = unsupported.find((tool) => tool.name === name);
  if (listed) throw unsupportedTool(listed);
  const hint = suggestion(name, [...tools.keys()]);
  throw new TwintrackError("TOOL_UNKNOWN", `No tool is called "${name}"`, { hint });
}

function missingFor(tool: ToolObject, { inject, requires }: InProcessOptions): readonly string[] {
  const declared = requires?.[tool.name] ?? tool.metadata?.requires;
  if (!Array.isArray(declared)) return [];
  const bound = inject?.(tool.name) ?? {};
  return declared.map(String).filter((name) => !(name in bound));
}
