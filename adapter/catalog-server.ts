/** A whole catalogue as one tool server, under names that every MCP client accepts. */
import type { Catalog, CatalogEntry } from "./catalog.ts";
import { contractFrom, legalName } from "./contract.ts";
import type { Contract, ToolServer } from "./tool-server.ts";

interface Served {
  contract: Contract;
  entry: CatalogEntry;
}

/** Serves `billing.refund` as `billing_refund`; the qualified name stays as the original name. */
export function catalogServer(catalog: Catalog): ToolServer {
  let listing: Promise<Map<string, Served>> | undefined;
  const served = (): Promise<Map<string, Served>> => {
    listing ??= catalog.entries().then(servedNames);
    listing.catch(() => {
      listing = undefined;
    });
    return listing;
  };
  return {
    listTools: async () => [...(await served()).values()].map(({ contract }) => contract),
    async callTool(name, args, options) {
      const found = (await served()).get(name);
      return catalog.callTool(found?.entry.qualified ?? name, args, options);
    },
    unsupported: () => catalog.unsupported(),
    close: () => catalog.close(),
  };
}

function servedNames(entries: readonly CatalogEntry[]): Map<string, Served> {
  const names = new Map<string, Served>();
  for (const entry of entries) {
    const name = legalName(entry.qualified.replaceAll(".", "_"), new Set(names.keys()));
    const { contractHash: _, ...fields } = entry.contract;
    names.set(name, {
      entry,
      contract: contractFrom({ ...fields, name, originalName: entry.qualified }),
    });
  }
  return names;
}
