/**
 * Looks for what is wrong with a set-up before a trigger finds it.
 *
 * Nothing here calls a tool or runs a flow. A problem stops something from working; a warning
 * costs information or safety. Each says what fixes it.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { installedVersions } from "../adapter/installed.ts";
import { isTwintrackError, messageOf, TwintrackError } from "../core/error.ts";
import type { Flow } from "../core/flow.ts";
import { jsonSchemaOf, type Schema } from "../core/schema.ts";
import { compileRules } from "./compare/rules.ts";
import type { ResolvedConfig } from "./config.ts";
import { type Finding, MIN_CORE, ok, older, problem, warning } from "./finding.ts";
import { isTooOld, tooOld } from "./node-version.ts";
import { parseKeys } from "./privacy/key-ring.ts";
import { secretOf } from "./secret.ts";
import { isPython, openSides, type Sides, toolsMeantBy } from "./side.ts";
import { connectDatabase, embeddedFolder } from "./store/open.ts";
import { pythonFindings, toolFindings } from "./tool-check.ts";

/** Everything that can be checked for a configuration, in the order a trigger would meet it. */
export async function examine(
  config: ResolvedConfig,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Finding[]> {
  const sides = openSides(config);
  try {
    return [
      ...(config.file === undefined ? [] : [ok("configuration", config.file)]),
      ...nodeVersion(process.versions.node),
      ...tracing(env),
      ...langchain(config),
      ...(await all(Object.entries(config.tools), ([id, source]) =>
        toolFindings(config, id, source),
      )),
      ...(await sameNames(config, sides)),
      ...(await all(Object.keys(config.flows), (flow) => flowSides(config, sides, flow))),
      ...Object.entries(config.flows).flatMap(([flow, { compare }]) => rules(flow, compare?.rules)),
      ...(Object.keys(config.flows).length === 0
        ? []
        : [...privacy(config, env), ...(await storage(config))]),
    ];
  } finally {
    await sides.close();
  }
}

async function all<T>(
  items: readonly T[],
  check: (item: T) => Promise<Finding[]>,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const item of items) found.push(...(await check(item)));
  return found;
}

function nodeVersion(version: string): Finding[] {
  if (!isTooOld(version)) return [ok("node", version)];
  const { message, hint } = tooOld(version);
  return [problem("node", new TwintrackError("USAGE", message, { hint }))];
}

function tracing({ LANGSMITH_TRACING, LANGCHAIN_TRACING_V2 }: NodeJS.ProcessEnv): Finding[] {
  const on = [LANGSMITH_TRACING, LANGCHAIN_TRACING_V2].some((value) => value === "true");
  if (!on) return [];
  const text = "LANGSMITH_TRACING is on: every tool call and shadow run is sent to LangSmith";
  return [warning("environment", text, "Unset LANGSMITH_TRACING, or keep it knowingly.")];
}

function langchain({ baseDir }: ResolvedConfig): Finding[] {
  const copies = installedVersions(baseDir);
  if (copies.length === 0) return [];
  const listed = copies.map(({ version, folder: place }) => `${version} in ${place}`).join(", ");
  const check = "@langchain/core";
  const old = copies.filter(({ version }) => older(version, MIN_CORE));
  return [
    copies.length === 1
      ? ok(check, listed)
      : warning(check, `${copies.length} copies: ${listed}`, "npm dedupe"),
    ...old.map(({ version }) =>
      warning(
        check,
        `${version} is older than what is tested`,
        "npm install @langchain/core@latest",
      ),
    ),
  ];
}

/** Of a chain's calls the names are known, and not whose tools they are. */
async function sameNames({ flows, tools }: ResolvedConfig, sides: Sides): Promise<Finding[]> {
  const chains = Object.entries(flows).filter(([, { legacy }]) => legacy !== undefined);
  if (chains.length === 0 || Object.keys(tools).length < 2) return [];
  const catalog = await sides.catalog().catch(() => undefined);
  const entries = await catalog?.entries().catch(() => undefined);
  if (!catalog || !entries) return []; // The source that does not open is told by itself.
  const byName = Map.groupBy(entries, ({ contract }) => contract.originalName);
  return chains.flatMap(([flow, config]) => {
    const meant = toolsMeantBy(config);
    return [...byName].flatMap(([name, same]) => {
      if (same.length < 2 || catalog.qualify(name, meant) !== name) return [];
      const sources = same.map(({ serverId }) => serverId).join(" and ");
      const text = `${name} is in ${sources}: which of them legacy calls is not to be seen`;
      return [warning(`flows.${flow}`, text, `Name its sources: flows.${flow}.tools: [ … ]`)];
    });
  });
}

