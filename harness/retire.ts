/** Says whether a flow's legacy side can go, and what may be deleted with it. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { TwintrackError } from "../core/error.ts";
import type { Flow } from "../core/flow.ts";
import type { FlowConfig, ResolvedConfig } from "./config.ts";
import type { Sides } from "./side.ts";
import { readStages } from "./stage.ts";
import type { Database } from "./store/database.ts";

export interface Retirement {
  flow: string;
  /** Files that only this flow's legacy side needs, relative to the config file. */
  deletableFiles: string[];
  /** Lines to take out of the configuration. */
  configEntries: string[];
  /** Wrapped tools that no remaining flow calls. */
  unusedTools: string[];
  /** Wrapped tools that still have callers: the adapter serves them until they are replaced. */
  usedTools: { tool: string; by: string[] }[];
}

/**
 * Proves that nothing needs the legacy side of a flow any more.
 *
 * @throws {TwintrackError} `STAGE_REFUSED` naming who still uses it.
 */
export async function checkRetirement(
  db: Database,
  config: ResolvedConfig,
  sides: Sides,
  flow: string,
): Promise<Retirement> {
  const flowConfig = sides.configOf(flow);
  await refuseWhileUsed(db, config, flow, flowConfig);
  const stages = await readStages(db);
  const remaining = Object.keys(config.flows).filter(
    (name) => stages.get(name)?.stage !== "retired",
  );
  const users = await toolUsers(db, config, sides, flow, remaining);
  const catalog = await sides.catalog();
  const tools = (await catalog.entries()).map((entry) => entry.qualified);
  const used = tools.flatMap((tool) =>
    users.has(tool) ? [{ tool, by: [...(users.get(tool) ?? [])] }] : [],
  );
  return {
    flow,
    deletableFiles: deletableFiles(config, flow),
    configEntries: [
      `flows.${flow}.legacy`,
      ...(flowConfig.extract?.legacy ? [`flows.${flow}.extract.legacy`] : []),
    ],
    unusedTools: tools.filter((tool) => !users.has(tool)),
    usedTools: used,
  };
}

async function refuseWhileUsed(
  db: Database,
  config: ResolvedConfig,
  flow: string,
  flowConfig: FlowConfig,
): Promise<void> {
  const [row] = await db.query<{ stage: string; changedAt: Date; open: number; byLegacy: number }>(
    `select f.stage, f.changed_at as "changedAt",
       (select count(*) from twintrack.trials where flow = $1 and verdict is null)::bigint as open,
       (select count(*) from twintrack.trials where flow = $1 and authoritative = 'legacy'
          and received_at > f.changed_at)::bigint as "byLegacy"
     from twintrack.flows f where name = $1`,
    [flow],
  );
  const refuse = (why: string, hint: string) =>
    new TwintrackError("STAGE_REFUSED", `Flow "${flow}" cannot be retired: ${why}`, { hint });
  if (row?.stage !== "cutover")
    throw refuse(
      `it is at ${row?.stage ?? "legacy"}, not at cutover`,
      `First: twintrack cutover ${flow}`,
    );
  if (row.byLegacy > 0)
    throw refuse(
      `${row.byLegacy} triggers were answered by legacy after the cutover`,
      "Restart the process that still does.",
    );
  if (row.open > 0)
    throw refuse(
      `${row.open} trials are not judged yet`,
      "Wait for the shadow worker, or run twintrack report.",
    );
  const sharer = Object.entries(config.flows).find(
    ([name, other]) =>
      name !== flow && other.legacy !== undefined && other.legacy === flowConfig.legacy,
  );
  if (sharer)
    throw refuse(
      `flow "${sharer[0]}" uses the same legacy`,
      `Retire ${sharer[0]} as well, or give it its own.`,
    );
}

