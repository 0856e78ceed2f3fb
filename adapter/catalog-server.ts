/** A whole catalogue as one tool server, under names that every MCP client accepts. */
import { isTwintrackError } from "../core/error.ts";
import { type Catalog, type CatalogEntry, unknownTool } from "./catalog.ts";
import { contractFrom, legalName } from "./contract.ts";
import type { Contract, ToolServer } from "./tool-server.ts";

interface Served {
  contracts: Contract[];
  byName: Map<string, CatalogEntry>;
}

/** Serves `billing.refund` as `billing_refund`; the qualified name stays as the original name. */
export function catalogServer(catalog: Catalog): ToolServer {
  let listing: Promise<Served> | undefined;
  const served = (): Promise<Served> => {
    listing ??= catalog.entries().then(servedNames);
    listing.catch(() => {
      listing = undefined;
    });
    return listing;
  };
  catalog.onListChanged(() => {
    listing = undefined;
  });
  return {
    onListChanged: (listener) => catalog.onListChanged(listener),
    listTools: async () => (await served()).contracts,
    async callTool(name, args, options) {
      const { byName } = await served();
      const entry = byName.get(name);
      if (entry) return catalog.callTool(entry.qualified, args, options);
      // By its qualified name, or with the reason why it cannot be called.
      return catalog.callTool(name, args, options).catch((error: unknown) => {
        const isUnknown = isTwintrackError(error) && error.code === "TOOL_UNKNOWN";
        throw isUnknown ? unknownTool(name, [...byName.keys()]) : error;
      });
    },
    unsupported: () => catalog.unsupported(),
    close: () => catalog.close(),
  };
}

function servedNames(entries: readonly CatalogEntry[]): Served {
  const byName = new Map<string, CatalogEntry>();
  const contracts = entries.map((entry) => {
    const name = legalName(entry.qualified.replaceAll(".", "_"), new Set(byName.keys()));
    byName.set(name, entry);
    const { contractHash: _, ...fields } = entry.contract;
    return contractFrom({ ...fields, name, originalName: entry.qualified });
  });
  return { contracts, byName };
}
