/**
 * The configuration: which tools there are, and for each flow its two sides and how they are judged.
 *
 * Precedence: command line flag, `TWINTRACK_*` environment, config file, default. Secrets may come
 * from a file (`TWINTRACK_DATABASE_URL_FILE`). No `.env` is read.
 */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { messageOf, TwintrackError } from "../core/error.ts";
import type { Flow } from "../core/flow.ts";
import type { JsonValue } from "../core/json.ts";
import type { Schema } from "../core/schema.ts";
import type { Stage } from "../core/trigger.ts";
import type { Policy } from "./gate.ts";
import { nearestIssue } from "./issue.ts";
import type { ModelClient } from "./model/client.ts";
import { secretOf } from "./secret.ts";
import type { LegacySource, ToolSource } from "./source.ts";

export { openaiModel } from "./model/openai.ts";
export {
  type HttpSource,
  http,
  type LegacySource,
  type PythonSource,
  python,
  type ToolSource,
} from "./source.ts";

/**
 * The part of an output that counts. `agent`: the last message's text, `output`, or the structured
 * response of a LangChain agent; one that gives up after too many steps throws `IterationLimit`.
 */
export type Extractor = "agent" | ((output: JsonValue) => JsonValue);

export interface FlowConfig {
  legacy?: LegacySource;
  candidate?: Flow | (() => Promise<Flow>);
  /** Checked before any side runs. Default: the candidate's input schema. */
  input?: Schema;
  /** Stage of a flow that the store does not know yet. Default `legacy`. */
  stage?: Stage;
  /** Limit of the answer. Default 60,000. */
  timeoutMs?: number;
  /** Makes the two sides' outputs comparable. */
  extract?: {
    legacy?: Extractor;
    candidate?: Extractor;
  };
  shadow?: {
    /** Share of triggers that are compared, in [0, 1]. Default 1. */
    sample?: number;
    /** Limit of the compared side. Default 30,000. */
    timeoutMs?: number;
    /** A read that the other side did not make: refused (`recorded`, the default) or run (`live`). */
    reads?: "recorded" | "live";
    /**
     * Models of a chain that runs a second time: asked again (`live`, the default, which is what noise
     * measures), or answered from the first run's record and refused otherwise (`recorded`).
     */
    models?: "recorded" | "live";
    /** Questions of the candidate that go to a model because the other side did not ask them. Default 1,000. */
    modelCallsPerDay?: number;
  };
  noise?: {
    /** Share of compared triggers on which legacy runs a second time, in [0, 1]. Default 0. */
    sample?: number;
  };
  compare?: { rules?: readonly unknown[] };
  gate?: Policy;
  /** Triggers with equal keys get the same side in a canary. Default: the trigger id. */
  canaryKey?: (input: JsonValue) => string;
}

export interface TwintrackConfig {
  /** Pass `import.meta.url`: the shadow process loads this file. `loadConfig` fills it in. */
  file?: string;
  /** Default: the embedded database in `dataDir`. */
  database?: { url?: string | (() => string | undefined) };
  /** Spool, embedded database and stage snapshot. Default `.twintrack` beside the config file. */
  dataDir?: string;
  tools?: Record<string, ToolSource>;
  /** What flows ask in their model steps, for example `{ default: openaiModel({ model: "…" }) }`. */
  models?: Record<string, ModelClient>;
  flows: Record<string, FlowConfig>;
}

/** A configuration with its defaults filled in and its paths absolute. */
export interface ResolvedConfig {
  /** Absolute path of the config file; undefined for a config made in code without `file`. */
  file: string | undefined;
  baseDir: string;
  dataDir: string;
  databaseUrl: string | undefined;
  tools: Record<string, ToolSource>;
  models: Record<string, ModelClient>;
  flows: Record<string, FlowConfig>;
}

export function defineConfig(config: TwintrackConfig): TwintrackConfig {
  return config;
}

/** Limit of a compared side whose flow sets none. */
export const DEFAULT_SHADOW_TIMEOUT_MS = 30_000;

const share = z.number().min(0).max(1).optional();
const anyFunction = z.custom<object>((value) => typeof value === "function", "must be a function");
const anyObject = z.custom<object>(
  (value) => typeof value === "object" && value !== null,
  "must be an object",
);
const modelClient = z.custom<ModelClient>(
  (value) => typeof (value as Partial<ModelClient> | null)?.ask === "function",
  "must be a model like openaiModel({ model: … })",
);
const extractor = z.union([z.literal("agent"), anyFunction]);
const effects = z.record(z.string(), z.enum(["read", "write"])).optional();
const contract = z
  .strictObject({
    input: z.enum(["lenient", "strict"]).optional(),
    output: z.enum(["off", "warn", "enforce"]).optional(),
  })
  .optional();
const anySource = { effects, contract, inject: anyFunction.optional() };
const pythonTarget = z
  .string()
  .regex(/^[\w.]+:[\w.]+$/, 'must look like "package.module:attribute"');
