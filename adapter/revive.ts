/**
 * JSON arguments → the values that a zod schema wants: dates, big integers, maps and sets.
 *
 * LangChain hands a model's JSON to zod as it is, and `z.date()` then refuses every date that JSON
 * can hold. The published schema says in which form such a value travels (schema.ts); here it
 * becomes the value again. A value in any other form is left for the tool's own parser to refuse.
 */
import { isJsonObject } from "../core/json.ts";
import { type ZodNode, zodNodeOf } from "../core/zod.ts";

/** From JSON data to what the tool's parser takes. */
export type Revive = (value: unknown) => unknown;

/** Undefined when no value of the schema needs it, which is true for nearly every tool. */
export function reviverOf(schema: unknown): Revive | undefined {
  return needsRevival(schema, new Set()) ? (value) => revive(schema, value) : undefined;
}

function needsRevival(schema: unknown, seen: Set<unknown>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  const node = zodNodeOf(schema);
  if (isCarried(node)) return true;
  return partsOf(node).some((part) => needsRevival(part, seen));
}

function isCarried(node: ZodNode): boolean {
  if (node.kind === "date" || node.kind === "bigint") return !node.coerces;
  return node.kind === "map" || node.kind === "set";
}

function partsOf(node: ZodNode): readonly unknown[] {
  switch (node.kind) {
    case "object":
      return [...Object.values(node.fields), node.rest];
    case "tuple":
      return [...node.items, node.rest];
    case "array":
      return [node.items];
    case "record":
      return [node.values];
    case "union":
      return node.options;
    case "intersection":
      return node.sides;
    case "wrapper":
      return [node.inner];
    default:
      return [];
  }
}

function revive(schema: unknown, value: unknown): unknown {
  const node = zodNodeOf(schema);
  switch (node.kind) {
    case "date":
      return node.coerces ? value : dateOf(value);
    case "bigint":
      return node.coerces ? value : bigintOf(value);
    case "union":
      return revivedByOption(node.options, value);
    case "intersection":
      return node.sides.reduce((revived, side) => revive(side, revived), value);
    case "wrapper":
      return revive(node.inner, value);
    case "object":
    case "record":
      return isJsonObject(value) ? fieldsOf(node, value) : value;
    case "leaf":
      return value;
    default:
      return Array.isArray(value) ? listOf(node, value) : value;
  }
}

type ListNode = Extract<ZodNode, { kind: "array" | "tuple" | "set" | "map" }>;

function listOf(node: ListNode, list: readonly unknown[]): unknown {
  switch (node.kind) {
    case "array":
      return list.map((item) => revive(node.items, item));
    case "tuple":
      return list.map((item, index) => revive(node.items[index] ?? node.rest, item));
    case "set":
      return new Set(list.map((item) => revive(node.items, item)));
    case "map":
      return mapOf(node, list);
    default:
      return node satisfies never;
  }
}

function mapOf({ keys, values }: { keys: unknown; values: unknown }, list: readonly unknown[]) {
  const isPair = (item: unknown): item is [unknown, unknown] =>
    Array.isArray(item) && item.length === 2;
  if (!list.every(isPair)) return list;
  return new Map(list.map(([key, value]) => [revive(keys, key), revive(values, value)]));
}

type FieldsNode = Extract<ZodNode, { kind: "object" | "record" }>;

function fieldsOf(node: FieldsNode, value: object): object {
  const schemaOf = (key: string) => {
    if (node.kind === "record") return node.values;
    return Object.hasOwn(node.fields, key) ? node.fields[key] : node.rest;
  };
  const fields = Object.entries(value).map(([key, field]) => [key, revive(schemaOf(key), field)]);
  return Object.fromEntries(fields);
}

/** The first option that takes the value, as zod itself would choose. */
function revivedByOption(options: readonly unknown[], value: unknown): unknown {
  for (const option of options) {
    const revived = revive(option, value);
    if (accepts(option, revived)) return revived;
  }
  return value;
}

function accepts(schema: unknown, value: unknown): boolean {
  const { safeParse } = schema as { safeParse?: (value: unknown) => { success: boolean } };
  try {
    return safeParse?.call(schema, value).success ?? false;
  } catch {
    return false; // An asynchronous check; then the next option, and at last the value as it came.
  }
}

/** `new Date` reads nearly any text that holds a number; a date that a caller means is written so. */
const ISO_DATE = /^\d{4}-\d\d-\d\d(T.+)?$/i;

function dateOf(value: unknown): unknown {
  if (typeof value !== "string" || !ISO_DATE.test(value)) return value;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? value : date;
}

function bigintOf(value: unknown): unknown {
  const isInteger = typeof value === "string" ? /^-?\d+$/.test(value) : Number.isInteger(value);
  return isInteger ? BigInt(value as string | number) : value;
}
