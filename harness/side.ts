/** The two sides of every flow and the tools they call, opened when first used. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { chain } from "../adapter/capture.ts";
import { type Catalog, type CatalogSource, catalog, type Meant } from "../adapter/catalog.ts";
import type { LegacyChain } from "../adapter/chain.ts";
import { withContract } from "../adapter/enforcement.ts";
import { httpChain } from "../adapter/http-chain.ts";
import { toolServer } from "../adapter/in-process.ts";
import { type PythonOptions, pythonTools } from "../adapter/python.ts";
import { pythonChain } from "../adapter/python-chain.ts";
import type { ToolServer } from "../adapter/tool-server.ts";
import { isTwintrackError, TwintrackError } from "../core/error.ts";
import type { Flow } from "../core/flow.ts";
import type { ModelPort } from "../core/model.ts";
import type { PriceList } from "../core/price.ts";
import type { Schema } from "../core/schema.ts";
import type { Side } from "../core/trigger.ts";
import type {
  FlowConfig,
  LegacySource,
  PythonSource,
  ResolvedConfig,
  ToolSource,
} from "./config.ts";
import { importProblem } from "./import-problem.ts";
import { modelPort } from "./model/client.ts";
import { exportsOf, importFromProject } from "./project-module.ts";
import { isHttp } from "./source.ts";
import { entriesOf } from "./source-files.ts";

export interface Sides {
  /** @throws {TwintrackError} `FLOW_UNKNOWN` listing the flows there are. */
  configOf(flow: string): FlowConfig;
  /** @throws {TwintrackError} `SIDE_MISSING` when the flow has no such side. */
  legacy(flow: string): Promise<LegacyChain>;
  candidate(flow: string): Promise<Flow>;
  catalog(): Promise<Catalog>;
  models: ModelPort;
  prices: PriceList;
  close(): Promise<void>;
}

export function openSides(config: ResolvedConfig): Sides {
  const legacies = new Map<string, Promise<LegacyChain>>();
  const candidates = new Map<string, Promise<Flow>>();
  let tools: Promise<Catalog> | undefined;
  const configOf = (flow: string): FlowConfig => {
    const found = Object.hasOwn(config.flows, flow) ? config.flows[flow] : undefined;
    if (found) return found;
    const names = Object.keys(config.flows).join(", ") || "none";
    throw new TwintrackError("FLOW_UNKNOWN", `No flow is called "${flow}"`, {
      hint: `Configured: ${names}.`,
    });
  };
  return {
    configOf,
    models: modelPort(config.models),
    prices: config.prices,
    legacy: (flow) => once(legacies, flow, () => openLegacy(config, flow, configOf(flow))),
    candidate: (flow) => once(candidates, flow, () => openCandidate(config, flow, configOf(flow))),
    catalog() {
      tools ??= openCatalog(config);
      tools.catch(() => {
        tools = undefined;
      });
      return tools;
    },
    async close() {
      const opened = [...legacies.values(), ...(tools === undefined ? [] : [tools])];
      const settled = await Promise.allSettled(opened);
      const closing = settled.map((side) =>
        side.status === "fulfilled" ? side.value.close() : undefined,
      );
      await Promise.allSettled(closing);
    },
  };
}

/** A failed opening is not kept: the next use tries again. */
function once<T>(
  opened: Map<string, Promise<T>>,
  name: string,
  open: () => Promise<T>,
): Promise<T> {
  const existing = opened.get(name);
  if (existing !== undefined) return existing;
  const opening = open();
  opened.set(name, opening);
  opening.catch(() => opened.delete(name));
  return opening;
}

async function openCandidate(
  config: ResolvedConfig,
  flow: string,
  { candidate }: FlowConfig,
): Promise<Flow> {
  if (!candidate) throw sideMissing(flow, "candidate");
  const isLoader = typeof candidate === "function";
  const loaded = isLoader ? await loadSide(config, flow, "Candidate", candidate) : candidate;
  if (isFlow(loaded)) return loaded;
  throw new TwintrackError(
    "CONFIG_INVALID",
    `flows.${flow}.candidate gives ${describe(loaded)}, not a typed flow`,
    {
      hint: "Is its export spelt so? It has to be what flow(…) and its last call, .returns(…), give.",
    },
  );
}

function isFlow(value: unknown): value is Flow {
  return typeof value === "object" && value !== null && "hash" in value && "steps" in value;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null)
    return value === undefined ? "undefined" : typeof value;
  return "step" in value
    ? "a flow without .returns(…)"
    : `an object with ${Object.keys(value).slice(0, 5).join(", ") || "no fields"}`;
}

