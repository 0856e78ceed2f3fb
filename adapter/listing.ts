/** Which tools a value holds: each under a legal name with its contract, or with why it cannot be called. */
import { messageOf } from "../core/error.ts";
import { contractOf } from "./contract.ts";
import { type ContractModes, type Enforcement, enforcement } from "./enforcement.ts";
import { interceptTools } from "./interception.ts";
import { type Revive, reviverOf } from "./revive.ts";
import { shapeOf, type ToolObject } from "./shape.ts";
import type { Contract, UnsupportedTool } from "./tool-server.ts";

export interface KnownTool {
  tool: ToolObject;
  contract: Contract;
  /** Only where the schema wants what JSON has no form for. */
  revive?: Revive;
  enforced: Enforcement;
}

export interface Listing {
  contracts: Contract[];
  unsupported: UnsupportedTool[];
  /** By legal name; an author's name that is not legal finds its tool too. */
  tools: Map<string, KnownTool>;
}

/** Names of values that a tool cannot do without and its host does not bind; empty when it can be called. */
export type Unbound = (tool: ToolObject) => readonly string[];

export interface ListingRules {
  unbound: Unbound;
  modes: ContractModes;
}

export async function listTools(source: unknown, rules: ListingRules): Promise<Listing> {
  const listing: Listing = { contracts: [], unsupported: [], tools: new Map() };
  await collect(source, { listing, rules, seen: new Set() });
  for (const { name, originalName } of listing.contracts) {
    const known = listing.tools.get(name);
    if (known && !listing.tools.has(originalName)) listing.tools.set(originalName, known);
  }
  return listing;
}

interface Collection {
  listing: Listing;
  rules: ListingRules;
  /** Groups that are being listed, so that one that holds itself ends. */
  seen: Set<unknown>;
}

/** One that fails, a toolkit that throws for example, is told of and hides nothing else. */
async function collect(pending: unknown, collection: Collection): Promise<void> {
  try {
    const value = await pending;
    if (collection.seen.has(value)) return;
    if (typeof value === "object") collection.seen.add(value);
    await place(value, collection);
  } catch (error) {
    const reason = `It could not be read: ${messageOf(error)}`;
    collection.listing.unsupported.push({ name: "(unnamed)", reason });
  }
}

async function place(value: unknown, collection: Collection): Promise<void> {
  const { listing, rules } = collection;
  const shape = shapeOf(value);
  switch (shape.kind) {
    case "group":
      for (const member of shape.members) await collect(member, collection);
      return;
    case "unsupported":
      listing.unsupported.push({ name: shape.name, reason: shape.reason });
      return;
    case "tool":
      add(shape.tool, listing, rules);
      return;
    default:
      return shape satisfies never;
  }
}

function add(tool: ToolObject, listing: Listing, { unbound, modes }: ListingRules): void {
  const { contracts, unsupported, tools } = listing;
  try {
    const missing = unbound(tool);
    if (missing.length > 0) {
      unsupported.push({ name: tool.name, reason: needsBinding(missing) });
      return;
    }
    const contract = contractOf(tool, new Set(tools.keys()));
    const revive = reviverOf(tool.schema);
    contracts.push(contract);
    tools.set(contract.name, {
      tool,
      contract,
      ...(revive && { revive }),
      enforced: enforcement(contract, modes),
    });
    interceptTools(tool);
  } catch (error) {
    unsupported.push({ name: tool.name, reason: messageOf(error) });
  }
}

function needsBinding(missing: readonly string[]): string {
  const names = missing.join(", ");
  return `It needs binding: it requires ${names} from its host. Give them with the option inject.`;
}
