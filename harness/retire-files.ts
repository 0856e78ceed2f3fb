/** What of a retired flow's legacy side can be deleted, and the patch that does it. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { TwintrackError } from "../core/error.ts";
import type { ResolvedConfig, ToolSource } from "./config.ts";
import { type ConfigEdit, type EntryPath, withoutEntries } from "./config-edit.ts";
import { usersOf } from "./importers.ts";
import type { Retirement } from "./retire.ts";
import {
  entriesOf,
  type ProjectFile,
  projectFiles,
  pythonRoots,
  reach,
  scriptImports,
  textOf,
} from "./source-files.ts";
import { unifiedDiff } from "./unified-diff.ts";

export interface KeptFile {
  file: string;
  /** Files that import it, or name it. */
  by: string[];
}

/**
 * Tool sources that nothing needs: none of their tools has a user, and no other legacy side imports
 * them. A legacy side that nobody has seen at work, and whose files cannot be followed, may need all.
 */
export function unusedToolSources(
  config: ResolvedConfig,
  used: Retirement["usedTools"],
  others: readonly string[],
  users: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const seen = new Set([...users.values()].flatMap((by) => [...by]));
  const reached = new Set<string>();
  const roots = pythonRoots(config);
  for (const name of others) {
    const entries = entriesOf(config, config.flows[name]?.legacy);
    if (entries.length === 0 && !seen.has(`${name} (legacy)`)) return [];
    for (const file of entries) reach(file, reached, roots);
  }
  const isNeeded = ([id, source]: [string, ToolSource]) =>
    used.some(({ tool }) => tool.startsWith(`${id}.`)) ||
    filesOf(config, source).some((file) => reached.has(file));
  return Object.entries(config.tools).flatMap((entry) => (isNeeded(entry) ? [] : entry[0]));
}

function filesOf(config: ResolvedConfig, source: ToolSource): string[] {
  if ("module" in source) return [resolve(config.baseDir, source.module)];
  return "python" in source ? entriesOf(config, source) : [];
}

/** Files that only the legacy side of a flow, or an unused tool source, needs. */
export function legacyFiles(
  config: ResolvedConfig,
  flow: string,
  unusedSources: readonly string[],
): Pick<Retirement, "deletableFiles" | "keptFiles"> {
  const edit = tryEdit(config, flow, unusedSources);
  const { doomed, kept } = reachedFiles(config, flow, unusedSources, edit);
  const entries = new Set(entriesOf(config, config.flows[flow]?.legacy));
  const told = (file: string) => relative(config.baseDir, file);
  const files = [...doomed].filter((file) => !kept.has(file));
  const programs = files.filter((file) => !entries.has(file) && isProgram(file));
  const candidates = new Set(files.filter((file) => !programs.includes(file)));
  const users = usersOf(candidates, projectOf(config, edit), pythonRoots(config));
  return {
    deletableFiles: [...candidates]
      .filter((file) => !users.has(file))
      .map(told)
      .sort(),
    keptFiles: [
      ...programs.map((file) => ({ file: told(file), by: ["it can be run by itself"] })),
      ...[...users].map(([file, by]) => ({ file: told(file), by: by.map(told) })),
    ],
  };
}

/** Somebody may run it from outside of the project: a shell, a timer. */
function isProgram(file: string): boolean {
  return file.endsWith(".py") && /^if\s+__name__\s*==/m.test(textOf(file) ?? "");
}

/** Everything in the repository that may use a file; the configuration as the patch leaves it. */
function projectOf(config: ResolvedConfig, edit: ConfigEdit | undefined): ProjectFile[] {
  const files = projectFiles(repositoryOf(config.baseDir)).filter(
    ({ path }) => path !== config.file,
  );
  if (config.file === undefined || edit === undefined) return files;
  return [...files, { path: config.file, kind: "source", text: edit.text }];
}

