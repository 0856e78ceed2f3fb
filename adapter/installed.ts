/** Finds the copies of LangChain's packages that code in a folder may have loaded. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What one build of one copy of a package exports, as far as it is patched. */
export type CoreExports = Readonly<Record<string, unknown>>;

interface Package {
  name: string;
  entries: readonly string[];
  /** What does not load, for lack of a package of its own, cannot be in use either. */
  mayFail?: true;
}

const CORE: Package = {
  name: "@langchain/core",
  entries: [
    "./tools",
    "./runnables",
    "./messages",
    "./chat_history",
    "./outputs",
    "./language_models/chat_models",
    "./language_models/llms",
  ],
};

const GRAPH: Package = {
  name: "@langchain/langgraph",
  entries: [".", "./pregel"],
  mayFail: true,
};

/** Packages that may bring a copy of core with them. */
const PARENTS = ["langchain", "@langchain/langgraph", "@langchain/classic", "@langchain/community"];

const CLASSIC: readonly Package[] = ["@langchain/classic", "langchain"].map((name) => ({
  name,
  entries: ["./memory", "./chains"],
  mayFail: true,
}));

export async function installedCopies(from: string): Promise<CoreExports[]> {
  return copiesOf(CORE, from);
}

/** Of LangGraph, when it is installed. */
export async function installedGraphs(from: string): Promise<CoreExports[]> {
  return copiesOf(GRAPH, from);
}

/** Of the packages with LangChain's older chains. */
export async function installedClassics(from: string): Promise<CoreExports[]> {
  return (await Promise.all(CLASSIC.map((each) => copiesOf(each, from)))).flat();
}

async function copiesOf(wanted: Package, from: string): Promise<CoreExports[]> {
  const copies = manifestsIn(from, wanted.name).map((manifest) => buildsOf(manifest, wanted));
  return (await Promise.all(copies)).flat();
}

/** Version and folder of each copy. */
export function installedVersions(from: string): { version: string; folder: string }[] {
  return manifestsIn(from, CORE.name).map((manifest) => {
    const { version = "unknown" } = JSON.parse(readFileSync(new URL(manifest), "utf8")) as Manifest;
    return { version, folder: dirname(fileURLToPath(manifest)) };
  });
}

function manifestsIn(from: string, name: string): string[] {
  const base = pathToFileURL(join(from, "index.js"));
  const parents = [base, ...PARENTS.flatMap((parent) => found(parent, base))];
  return [...new Set(parents.flatMap((parent) => found(name, parent)))];
}

/** CommonJS and ESM builds are two copies; the first counts only where it is in use. */
async function buildsOf(manifest: string, { entries, mayFail }: Package): Promise<CoreExports[]> {
  const folder = realpathSync(dirname(fileURLToPath(manifest)));
  const { imported, required } = filesIn(folder, entries);
  const loading = imported.map(load);
  const esm = await Promise.all(
    mayFail ? loading.map((entry) => entry.catch(() => ({}))) : loading,
  );
  const require = createRequire(manifest);
  const inUse = Object.keys(require.cache).some((file) => file.startsWith(folder + sep));
  if (!inUse) return [merged(esm)];
  const used = mayFail ? required.filter((file) => file in require.cache) : required;
  return [merged(esm), merged(used.map((file) => require(file)))];
}

function merged(modules: readonly object[]): CoreExports {
  return Object.assign({}, ...modules) as CoreExports;
}

function load(file: string): Promise<object> {
  return import(pathToFileURL(file).href) as Promise<object>;
}

/** Node's own walk up the folders; not `findPackageJSON`, which a service on Node 20 has not. */
function found(name: string, parent: URL | string): string[] {
  const folders = createRequire(parent).resolve.paths(name) ?? [];
  const manifest = folders.map((folder) => join(folder, name, "package.json")).find(existsSync);
  return manifest === undefined ? [] : [pathToFileURL(realpathSync(manifest)).href];
}

/** Core 0.3 names a file where 1.x names one for each of types and code. */
type Target = string | { default?: string };

interface Manifest {
  version?: string;
  exports?: Record<string, { import?: Target; require?: Target }>;
}

function filesIn(
  folder: string,
  names: readonly string[],
): { imported: string[]; required: string[] } {
  const { exports = {} } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as Manifest;
  const entries = names.map((entry) => exports[entry]);
  const files = (targets: (Target | undefined)[]) =>
    targets
      .map((target) => (typeof target === "string" ? target : target?.default))
      .filter((path) => path !== undefined)
      .map((path) => join(folder, path));
  return {
    imported: files(entries.map((entry) => entry?.import)),
    required: files(entries.map((entry) => entry?.require)),
  };
}