/** Who calls which tool: every candidate by its graph, every remaining legacy side by what it was seen to call. */
async function toolUsers(
  db: Database,
  config: ResolvedConfig,
  sides: Sides,
  retiring: string,
  remaining: readonly string[],
): Promise<Map<string, Set<string>>> {
  const users = new Map<string, Set<string>>();
  const note = (tool: string, user: string) =>
    users.set(tool, (users.get(tool) ?? new Set()).add(user));
  for (const [name, flowConfig] of Object.entries(config.flows)) {
    const candidate: Flow | undefined = flowConfig.candidate
      ? await sides.candidate(name)
      : undefined;
    for (const step of candidate?.steps ?? []) {
      if (step.action.kind === "tool") note(step.action.tool, `${name} (candidate)`);
    }
  }
  for (const name of remaining) {
    if (name === retiring || !config.flows[name]?.legacy) continue;
    for (const tool of await legacyTools(db, name)) note(tool, `${name} (legacy)`);
  }
  return users;
}

async function legacyTools(db: Database, flow: string): Promise<string[]> {
  const rows = await db.query<{ tool: string }>(
    "select tool from twintrack.legacy_tools where flow = $1 order by tool",
    [flow],
  );
  return rows.map((row) => row.tool);
}

/**
 * Files of the legacy side that nothing else imports.
 *
 * The entry is found in the configuration's text (`import("./x.ts")` in a loader, `module:attribute`
 * for Python); from there relative imports are followed. What another entry reaches is kept.
 */
function deletableFiles(config: ResolvedConfig, flow: string): string[] {
  const kept = new Set<string>();
  for (const [name, other] of Object.entries(config.flows)) {
    if (name !== flow) for (const file of entriesOf(config, other.legacy)) reach(file, kept);
    for (const file of entriesOf(config, other.candidate)) reach(file, kept);
  }
  for (const source of Object.values(config.tools)) {
    if ("module" in source) reach(resolve(config.baseDir, source.module), kept);
    if ("python" in source) for (const file of entriesOf(config, source)) reach(file, kept);
  }
  const doomed = new Set<string>();
  for (const file of entriesOf(config, config.flows[flow]?.legacy)) reach(file, doomed);
  return [...doomed]
    .filter((file) => !kept.has(file))
    .map((file) => relative(config.baseDir, file))
    .sort();
}

function entriesOf(config: ResolvedConfig, source: unknown): string[] {
  if (typeof source === "function") {
    const imported = [...String(source).matchAll(/import\(\s*["'`](\.[^"'`]+)["'`]\s*\)/g)];
    return imported.flatMap((match) =>
      match[1] === undefined ? [] : [resolve(config.baseDir, match[1])],
    );
  }
  if (typeof source !== "object" || source === null || !("python" in source)) return [];
  const { python: target, cwd } = source as { python: string; cwd?: string };
  const module = target.slice(0, target.indexOf(":")).replaceAll(".", "/");
  return [resolve(config.baseDir, cwd ?? ".", `${module}.py`)];
}

function reach(file: string, reached: Set<string>): void {
  if (reached.has(file)) return;
  const text = textOf(file);
  if (text === undefined) return;
  reached.add(file);
  const imports = file.endsWith(".py") ? pythonImports(file, text) : scriptImports(file, text);
  for (const next of imports) reach(next, reached);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function scriptImports(file: string, text: string): string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g);
  return [...found].flatMap((match) =>
    match[1] === undefined ? [] : [resolve(dirname(file), match[1])],
  );
}

function pythonImports(file: string, text: string): string[] {
  const folder = dirname(file);
  const siblings = new Set(readdirSync(folder).filter((name) => name.endsWith(".py")));
  const words = [...text.matchAll(/^\s*(?:from\s+([\w.]+)\s+import\s+(.+)|import\s+([\w.]+))/gm)];
  return words
    .flatMap((match) => `${match[1] ?? ""} ${match[2] ?? ""} ${match[3] ?? ""}`.split(/[^\w]+/))
    .filter((word) => siblings.has(`${word}.py`))
    .map((word) => join(folder, `${word}.py`));
}