function reachedFiles(
  config: ResolvedConfig,
  flow: string,
  unusedSources: readonly string[],
  edit: ConfigEdit | undefined,
) {
  const kept = new Set<string>();
  const doomed = new Set<string>();
  const roots = pythonRoots(config);
  const follow = (file: string, reached: Set<string>) => reach(file, reached, roots);
  for (const [name, other] of Object.entries(config.flows)) {
    for (const file of entriesOf(config, other.legacy)) follow(file, name === flow ? doomed : kept);
    for (const file of entriesOf(config, other.candidate)) follow(file, kept);
  }
  for (const [id, source] of Object.entries(config.tools)) {
    const target = unusedSources.includes(id) ? doomed : kept;
    for (const file of filesOf(config, source)) follow(file, target);
  }
  for (const module of edit?.droppedImports ?? []) follow(resolve(config.baseDir, module), doomed);
  // What the configuration imports itself, once its entries are gone; loaders were looked at above.
  const text = edit?.text ?? textOf(config.file ?? "") ?? "";
  const file = config.file ?? config.baseDir;
  for (const found of scriptImports(file, text.replaceAll("import(", ""))) follow(found, kept);
  return { doomed, kept };
}

/** Entries of a flow that do nothing once it has no legacy side. */
export function idleEntries(config: ResolvedConfig, flow: string): EntryPath[] {
  const { extract, noise } = config.flows[flow] ?? {};
  return [
    ...(extract ? [["flows", flow, "extract"] satisfies EntryPath] : []),
    ...(noise ? [["flows", flow, "noise"] satisfies EntryPath] : []),
  ];
}

function tryEdit(config: ResolvedConfig, flow: string, unusedSources: readonly string[]) {
  try {
    return editOf(config, flow, unusedSources);
  } catch {
    return undefined; // Told when the patch is asked for; the list of files does without.
  }
}

function editOf(
  config: ResolvedConfig,
  flow: string,
  unusedSources: readonly string[],
): ConfigEdit {
  if (config.file === undefined) {
    throw new TwintrackError(
      "STAGE_REFUSED",
      "The configuration is no file: no patch can edit it",
      {
        hint: "Retire without --patch, and take out by hand what it lists.",
      },
    );
  }
  const text = readFileSync(config.file, "utf8");
  const entries: EntryPath[] = [
    ["flows", flow, "legacy"],
    ...unusedSources.map((id): EntryPath => ["tools", id]),
  ];
  return withoutEntries(config.file, text, entries, idleEntries(config, flow));
}

export interface RetirePatch {
  patch: string;
  /** The folder in which `git apply` is to be run: the root of the repository, when there is one. */
  root: string;
}

/**
 * The patch that takes a retired flow's legacy side out of the project.
 *
 * @throws {TwintrackError} `STAGE_REFUSED` for a configuration that is computed and not written down.
 */
export function retirePatch(config: ResolvedConfig, retirement: Retirement): RetirePatch {
  const { flow, configEntries, deletableFiles } = retirement;
  const prefix = "tools.";
  const unusedSources = configEntries
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
  const edit = editOf(config, flow, unusedSources);
  const file = config.file ?? "";
  const root = repositoryOf(config.baseDir);
  const pathOf = (full: string) => relative(root, full).split(sep).join("/");
  const outside = deletableFiles.filter((name) =>
    pathOf(resolve(config.baseDir, name)).startsWith(".."),
  );
  if (outside.length > 0) {
    throw new TwintrackError(
      "STAGE_REFUSED",
      `${outside.join(", ")} lie outside of ${basename(root)}: no patch there can delete them`,
      { hint: "Retire without --patch, and delete by hand what it lists." },
    );
  }
  const deleted = deletableFiles.map((name) => resolve(config.baseDir, name));
  const patch = unifiedDiff([
    { path: pathOf(file), before: readFileSync(file, "utf8"), after: edit.text },
    ...deleted.map((full) => ({
      path: pathOf(full),
      before: readFileSync(full, "utf8"),
      after: null,
    })),
  ]);
  return { patch, root };
}

function repositoryOf(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return at;
    if (dirname(at) === at) return folder;
  }
}
