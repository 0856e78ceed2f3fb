/** Says whether a flow's legacy side can go, and what may be deleted with it. */
import { TwintrackError } from "../core/error.ts";
import type { Flow } from "../core/flow.ts";
import type { FlowConfig, ResolvedConfig } from "./config.ts";
import { idleEntries, type KeptFile, legacyFiles, unusedToolSources } from "./retire-files.ts";
import type { Sides } from "./side.ts";
import { readStages } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { mcpToolsSince } from "./store/mcp-tools.ts";

export interface Retirement {
  flow: string;
  /** Files that only this flow's legacy side needs, relative to the config file. */
  deletableFiles: string[];
  /** Files of its legacy side that something else in the project imports or names. */
  keptFiles: KeptFile[];
  /** Lines to take out of the configuration. */
  configEntries: string[];
  /** Wrapped tools that no remaining flow calls. */
  unusedTools: string[];
  /** Wrapped tools that still have callers: the adapter serves them until they are replaced. */
  usedTools: { tool: string; by: string[] }[];
}

/** How far back a call over MCP counts as a use. */
const DEFAULT_DAYS = 30;

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
  days = DEFAULT_DAYS,
): Promise<Retirement> {
  const flowConfig = sides.configOf(flow);
  await refuseWhileUsed(db, config, flow, flowConfig);
  const stages = await readStages(db);
  const remaining = Object.keys(config.flows).filter(
    (name) => stages.get(name)?.stage !== "retired",
  );
  const users = await toolUsers(db, config, sides, flow, remaining);
  for (const { tool, lastAt } of await mcpToolsSince(db, days)) {
    users.set(tool, (users.get(tool) ?? new Set()).add(`MCP clients, last on ${lastAt}`));
  }
  const catalog = await sides.catalog();
  const tools = (await catalog.entries()).map((entry) => entry.qualified);
  const used = tools.flatMap((tool) =>
    users.has(tool) ? [{ tool, by: [...(users.get(tool) ?? [])] }] : [],
  );
  const others = remaining.filter((name) => name !== flow && config.flows[name]?.legacy);
  const unusedSources = unusedToolSources(config, used, others, users);
  return {
    flow,
    ...legacyFiles(config, flow, unusedSources),
    configEntries: [
      `flows.${flow}.legacy`,
      ...idleEntries(config, flow).map((path) => path.join(".")),
      ...unusedSources.map((id) => `tools.${id}`),
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
  const [row] = await db.query<Omit<Uses, "sharers">>(
    `select f.stage,
       (select count(*) from twintrack.trials where flow = $1 and verdict is null)::bigint as open,
       (select count(*) from twintrack.trials where flow = $1 and authoritative = 'legacy'
          and received_at > f.changed_at)::bigint as "byLegacy"
     from twintrack.flows f where name = $1`,
    [flow],
  );
  const sharers = Object.entries(config.flows).flatMap(([name, other]) =>
    name !== flow && other.legacy !== undefined && other.legacy === flowConfig.legacy ? name : [],
  );
  const reasons = reasonsAgainst(flow, { stage: "legacy", byLegacy: 0, open: 0, ...row, sharers });
  if (reasons.length === 0) return;
  throw new TwintrackError(
    "STAGE_REFUSED",
    `Flow "${flow}" cannot be retired: ${reasons.map(({ why }) => why).join("; ")}`,
    { hint: reasons.map(({ hint }) => hint).join(" ") },
  );
}

interface Uses {
  stage: string;
  /** Triggers that legacy answered since the cutover. */
  byLegacy: number;
  /** Trials that nobody has judged. */
  open: number;
  /** Flows with the same legacy. */
  sharers: readonly string[];
}

function reasonsAgainst(flow: string, { stage, byLegacy, open, sharers }: Uses) {
  const reasons: { why: string; hint: string }[] = [];
  const add = (why: string, hint: string) => reasons.push({ why, hint });
  // A flow that is retired already may still want its patch.
  if (stage !== "cutover" && stage !== "retired")
    add(`it is at ${stage}, not at cutover`, `First: twintrack cutover ${flow}`);
  if (byLegacy > 0) {
    const why = `${byLegacy} triggers were answered by legacy after the cutover`;
    add(why, "Restart the process that still does.");
  }
  if (open > 0) {
    const hint = "Wait for the shadow worker, or run twintrack report.";
    add(`${open} trials are not judged yet`, hint);
  }
  for (const name of sharers)
    add(`flow "${name}" uses the same legacy`, `Retire ${name} as well, or give it its own.`);
  return reasons;
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
