/** All tools of a project under one roof, addressed as `server.tool`, for example `billing.refund`. */
import { type Effect, effectOf } from "../core/effect.ts";
import { TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import type { ToolPort } from "../core/tool.ts";
import { canonicalArgs } from "./contract.ts";
import { suggestion } from "./nearest.ts";
import {
  type Contract,
  type Language,
  type ToolServer,
  type UnsupportedTool,
  unsupportedTool,
} from "./tool-server.ts";

export interface CatalogSource {
  server: ToolServer;
  /** By the author's tool name; undeclared means `write`. */
  effects: Readonly<Record<string, Effect>>;
}

/** Which of several tools of one name: of these servers, and in this language, where there is one. */
export interface Meant {
  servers?: readonly string[] | undefined;
  language?: Language | undefined;
}

export interface CatalogEntry {
  /** `server.tool`, with the contract's legal name. */
  qualified: string;
  serverId: string;
  contract: Contract;
  effect: Effect;
}

/**
 * Methods that answer without a promise know the tools once {@link Catalog.entries} has resolved;
 * before that, a tool is unknown: a `write`, with arguments as they are.
 */
export interface Catalog extends ToolPort {
  entries(): Promise<CatalogEntry[]>;
  effectOf(qualified: string): Effect;
  canonicalArgs(qualified: string, args: JsonValue): JsonValue;
  /** The qualified name of an author's name; unchanged when no tool has it, or several that may be meant. */
  qualify(originalName: string, meant?: Meant): string;
  /** The author's name of a qualified name; unchanged when it is not in the catalogue. */
  originalName(qualified: string): string;
  /** Declared effects of all servers; a name declared twice differently counts as `write`. */
  effectsByOriginalName(): Record<string, Effect>;
  unsupported(): Promise<(UnsupportedTool & { serverId: string })[]>;
  /** Calls the listener after a server's list changed; the next {@link Catalog.entries} is the new one. */
  onListChanged(listener: () => void): () => void;
  close(): Promise<void>;
}

export function catalog(sources: Readonly<Record<string, CatalogSource>>): Catalog {
  let known = new Map<string, CatalogEntry>();
  let listing: Promise<CatalogEntry[]> | undefined;

  async function list(): Promise<CatalogEntry[]> {
    const lists = Object.entries(sources).map(([id, source]) => entriesOf(id, source));
    const entries = (await Promise.all(lists)).flat();
    known = new Map(entries.flatMap((entry) => namesOf(entry).map((name) => [name, entry])));
    return entries;
  }

  function entries(): Promise<CatalogEntry[]> {
    listing ??= list();
    // A server that did not start is asked again by the next caller.
    listing.catch(() => {
      listing = undefined;
    });
    return listing;
  }

  const listeners = new Set<() => void>();
  for (const { server } of Object.values(sources)) {
    server.onListChanged?.(() => {
      listing = undefined;
      for (const listener of listeners) listener();
    });
  }

  return {
    entries,
    onListChanged(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async callTool(qualified, args, options) {
      const all = await entries();
      const entry = known.get(qualified);
      if (!entry) throw uncallable(qualified, all, await unsupportedIn(sources));
      return serverOf(sources, entry).callTool(entry.contract.name, args, options);
    },
    effectOf: (qualified) => known.get(qualified)?.effect ?? "write",
    canonicalArgs(qualified, args) {
      const contract = known.get(qualified)?.contract;
      return contract ? canonicalArgs(contract, args) : args;
    },
    qualify: (name, meant) => qualified(name, [...new Set(known.values())], meant),
    originalName: (name) => known.get(name)?.contract.originalName ?? name,
    effectsByOriginalName: () => mergedEffects(Object.values(sources)),
    unsupported: () => unsupportedIn(sources),
    async close() {
      await Promise.allSettled(Object.values(sources).map(({ server }) => server.close()));
    },
  };
}

async function entriesOf(serverId: string, source: CatalogSource): Promise<CatalogEntry[]> {
  const contracts = await source.server.listTools();
  return contracts.map((contract) => ({
    qualified: `${serverId}.${contract.name}`,
    serverId,
    contract: withDeclaredEffect(contract, source.effects),
    effect: effectOf(source.effects, contract.originalName),
  }));
}

/** `readOnlyHint` says what somebody declared; of an undeclared tool, clients are told nothing. */
function withDeclaredEffect(contract: Contract, effects: CatalogSource["effects"]): Contract {
  const { originalName, annotations } = contract;
  if (!Object.hasOwn(effects, originalName)) return contract;
  const readOnlyHint = effectOf(effects, originalName) === "read";
  return { ...contract, annotations: { ...annotations, readOnlyHint } };
}

/** An author's name that is not legal everywhere is still what the author will write. */
function namesOf({ qualified: name, serverId, contract }: CatalogEntry): string[] {
  return [...new Set([name, `${serverId}.${contract.originalName}`])];
}

function qualified(
  originalName: string,
  entries: readonly CatalogEntry[],
  { servers = [], language }: Meant = {},
): string {
  const matching = entries.filter(({ contract }) => contract.originalName === originalName);
  const listed = narrowed(matching, ({ serverId }) => servers.includes(serverId));
  const [entry, ...others] = narrowed(listed, ({ contract }) => contract.language === language);
  return entry && others.length === 0 ? entry.qualified : originalName;
}

function narrowed(
  entries: readonly CatalogEntry[],
  fits: (entry: CatalogEntry) => boolean,
): readonly CatalogEntry[] {
  const fitting = entries.filter(fits);
  return fitting.length > 0 ? fitting : entries;
}

function mergedEffects(sources: readonly CatalogSource[]): Record<string, Effect> {
  const declared = sources.flatMap(({ effects }) => Object.entries(effects));
  const writes = declared.filter(([, effect]) => effect === "write");
  return { ...Object.fromEntries(declared), ...Object.fromEntries(writes) };
}

function serverOf(
  sources: Readonly<Record<string, CatalogSource>>,
  { serverId, qualified: name }: CatalogEntry,
): ToolServer {
  const source = sources[serverId];
  if (source) return source.server;
  throw new TwintrackError("TOOL_UNKNOWN", `No tool server is called "${serverId}" for ${name}`);
}

type Unsupported = UnsupportedTool & { serverId: string };

/** A tool that is listed with the reason why it cannot be called is not unknown. */
function uncallable(
  name: string,
  entries: readonly CatalogEntry[],
  unsupported: readonly Unsupported[],
): TwintrackError {
  const listed = unsupported.find((tool) =>
    [tool.name, `${tool.serverId}.${tool.name}`].includes(name),
  );
  if (listed) return unsupportedTool(listed);
  return unknownTool(
    name,
    entries.map((entry) => entry.qualified),
  );
}

/** Names those that the caller could have meant, as the caller knows them. */
export function unknownTool(name: string, known: readonly string[]): TwintrackError {
  const hint = suggestion(name, known);
  return new TwintrackError("TOOL_UNKNOWN", `No tool is called "${name}"`, { hint });
}

async function unsupportedIn(
  sources: Readonly<Record<string, CatalogSource>>,
): Promise<Unsupported[]> {
  const lists = Object.entries(sources).map(async ([serverId, { server }]) =>
    (await server.unsupported()).map((tool) => ({ ...tool, serverId })),
  );
  return (await Promise.all(lists)).flat();
}
