/**
 * A tool's contract: a name that is legal everywhere, its schemas, and a hash over both.
 *
 * LangChain's own parser decides what a call may hold (that is what production does); the
 * schema is for listing, for canonical arguments, and for saying where a call breaks it.
 * References to other documents are never fetched.
 */
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { messageOf } from "../core/error.ts";
import {
  canonicalText,
  digest,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from "../core/json.ts";
import { holdsLongInteger, rounded, withIntegersOf } from "../core/long-integer.ts";
import { RESULT_META_KEY, resultValue, type ToolResult } from "../core/tool.ts";
import { inputSchemaOf, outputSchemaOf, textInputSchemaOf } from "./schema.ts";
import type { ToolObject } from "./shape.ts";
import type { Contract } from "./tool-server.ts";

const MAX_NAME = 64;

type Use = "coerce" | "args" | "result";
type Compiled = { check: ValidateFunction } | { broken: string };

/** Compiled validators; contracts are few, and equal ones share theirs by their hash. */
const validators = new Map<string, Compiled>();
/** The way to them for a contract at hand: its hash is long, and made a key for each call. */
const validatorsOf = new WeakMap<Contract, Partial<Record<Use, Compiled>>>();

/**
 * The contract of one LangChain tool.
 *
 * @throws {TwintrackError} `TOOL_UNSUPPORTED` when its schema cannot be a JSON Schema object.
 */
export function contractOf(tool: unknown, taken: ReadonlySet<string> = new Set()): Contract {
  const { name, description, outputSchema, metadata, extras } = tool as ToolObject;
  const declared = outputSchema ?? metadata?.outputSchema;
  const annotations = metadata?.annotations ?? extras?.annotations;
  return contractFrom({
    name: legalName(name, taken),
    originalName: name,
    language: "javascript",
    description: description ?? "",
    inputSchema: inputOf(tool as ToolObject),
    ...(declared === undefined ? {} : { outputSchema: outputSchemaOf(declared) }),
    ...(isJsonObject(annotations) ? { annotations } : {}),
  });
}

function inputOf({ schema, lc_kwargs }: ToolObject): JsonObject {
  const authored = lc_kwargs?.schema;
  const isReplaced = authored !== undefined && authored !== schema;
  const text = isReplaced ? textInputSchemaOf(authored) : undefined;
  return text ?? inputSchemaOf(schema);
}

/** Adds the hash: SHA-256 over name, input schema and output schema in canonical form. */
export function contractFrom(fields: Omit<Contract, "contractHash">): Contract {
  const { name, inputSchema, outputSchema } = fields;
  const hash = digest(name, canonicalText(inputSchema), canonicalText(outputSchema ?? null));
  return { ...fields, contractHash: `sha256:${hash}` };
}

/** A name every client accepts; the hash of the original keeps two rewritten names apart. */
export function legalName(original: string, taken: ReadonlySet<string> = new Set()): string {
  const plain = original.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  const name = plain === "" ? "tool" : plain;
  if (name.length <= MAX_NAME && !taken.has(name)) return name;
  for (let round = 0; ; round++) {
    const suffix = digest(original, String(round)).slice(0, 8);
    const candidate = `${name.slice(0, MAX_NAME - 9)}_${suffix}`;
    if (!taken.has(candidate)) return candidate;
  }
}

/**
 * Arguments after the schema's defaults and coercions, as a copy. Arguments the schema refuses
 * come back unchanged: the tool's own parser has the last word on them.
 */
export function canonicalArgs(contract: Contract, args: JsonValue): JsonValue {
  const compiled = validator("coerce", contract, contract.inputSchema);
  const holdsLong = holdsLongInteger(args);
  const copy = holdsLong ? rounded(args) : structuredClone(args);
  if (!("check" in compiled && compiled.check(copy))) return args;
  return holdsLong ? withIntegersOf(args, copy) : copy;
}

/** Where the arguments break the input schema; empty when they fit. */
export function validateArgs(contract: Contract, args: JsonValue): string[] {
  return violations(validator("args", contract, contract.inputSchema), args);
}

/** What a result's output schema speaks of: the artifact where there is one, else the raw value. */
export function contractValue(result: ToolResult): JsonValue {
  const kept = result._meta?.[RESULT_META_KEY];
  return isJsonObject(kept) && "artifact" in kept ? (kept.artifact ?? null) : resultValue(result);
}

/** Where the value breaks the output schema; empty when it fits or none is declared. */
export function validateResult(contract: Contract, value: JsonValue): string[] {
  const { outputSchema } = contract;
  return outputSchema ? violations(validator("result", contract, outputSchema), value) : [];
}

function violations(compiled: Compiled, value: JsonValue): string[] {
  if ("broken" in compiled) return [`the schema cannot be used: ${compiled.broken}`];
  if (compiled.check(value)) return [];
  // A schema knows them as integers; to look for them first would be felt.
  if (holdsLongInteger(value) && compiled.check(rounded(value))) return [];
  return (compiled.check.errors ?? []).map(describe);
}

function describe(error: ErrorObject): string {
  return `${error.instancePath || "/"} ${error.message ?? error.keyword}`;
}

function validator(use: Use, contract: Contract, schema: JsonObject): Compiled {
  const own = validatorsOf.get(contract) ?? {};
  const known = own[use];
  if (known) return known;
  const compiled = sharedValidator(use, contract.contractHash, schema);
  validatorsOf.set(contract, { ...own, [use]: compiled });
  return compiled;
}

function sharedValidator(use: Use, hash: string, schema: JsonObject): Compiled {
  const key = `${use} ${hash}`;
  const known = validators.get(key);
  if (known) return known;
  const compiled = compile(schema, use === "coerce");
  validators.set(key, compiled);
  return compiled;
}

function compile(schema: JsonObject, coerce: boolean): Compiled {
  const options: Options = {
    strict: false,
    logger: false,
    allErrors: !coerce,
    validateSchema: false,
    addUsedSchema: false,
    ownProperties: namesInherited(schema),
    ...(coerce ? { useDefaults: true, coerceTypes: true } : {}),
  };
  const ajv = new (readerOf(schema.$schema))(options);
  addFormats.default(ajv);
  try {
    return { check: ajv.compile(withoutDialect(schema)) };
  } catch (cause) {
    return { broken: messageOf(cause) };
  }
}

const INHERITED = Object.getOwnPropertyNames(Object.prototype).map((name) => JSON.stringify(name));

/**
 * Whether an object might seem to "have" a field that every object inherits, `constructor` for
 * example. To look for fields of the object's own takes most of the time of a check.
 */
function namesInherited(schema: JsonObject): boolean {
  const text = JSON.stringify(schema);
  return INHERITED.some((name) => text.includes(name));
}

/** In the older dialects tuples are `items`, not `prefixItems`. */
function readerOf(dialect: JsonValue | undefined): typeof Ajv | typeof Ajv2019 | typeof Ajv2020 {
  if (typeof dialect !== "string") return Ajv2020;
  if (/draft-0[4-7]/.test(dialect)) return Ajv;
  return dialect.includes("2019-09") ? Ajv2019 : Ajv2020;
}

/** The dialect is chosen by class; ajv refuses the name of one it has no meta-schema for. */
function withoutDialect(schema: JsonObject): JsonObject {
  const { $schema: _dialect, ...rest } = schema;
  return isJsonObject(rest) ? rest : schema;
}
