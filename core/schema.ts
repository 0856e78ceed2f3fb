/**
 * Schemas as the flow DSL takes them: any validator that speaks Standard Schema
 * (zod 3.24+, zod 4, valibot, arktype). Source: https://standardschema.dev
 */
import { type ErrorCode, TwintrackError } from "./error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { holdsLongInteger, inCode, rounded } from "./long-integer.ts";
import { isZod3, isZod4 } from "./zod.ts";
import { fromZod3, fromZod4, ZOD4_OPTIONS } from "./zod-schema.ts";

export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The value as the schema returns it: defaults applied, unknown keys dropped or kept as it says.
 *
 * @throws {TwintrackError} `code`, naming `what` and each issue with its path.
 */
export async function validate<Output>(
  schema: Schema<Output>,
  value: unknown,
  what: string,
  code: ErrorCode,
): Promise<Output> {
  const pending = schema["~standard"].validate(value);
  const result = pending instanceof Promise ? await pending : pending;
  if (!result.issues) return result.value;
  const issues = result.issues.slice(0, 5).map(describeIssue).join("; ");
  throw new TwintrackError(code, `${what}: ${issues}`);
}

/**
 * The same for JSON data, in which an integer beyond 2^53 has a form of its own: it is a `BigInt` where
 * the schema takes one, and else the number that JavaScript has for it.
 */
export async function validateJson<Output>(
  schema: Schema<Output>,
  data: JsonValue,
  what: string,
  code: ErrorCode,
): Promise<Output> {
  if (!holdsLongInteger(data)) return validate(schema, data, what, code);
  const taken = await schema["~standard"].validate(inCode(data));
  return taken.issues ? validate(schema, rounded(data), what, code) : taken.value;
}

function describeIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  return `${path.length > 0 ? `/${path.join("/")}` : "(root)"} ${issue.message}`;
}

/** Converting a schema costs more than asking it; null: it has none. */
const converted = new WeakMap<Schema, JsonObject | null>();

/** JSON Schema of the input view; undefined when the validator cannot tell it. */
export function jsonSchemaOf(schema: Schema): JsonObject | undefined {
  const known = converted.get(schema);
  if (known !== undefined) return known ?? undefined;
  const found = convert(schema);
  converted.set(schema, found ?? null);
  return found;
}

function convert(schema: Schema): JsonObject | undefined {
  try {
    const told = ofStandard(schema) ?? ofOlderZod(schema);
    // What zod hangs on its own result stays behind.
    const plain: unknown = told === undefined ? undefined : JSON.parse(JSON.stringify(told));
    return isJsonObject(plain as JsonValue) ? (plain as JsonObject) : undefined;
  } catch {
    return undefined; // It still validates.
  }
}

function ofStandard(schema: Schema): unknown {
  const standard = schema["~standard"] as { jsonSchema?: { input?: unknown } };
  const input = standard.jsonSchema?.input;
  if (typeof input !== "function") return undefined;
  const options = schema["~standard"].vendor === "zod" ? { libraryOptions: ZOD4_OPTIONS } : {};
  return input.call(standard.jsonSchema, { target: "draft-2020-12", ...options });
}

function ofOlderZod(schema: Schema): unknown {
  if (isZod4(schema)) return fromZod4(schema);
  return isZod3(schema) ? fromZod3(schema, "input") : undefined;
}