const pythonShape = {
  python: pythonTarget,
  bind: pythonTarget.optional(),
  interpreter: z.string().optional(),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  inheritEnv: z.union([z.boolean(), z.array(z.string())]).optional(),
  workers: z.int().positive().max(64).optional(),
  isolation: z.enum(["shared", "process-per-call"]).optional(),
  threads: z.int().positive().max(1_024).optional(),
  startTimeoutMs: z.number().positive().optional(),
  callTimeoutMs: z.number().positive().optional(),
  graceMs: z.number().positive().optional(),
};

const configSchema = z.strictObject({
  file: z.string().optional(),
  database: z.strictObject({ url: z.union([z.string(), anyFunction]).optional() }).optional(),
  dataDir: z.string().optional(),
  tools: z
    .record(
      z.string().regex(/^[A-Za-z][\w-]*$/, "must be a name like billing"),
      z.union([
        z.strictObject({ module: z.string(), export: z.string().optional(), ...anySource }),
        z.strictObject({ ...pythonShape, ...anySource }),
        z.strictObject({ tools: z.array(z.unknown()), ...anySource }),
      ]),
    )
    .optional(),
  models: z.record(z.string(), modelClient).optional(),
  flows: z.record(
    z.string().regex(/^[A-Za-z][\w.-]*$/, "must be a name like refunds"),
    z.strictObject({
      legacy: z.union([z.literal("tap"), anyFunction, anyObject]).optional(),
      candidate: z.union([anyFunction, anyObject]).optional(),
      input: anyObject.optional(),
      stage: z.enum(["legacy", "shadow", "canary", "cutover", "retired"]).optional(),
      timeoutMs: z.number().positive().optional(),
      extract: z
        .strictObject({ legacy: extractor.optional(), candidate: extractor.optional() })
        .optional(),
      shadow: z
        .strictObject({
          sample: share,
          timeoutMs: z.number().positive().optional(),
          reads: z.enum(["recorded", "live"]).optional(),
          models: z.enum(["recorded", "live"]).optional(),
          modelCallsPerDay: z.int().nonnegative().optional(),
        })
        .optional(),
      noise: z.strictObject({ sample: share }).optional(),
      compare: z.strictObject({ rules: z.array(z.unknown()).optional() }).optional(),
      gate: z.record(z.string(), z.number()).optional(),
      canaryKey: anyFunction.optional(),
    }),
  ),
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
  if (!checked.success) {
    const issue = nearestIssue(checked.error.issues);
    const place = issue?.path.join(".") || "(root)";
    throw new TwintrackError(
      "CONFIG_INVALID",
      `Configuration ${config.file ?? ""} at ${place}: ${issue?.message}`,
      {
        hint: "Compare with the example in README, section Configuration.",
      },
    );
  }
  refuseNoiseOfTapped(config);
  const file = config.file?.startsWith("file:") ? fileURLToPath(config.file) : config.file;
  const baseDir = file === undefined ? process.cwd() : dirname(file);
  return {
    file,
    baseDir,
    dataDir: resolve(baseDir, env.TWINTRACK_DATA_DIR ?? config.dataDir ?? ".twintrack"),
    databaseUrl: databaseUrl(config, env),
    tools: config.tools ?? {},
    models: config.models ?? {},
    flows: config.flows,
  };
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

function databaseUrl(config: TwintrackConfig, env: NodeJS.ProcessEnv): string | undefined {
  const url = config.database?.url;
  return secretOf("TWINTRACK_DATABASE_URL", env) ?? (typeof url === "function" ? url() : url);
}

const CONFIG_NAMES = ["twintrack.config.ts", "twintrack.config.js", "twintrack.config.mjs"];

/**
 * Loads the config file: `path`, or the first of `twintrack.config.{ts,js,mjs}` in the working folder.
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
  const candidates = path === undefined ? CONFIG_NAMES : [path];
  const found = candidates.map((name) => resolve(name)).find((name) => existsSync(name));
  if (found !== undefined) return found;
  throw new TwintrackError(
    "CONFIG_INVALID",
    `No configuration at ${candidates.map((name) => resolve(name)).join(", ")}`,
    {
      hint: "Write twintrack.config.ts (README, section Tutorial), or name it with --config FILE.",
    },
  );
}

async function importConfig(file: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (cause) {
    throw new TwintrackError("CONFIG_INVALID", `${file} does not load: ${messageOf(cause)}`, {
      cause,
      hint: importHint(cause),
    });
  }
}

/** The three things that native type stripping trips over. */
export function importHint(cause: unknown): string {
  const code = (cause as { code?: unknown }).code;
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX")
    return "Node strips types only: replace enum, namespace and parameter properties.";
  if (code === "ERR_MODULE_NOT_FOUND")
    return "Imports need their file ending (./tools.ts), and packages must be installed.";
  return "Correct the file; node --check shows syntax errors with their line.";
}
