/**
 * How a keyword of one JSON Schema lies to the same keyword of another: whether it takes more
 * values, fewer, or whether that cannot be said.
 */
import { canonicalText, type JsonObject, type JsonValue } from "../core/json.ts";

export type Direction = "wider" | "narrower" | "unclear";

export interface Move {
  direction: Direction;
  what: string;
}

/** What changed in the keywords that hold no schemas of their own. */
export function keywords(before: JsonObject, after: JsonObject): Move[] {
  return [...types(before, after), ...values(before, after), ...limits(before, after)];
}

function move(direction: Direction, what: string): Move {
  return { direction, what };
}

export function same(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return canonicalText(one ?? null) === canonicalText(other ?? null);
}

const TYPES = ["array", "boolean", "null", "number", "object", "string"];

function types(before: JsonObject, after: JsonObject): Move[] {
  const [was, is] = [typesOf(before), typesOf(after)];
  const direction = relation(was, is);
  const what = `was ${named(before)} and is ${named(after)}`;
  return direction ? [move(direction, what)] : [];
}

function named({ type }: JsonObject): string {
  return type === undefined ? "of any type" : [type].flat().join(" or ");
}

/** Every number includes the whole ones. */
function typesOf({ type }: JsonObject): Set<string> {
  if (type === undefined) return new Set([...TYPES, "integer"]);
  const named = (Array.isArray(type) ? type : [type]).map(String);
  return new Set(named.flatMap((name) => (name === "number" ? ["number", "integer"] : [name])));
}

/** How the second set lies to the first; undefined when they are equal. */
export function relation(was: Set<string>, is: Set<string>): Direction | undefined {
  const wider = is.isSupersetOf(was);
  const narrower = is.isSubsetOf(was);
  if (wider && narrower) return undefined;
  if (wider) return "wider";
  return narrower ? "narrower" : "unclear";
}

function values(before: JsonObject, after: JsonObject): Move[] {
  const [was, is] = [valuesOf(before), valuesOf(after)];
  if (!was && !is) return [];
  if (!was) return [move("narrower", "takes only certain values now")];
  if (!is) return [move("wider", "takes any value now")];
  const direction = relation(was, is);
  const changes = [
    ...[...was.difference(is)].map((value) => `lost ${value}`),
    ...[...is.difference(was)].map((value) => `gained ${value}`),
  ];
  return direction ? [move(direction, changes.join(", "))] : [];
}

function valuesOf({ enum: several, const: one }: JsonObject): Set<string> | undefined {
  const all = Array.isArray(several) ? several : one === undefined ? undefined : [one];
  return all && new Set(all.map((value) => canonicalText(value)));
}

/** +1: a larger number allows less. −1: a smaller one does. 0: numbers cannot be ordered. */
const LIMITS: Readonly<Record<string, 1 | -1 | 0>> = {
  minimum: 1,
  exclusiveMinimum: 1,
  minLength: 1,
  minItems: 1,
  minProperties: 1,
  maximum: -1,
  exclusiveMaximum: -1,
  maxLength: -1,
  maxItems: -1,
  maxProperties: -1,
  multipleOf: 0,
  pattern: 0,
  format: 0,
  uniqueItems: 0,
};

function limits(before: JsonObject, after: JsonObject): Move[] {
  return Object.entries(LIMITS).flatMap(([key, sign]) => {
    const [was, is] = [before[key], after[key]];
    if (same(was, is)) return [];
    const what = `${key} was ${shown(was)} and is ${shown(is)}`;
    return [move(limitDirection(was, is, sign), what)];
  });
}

function limitDirection(
  was: JsonValue | undefined,
  is: JsonValue | undefined,
  sign: number,
): Direction {
  if (was === undefined || was === false) return "narrower";
  if (is === undefined || is === false) return "wider";
  if (sign === 0 || typeof was !== "number" || typeof is !== "number") return "unclear";
  return (is - was) * sign > 0 ? "narrower" : "wider";
}

function shown(value: JsonValue | undefined): string {
  return value === undefined ? "absent" : canonicalText(value);
}

export const KEYWORDS: readonly string[] = ["type", "enum", "const", ...Object.keys(LIMITS)];
