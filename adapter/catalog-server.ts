/** A whole catalogue as one tool server, under names that every MCP client accepts. */
import type { Catalog, CatalogEntry } from "./catalog.ts";
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
      const entry = (await served()).byName.get(name);
      return catalog.callTool(entry?.qualified ?? name, args, options);
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
