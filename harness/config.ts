/**
 * The configuration: which tools there are, and for each flow its two sides and how they are judged.
 *
 * Precedence: command line flag, `TWINTRACK_*` environment, config file, default. Secrets may come
 * from a file (`TWINTRACK_DATABASE_URL_FILE`). No `.env` is read.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { EgressRules } from "../adapter/egress.ts";
import { suggestion } from "../adapter/nearest.ts";
import { TwintrackError } from "../core/error.ts";
import type { PriceList } from "../core/price.ts";
import { type FlowConfig, flowShape } from "./flow-config.ts";
import { importProblem } from "./import-problem.ts";
import { keysAt, nearestIssue } from "./issue.ts";
import type { ModelClient } from "./model/client.ts";
import { type PrivacyConfig, privacyShape } from "./privacy/privacy-config.ts";
import { importFromProject } from "./project-module.ts";
import { secretOf } from "./secret.ts";
import { anyFunction, type ToolSource, toolSourceShape } from "./source.ts";
import type { SpoolLimits } from "./spool.ts";

export type { FlowConfig } from "./flow-config.ts";
export { aiSdkModel } from "./model/ai-sdk.ts";
export { openaiModel } from "./model/openai.ts";
export {
  type HttpSource,
  http,
  type LegacySource,
  type PythonSource,
  python,
  type ToolSource,
} from "./source.ts";

export interface TwintrackConfig {
  /** Pass `import.meta.url`: the shadow process loads this file. `loadConfig` fills it in. */
  file?: string;
  /** Default: the embedded database in `dataDir`. */
  database?: { url?: string | (() => string | undefined) };
  /** Spool, embedded database and stage snapshot. Default `.twintrack` beside the config file. */
  dataDir?: string;
  /** What answered triggers wait in until the store has them. */
  spool?: SpoolLimits;
  /**
   * What shadow runs may reach although no tool does it; by default nothing: neither sockets nor other
   * processes, and no file outside the system's temporary folder.
   */
  egress?: EgressRules;
  tools?: Record<string, ToolSource>;
  /** What flows ask in their model steps, for example `{ default: openaiModel({ model: "…" }) }`. */
  models?: Record<string, ModelClient>;
  /** What is sealed, masked and kept. */
  privacy?: PrivacyConfig;
  /** What the models of both sides cost, by their names; the report and the gate reckon with it. */
  prices?: PriceList;
  flows: Record<string, FlowConfig>;
}

/** A configuration with its defaults filled in and its paths absolute. */
export interface ResolvedConfig {
  /** Absolute path of the config file; undefined for a config made in code without `file`. */
  file: string | undefined;
  baseDir: string;
  dataDir: string;
  databaseUrl: string | undefined;
  spool: SpoolLimits;
  egress: EgressRules;
  tools: Record<string, ToolSource>;
  models: Record<string, ModelClient>;
  prices: PriceList;
  privacy: PrivacyConfig;
  flows: Record<string, FlowConfig>;
}

export function defineConfig(config: TwintrackConfig): TwintrackConfig {
  return config;
}

const modelClient = z.custom<ModelClient>(
  (value) => typeof (value as Partial<ModelClient> | null)?.ask === "function",
  "must be a model like openaiModel({ model: … })",
);

const configSchema = z.strictObject({
  file: z.string().optional(),
  database: z.strictObject({ url: z.union([z.string(), anyFunction]).optional() }).optional(),
  dataDir: z.string().optional(),
  spool: z
    .strictObject({
      maxMib: z.number().positive().optional(),
      maxAgeHours: z.number().positive().optional(),
      fsync: z.enum(["never", "interval", "each"]).optional(),
    })
    .optional(),
  egress: z
    .strictObject({
      hosts: z.array(z.string().min(1)).optional(),
      commands: z.boolean().optional(),
      files: z.array(z.string().min(1)).optional(),
    })
    .optional(),
  tools: z
    .record(z.string().regex(/^[A-Za-z][\w-]*$/, "must be a name like billing"), toolSourceShape)
    .optional(),
  models: z.record(z.string(), modelClient).optional(),
  prices: z
    .record(
      z.string(),
      z.strictObject({
        inputPerMillionUsd: z.number().nonnegative(),
        outputPerMillionUsd: z.number().nonnegative(),
      }),
    )
    .optional(),
  privacy: privacyShape.optional(),
  flows: z.record(z.string().regex(/^[A-Za-z][\w.-]*$/, "must be a name like refunds"), flowShape),
});

/**
 * Checks a configuration and fills in what it leaves open.
 *
 * @throws {TwintrackError} `CONFIG_INVALID` naming the first wrong key.
 */
export function resolveConfig(
  config: TwintrackConfig,
  env: NodeJS.ProcessEnv = process.env,
): ResolvedConfig {
  const checked = configSchema.safeParse(config);
  if (!checked.success) throw wrong(config, checked.error.issues);
  refuseNoiseOfTapped(config);
  refuseUnknownSources(config);
  const file = config.file?.startsWith("file:") ? fileURLToPath(config.file) : config.file;
  const baseDir = file === undefined ? process.cwd() : dirname(file);
  return {
    file,
    baseDir,
    dataDir: resolve(baseDir, env.TWINTRACK_DATA_DIR ?? config.dataDir ?? ".twintrack"),
    databaseUrl: databaseUrl(config, env),
    spool: config.spool ?? {},
    egress: config.egress ?? {},
    tools: config.tools ?? {},
    models: config.models ?? {},
    prices: config.prices ?? {},
    privacy: config.privacy ?? {},
    flows: config.flows,
  };
}