async function flowSides(config: ResolvedConfig, sides: Sides, flow: string): Promise<Finding[]> {
  const check = `flows.${flow}`;
  const { legacy, candidate } = sides.configOf(flow);
  const found: Finding[] = [];
  const attempt = async (side: string, open: () => Promise<unknown>) => {
    try {
      await open();
      found.push(ok(`${check}.${side}`, "loads"));
    } catch (error) {
      found.push(problem(`${check}.${side}`, error));
    }
  };
  if (legacy && isPython(legacy)) {
    try {
      found.push(...(await pythonFindings(config, `${check}.legacy`, legacy, "chain")));
    } catch (error) {
      found.push(problem(`${check}.legacy`, error));
    }
  } else if (legacy === "tap") found.push(ok(`${check}.legacy`, "is tapped: it answers elsewhere"));
  else if (legacy) await attempt("legacy", () => sides.legacy(flow));
  if (candidate) {
    await attempt("candidate", async () => {
      const typed = await sides.candidate(flow);
      found.push(...untoldSchemas(`${check}.candidate`, typed));
    });
  }
  if (legacy || candidate) return found;
  const hint = `Add legacy, candidate or both to flows.${flow}.`;
  return [problem(check, new TwintrackError("SIDE_MISSING", `It has no side`, { hint }))];
}

/** What a schema cannot tell as JSON Schema is in no hash and no coverage. */
function untoldSchemas(check: string, { input, output, steps }: Flow): Finding[] {
  const named: [string, Schema | undefined][] = [
    ["its input", input],
    ["its output", output],
    ...steps.map((step): [string, Schema | undefined] => [
      `the output of step "${step.name}"`,
      step.output,
    ]),
  ];
  const untold = named.filter(([, schema]) => schema && jsonSchemaOf(schema) === undefined);
  if (untold.length === 0) return [];
  const text = `${untold.map(([what]) => what).join(", ")}: no JSON Schema can be told, so a change of it is not seen as another version`;
  return [
    warning(check, text, "Use zod, or a schema with `~standard.jsonSchema`; or raise the version."),
  ];
}

/** A rule that cannot be used silences nothing, and its author should know. */
function rules(flow: string, given: unknown): Finding[] {
  if (given === undefined) return [];
  const { problems } = compileRules(given);
  const check = `flows.${flow}.compare.rules`;
  return problems.map(({ rule, message }) =>
    problem(check, new TwintrackError("CONFIG_INVALID", `${JSON.stringify(rule)}: ${message}`)),
  );
}

/** Tools alone need none. */
async function storage(config: ResolvedConfig): Promise<Finding[]> {
  return [...folder(config), ...(await database(config))];
}

function folder({ dataDir }: ResolvedConfig): Finding[] {
  let place = dataDir;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    if (!statSync(place).isDirectory()) throw new Error("it is no folder");
    accessSync(place, constants.W_OK);
    return [ok("dataDir", dataDir)];
  } catch (cause) {
    const error = new TwintrackError(
      "SPOOL_UNAVAILABLE",
      `${place} cannot be written: ${messageOf(cause)}`,
      {
        cause,
        hint: `chown or chmod ${place}, or set TWINTRACK_DATA_DIR.`,
      },
    );
    return [problem("dataDir", error)];
  }
}

/** Whether what is sealed here can be opened wherever it is to be judged. */
function privacy(config: ResolvedConfig, env: NodeJS.ProcessEnv): Finding[] {
  const { seal, mask } = config.privacy;
  const unmasked = mask === false || mask?.detectors === false;
  const open = [...(seal === false ? ["payloads"] : []), ...(unmasked ? ["reports"] : [])];
  const warnings = open.map((what) =>
    warning(
      "privacy",
      `${what} rest as they are, with the secrets in them`,
      "Remove it from privacy, or keep it knowingly.",
    ),
  );
  try {
    const text = secretOf("TWINTRACK_KEY", env);
    if (text !== undefined)
      return [
        ...warnings,
        ok("privacy", `${parseKeys(text, "TWINTRACK_KEY").length} keys in TWINTRACK_KEY`),
      ];
  } catch (error) {
    return [...warnings, problem("privacy", error)];
  }
  if (config.databaseUrl === undefined)
    return [...warnings, ok("privacy", `key in ${config.dataDir}`)];
  const text = `the key is in ${config.dataDir}: a process elsewhere cannot open what this one seals`;
  return [
    ...warnings,
    warning("privacy", text, "Give all of them the same TWINTRACK_KEY (openssl rand -base64 32)."),
  ];
}

async function database(config: ResolvedConfig): Promise<Finding[]> {
  const embedded = config.databaseUrl === undefined;
  const place = embedded ? `embedded in ${embeddedFolder(config)}` : "Postgres";
  // An embedded one is made when it is first needed, and not by looking.
  if (embedded && !existsSync(embeddedFolder(config)))
    return [ok("database", `${place}, not yet made`)];
  try {
    const db = await connectDatabase(config);
    try {
      await db.query("select 1");
      return [ok("database", place)];
    } finally {
      await db.close();
    }
  } catch (error) {
    // A running server holds it; whoever needs it asks that server.
    if (isTwintrackError(error) && error.code === "STORE_LOCKED") {
      return [ok("database", `${place}, held by a running server`)];
    }
    return [problem("database", error)];
  }
}
