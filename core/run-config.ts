/**
 * LangChain's run configuration: what a caller says of a run beside its input.
 *
 * It is part of the trigger, as far as JSON can carry it, and has LangServe's spelling wherever it
 * travels and rests. Whoever hands it to a chain or a tool gives it the spelling of its language.
 */
import { TwintrackError } from "./error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "./json.ts";
import { rounded } from "./long-integer.ts";

/** A type, and no interface: that alone is JSON to the compiler. */
export type RunConfig = {
  /** What a runnable is told to be: a checkpointer's `thread_id`, a session, whom it acts for. */
  configurable?: JsonObject;
  /** LangGraph's context of a run. */
  context?: JsonValue;
  metadata?: JsonObject;
  tags?: string[];
  /** Steps that a graph may take. */
  recursion_limit?: number;
};

/** The same as callers write it, in the spelling of either language. */
export interface GivenRunConfig {
  configurable?: Readonly<Record<string, unknown>>;
  context?: unknown;
  metadata?: Readonly<Record<string, unknown>>;
  tags?: readonly string[];
  recursionLimit?: number;
  recursion_limit?: number;
}

/** What a function of a typed flow is told beside its context. */
export interface RunInfo {
  /** Of the trigger; empty when it has none. */
  readonly config: RunConfig;
}

const NOTHING: RunInfo = Object.freeze({ config: Object.freeze({}) });

/** As code in JavaScript reads it. */
export function infoOf(config: RunConfig | undefined): RunInfo {
  return config ? { config: rounded(config) as RunConfig } : NOTHING;
}

interface Part {
  fits(value: JsonValue): boolean;
  /** Of a value that does not fit. */
  must: string;
}

const PARTS: Readonly<Record<keyof RunConfig, Part>> = {
  configurable: { fits: isJsonObject, must: "must be an object" },
  context: { fits: () => true, must: "" },
  metadata: { fits: isJsonObject, must: "must be an object" },
  tags: {
    fits: (value) => Array.isArray(value) && value.every((tag) => typeof tag === "string"),
    must: "must be a list of texts",
  },
  recursion_limit: {
    fits: (value) => Number.isSafeInteger(value) && Number(value) > 0,
    must: "must be a whole number above 0",
  },
};

/**
 * The configuration that was given; undefined when it says nothing.
 *
 * @throws {TwintrackError} `REQUEST_INVALID` naming the key that cannot be carried: nothing that a
 *   caller says is dropped in silence.
 */
export function runConfigOf(given: unknown): RunConfig | undefined {
  if (given === undefined || given === null) return undefined;
  if (!isJsonObject(given)) throw refused("config", "must be an object");
  const config: JsonObject = {};
  for (const [key, value] of Object.entries(given)) {
    // Clients write down what they leave open, too.
    if (value === undefined || value === null) continue;
    const name = key === "recursionLimit" ? "recursion_limit" : key;
    if (name in config) throw refused(`config.${key}`, "is given twice");
    const carried = carriedOf(key, name, value);
    if (!isEmpty(carried)) config[name] = carried;
  }
  return Object.keys(config).length > 0 ? config : undefined;
}

function carriedOf(key: string, name: string, given: unknown): JsonValue {
  const part = Object.hasOwn(PARTS, name) ? PARTS[name as keyof RunConfig] : undefined;
  if (!part) throw refused(`config.${key}`, "cannot be carried");
  const { value, lossy } = toJson(given);
  if (lossy || holdsFunction(given)) throw refused(`config.${key}`, "holds what JSON cannot carry");
  if (!part.fits(value)) throw refused(`config.${key}`, part.must);
  if (name === "configurable") refuseInner(value as JsonObject);
  return value;
}

/** LangGraph keeps what it tells its own nodes under such names: a caller must not. */
function refuseInner(configurable: JsonObject): void {
  const inner = Object.keys(configurable).find((key) => key.startsWith("__"));
  if (inner !== undefined)
    throw refused(`config.configurable.${inner}`, "is LangGraph's own and cannot be given");
}

/** JSON leaves a field with a function out, which would be silence. */
function holdsFunction(value: unknown): boolean {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && Object.values(value).some(holdsFunction);
}

function isEmpty(value: JsonValue): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function refused(where: string, problem: string): TwintrackError {
  return new TwintrackError("REQUEST_INVALID", `${where} ${problem}`, {
    hint: `A run configuration may have ${Object.keys(PARTS).join(", ")}.`,
  });
}