function wrong({ file = "" }: TwintrackConfig, issues: readonly z.core.$ZodIssue[]) {
  const issue = nearestIssue(issues);
  const path = issue?.path ?? [];
  const [unknown] = issue?.code === "unrecognized_keys" ? issue.keys : [];
  const place = [...path, ...(unknown === undefined ? [] : [unknown])].join(".") || "(root)";
  const what = unknown === undefined ? issue?.message : "is not known";
  const hint =
    unknown === undefined
      ? 'Compare with README, section "Configuration".'
      : suggestion(unknown, keysAt(configSchema, path));
  return new TwintrackError("CONFIG_INVALID", `Configuration ${file} at ${place}: ${what}`, {
    hint,
  });
}

/** Only what can be run here can be run twice. */
function refuseNoiseOfTapped({ file = "", flows }: TwintrackConfig): void {
  for (const [name, { legacy, noise }] of Object.entries(flows)) {
    if (legacy !== "tap" || !noise?.sample) continue;
    throw new TwintrackError(
      "CONFIG_INVALID",
      `Configuration ${file} at flows.${name}.noise: the legacy of a tapped flow cannot be run a second time, so its noise cannot be measured`,
      { hint: `Remove flows.${name}.noise, or give the chain itself as legacy.` },
    );
  }
}

function refuseUnknownSources({ file = "", flows, tools = {} }: TwintrackConfig): void {
  for (const [flow, { tools: named = [] }] of Object.entries(flows)) {
    const unknown = named.find((name) => !Object.hasOwn(tools, name));
    if (unknown === undefined) continue;
    throw new TwintrackError(
      "CONFIG_INVALID",
      `Configuration ${file} at flows.${flow}.tools: no tool source is called "${unknown}"`,
      { hint: suggestion(unknown, Object.keys(tools)) },
    );
  }
}

function databaseUrl(config: TwintrackConfig, env: NodeJS.ProcessEnv): string | undefined {
  const given = secretOf("TWINTRACK_DATABASE_URL", env);
  const { url: own } = config.database ?? {};
  const url = given ?? (typeof own === "function" ? own() : own);
  if (url === undefined || POSTGRES_URL.test(url)) return url;
  // Not the value: it may hold a password.
  const place =
    given === undefined
      ? `Configuration ${config.file ?? ""} at database.url:`
      : "TWINTRACK_DATABASE_URL";
  throw new TwintrackError("CONFIG_INVALID", `${place} is not the URL of a Postgres`, {
    hint: "It looks like postgres://user:password@localhost:5432/app.",
  });
}

/** `socket:` is the driver's own form for a Unix socket. */
const POSTGRES_URL = /^(?:postgres(?:ql)?:\/\/|socket:)/;

const CONFIG_NAMES = ["twintrack.config.ts", "twintrack.config.js", "twintrack.config.mjs"];

/**
 * Loads the config file: `path`, or the first of `twintrack.config.{ts,js,mjs}` in the working folder
 * or one above it, as far as the repository goes.
 *
 * @throws {TwintrackError} `CONFIG_INVALID` saying where it looked, or why the file does not load.
 */
export async function loadConfig(path?: string): Promise<ResolvedConfig> {
  const file = findConfig(path);
  const loaded = await importConfig(file);
  const exported = loaded.default;
  if (typeof exported !== "object" || exported === null) {
    throw new TwintrackError("CONFIG_INVALID", `${file} has no default export`, {
      hint: "End it with: export default defineConfig({ flows: { … } })",
    });
  }
  return resolveConfig({ ...(exported as TwintrackConfig), file });
}

function findConfig(path: string | undefined): string {
  const folders = path === undefined ? foldersAbove(process.cwd()) : [process.cwd()];
  const names = path === undefined ? CONFIG_NAMES : [path];
  const candidates = folders.flatMap((folder) => names.map((name) => resolve(folder, name)));
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  const looked = path === undefined ? `in ${folders.join(", ")}` : `at ${candidates.join(", ")}`;
  throw new TwintrackError("CONFIG_INVALID", `No configuration ${looked}`, {
    hint: 'Write twintrack.config.ts (README, section "Migrate one flow of your own, in five minutes"), or name it with --config FILE.',
  });
}

/** A folder and those above it, up to the root of the repository, or else of the package. */
function foldersAbove(folder: string): string[] {
  const folders = [folder];
  for (let at = folder; dirname(at) !== at; at = dirname(at)) folders.push(dirname(at));
  const rootOf = (mark: string) => folders.findIndex((at) => existsSync(join(at, mark)));
  const root = [".git", "package.json"].map(rootOf).find((index) => index !== -1) ?? 0;
  return folders.slice(0, root + 1);
}

async function importConfig(file: string): Promise<{ default?: unknown }> {
  try {
    return await importFromProject(file);
  } catch (cause) {
    const { what, hint } = importProblem(cause, [file]);
    throw new TwintrackError("CONFIG_INVALID", `${file} does not load: ${what}`, { cause, hint });
  }
}