async function openLegacy(
  config: ResolvedConfig,
  flow: string,
  { legacy }: FlowConfig,
): Promise<LegacyChain> {
  if (!legacy) throw sideMissing(flow, "legacy");
  if (legacy === "tap") throw onlyTapped(flow);
  if (isPython(legacy)) return pythonChain(pythonOptions(config, legacy));
  if (isHttp(legacy)) return httpChain(legacy.url, legacy);
  return chain(
    typeof legacy === "function" ? await loadSide(config, flow, "Legacy", legacy) : legacy,
    {
      from: config.baseDir,
    },
  );
}

async function loadSide(
  config: ResolvedConfig,
  flow: string,
  side: "Legacy" | "Candidate",
  load: () => unknown,
): Promise<unknown> {
  try {
    return await load();
  } catch (cause) {
    if (isTwintrackError(cause)) throw cause;
    const { what, hint } = importProblem(cause, entriesOf(config, load));
    const message = `${side} of flow "${flow}" does not load: ${what}`;
    throw new TwintrackError("TOOL_MODULE_INVALID", message, { cause, hint });
  }
}

/** What an input of the flow has to be; undefined when nothing is known. */
export async function inputSchema(sides: Sides, flow: string): Promise<Schema | undefined> {
  const { input, candidate } = sides.configOf(flow);
  if (input || !candidate) return input;
  return sides.candidate(flow).then(
    (loaded) => loaded.input,
    () => undefined,
  );
}

function onlyTapped(flow: string): TwintrackError {
  return new TwintrackError(
    "SIDE_MISSING",
    `The legacy of flow "${flow}" is a service that is only tapped; it cannot be run from here`,
    { hint: "Call the service itself; its tracer tells what it did." },
  );
}

export function sideMissing(flow: string, side: Side): TwintrackError {
  return new TwintrackError("SIDE_MISSING", `Flow "${flow}" has no ${side}`, {
    hint: `Add ${side} to flows.${flow} in the configuration.`,
  });
}

/** Which tools a legacy chain can have called, as far as its configuration tells. */
export function toolsMeantBy({ legacy, tools }: Pick<FlowConfig, "legacy" | "tools">): Meant {
  if (typeof legacy === "function") return { servers: tools, language: "javascript" };
  const language = legacy !== undefined && isPython(legacy) ? "python" : undefined;
  return { servers: tools, language };
}

export function isPython(source: LegacySource | ToolSource): source is PythonSource {
  return typeof source === "object" && "python" in source;
}

export function pythonOptions(
  config: ResolvedConfig,
  source: PythonSource & Partial<ToolSource>,
): PythonOptions {
  const {
    python: target,
    interpreter,
    cwd,
    effects: _effects,
    contract: _modes,
    inject: _hook,
    ...rest
  } = source;
  return {
    ...rest,
    target,
    cwd: resolve(config.baseDir, cwd ?? "."),
    ...(interpreter === undefined ? {} : { interpreter: pathOf(config, interpreter) }),
  };
}

/** A path, or the folder of an environment, is one beside the configuration; a name is one on PATH. */
function pathOf(config: ResolvedConfig, interpreter: string): string {
  const path = resolve(config.baseDir, interpreter);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return interpreter.includes("/") || isFolder ? path : interpreter;
}

async function openCatalog(config: ResolvedConfig): Promise<Catalog> {
  const sources: Record<string, CatalogSource> = {};
  for (const [id, source] of Object.entries(config.tools)) {
    sources[id] = {
      server: await openToolServer(config, id, source),
      effects: source.effects ?? {},
    };
  }
  return catalog(sources);
}

/** Opens one tool source: a module's export, a Python object, or tools given in code. */
export async function openToolServer(
  config: ResolvedConfig,
  id: string,
  source: ToolSource,
): Promise<ToolServer> {
  const { contract: modes = {}, inject } = source;
  const hook = inject && { inject };
  if ("tools" in source) return toolServer(source.tools, { ...modes, ...hook });
  if (isPython(source)) {
    const python = pythonTools({ ...pythonOptions(config, source), ...hook });
    return withContract(python, modes);
  }
  const { module, export: name = "tools" } = source;
  const tools = await importTools(resolve(config.baseDir, module), name, id);
  return toolServer(tools, { ...modes, ...hook });
}

async function importTools(file: string, name: string, id: string): Promise<readonly unknown[]> {
  const module = await importFromProject(file).catch((cause: unknown) => {
    const { what, hint } = importProblem(cause, [file]);
    throw new TwintrackError(
      "TOOL_MODULE_INVALID",
      `Tools "${id}": ${file} does not load: ${what}`,
      { cause, hint },
    );
  });
  const exports = exportsOf(module);
  const exported = exports[name];
  if (exported === undefined) {
    const names = Object.keys(exports).join(", ") || "nothing";
    throw new TwintrackError(
      "TOOL_MODULE_INVALID",
      `Tools "${id}": ${file} does not export "${name}"`,
      { hint: `It exports ${names}.` },
    );
  }
  return Array.isArray(exported) ? exported : [exported];
}
