/**
 * What a zod schema is made of, told in one way for zod 3 and zod 4.
 *
 * A user's tools may bring their own copies of either, so schemas are read by their members and
 * never by `instanceof`. Only what decides how a value travels is told; the rest is a `leaf`.
 */

export type ZodNode =
  | { kind: "date" | "bigint"; coerces: boolean }
  | { kind: "set"; items: unknown }
  | { kind: "map"; keys: unknown; values: unknown }
  | { kind: "object"; fields: Readonly<Record<string, unknown>>; rest: unknown }
  | { kind: "array"; items: unknown }
  | { kind: "tuple"; items: readonly unknown[]; rest: unknown }
  | { kind: "record"; values: unknown }
  | { kind: "union"; options: readonly unknown[] }
  | { kind: "intersection"; sides: readonly unknown[] }
  | { kind: "wrapper"; inner: unknown }
  | { kind: "leaf" };

interface Definition {
  /** Zod 4 names the kind here; zod 3 keeps the items of an array here. */
  type?: unknown;
  typeName?: string;
  coerce?: boolean;
  [member: string]: unknown;
}

export function isZod4(schema: unknown): schema is { _zod: { def: Definition } } {
  return isRecord(schema) && isRecord(schema._zod) && "def" in schema._zod;
}

export function isZod3(schema: unknown): schema is { _def: Definition & { typeName: string } } {
  if (!isRecord(schema) || "_zod" in schema) return false;
  return isRecord(schema._def) && "typeName" in schema._def;
}

export function zodNodeOf(schema: unknown): ZodNode {
  if (isZod4(schema)) return nodeOf(String(schema._zod.def.type), schema._zod.def);
  if (isZod3(schema)) return nodeOf(kindOfZod3(schema._def.typeName), schema._def);
  return { kind: "leaf" };
}

/** `ZodBigInt` → `bigint`, `ZodDiscriminatedUnion` → `union`: the names that zod 4 uses. */
function kindOfZod3(typeName: string): string {
  const name = typeName.slice("Zod".length).toLowerCase();
  return { discriminatedunion: "union", effects: "pipe", pipeline: "pipe" }[name] ?? name;
}

function nodeOf(kind: string, def: Definition): ZodNode {
  switch (kind) {
    case "date":
    case "bigint":
      return { kind, coerces: def.coerce === true };
    case "set":
      return { kind, items: def.valueType };
    case "map":
      return { kind, keys: def.keyType, values: def.valueType };
    case "object":
      return { kind, fields: fieldsOf(def), rest: def.catchall };
    case "array":
      return { kind, items: def.element ?? def.type };
    case "tuple":
      return { kind, items: def.items as unknown[], rest: def.rest };
    case "record":
      return { kind, values: def.valueType };
    case "union":
      return { kind, options: optionsOf(def.options) };
    case "intersection":
      return { kind, sides: [def.left, def.right] };
    default:
      return wrapperOf(kind, def);
  }
}

function fieldsOf({ shape }: Definition): Record<string, unknown> {
  return (typeof shape === "function" ? shape() : shape) as Record<string, unknown>;
}

/** Zod 3 keeps the options of a discriminated union in a map. */
function optionsOf(options: unknown): unknown[] {
  return options instanceof Map ? [...options.values()] : (options as unknown[]);
}

const WRAPPERS = new Set([
  "optional",
  "nullable",
  "default",
  "prefault",
  "catch",
  "readonly",
  "nonoptional",
  "branded",
]);

/** A pipe is seen from its input side; what a preprocess function makes of it, nobody knows. */
function wrapperOf(kind: string, def: Definition): ZodNode {
  if (WRAPPERS.has(kind)) return { kind: "wrapper", inner: def.innerType ?? def.type };
  if (kind === "lazy") return { kind: "wrapper", inner: (def.getter as () => unknown)() };
  if (kind !== "pipe") return { kind: "leaf" };
  const effect = def.effect as { type?: string } | undefined;
  if (effect?.type === "preprocess") return { kind: "leaf" };
  return { kind: "wrapper", inner: def.schema ?? def.in };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
