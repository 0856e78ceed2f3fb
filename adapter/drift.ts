/**
 * What changed between a locked contract and today's, seen by those who call the tool.
 *
 * An input may become wider and an output narrower without anybody noticing: that is additive.
 * The other way round breaks a caller, and so does a change that cannot be judged.
 */
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { type Direction, KEYWORDS, keywords, relation, same } from "./keyword.ts";

export type Drift = "breaking" | "additive";

export interface Change {
  drift: Drift;
  /** `input` or `output` with a JSON Pointer into that schema. */
  at: string;
  /** One clause, for example `is required now`. */
  what: string;
}

/** The schemas of a contract; what a lock file holds of it. */
export interface Schemas {
  inputSchema: JsonObject;
  outputSchema?: JsonObject | undefined;
}

type Side = "input" | "output";

interface Place {
  side: Side;
  pointer: string;
  roots: readonly [JsonObject, JsonObject];
  /** Pairs of references that are being compared: recursion ends there. */
  seen: ReadonlySet<string>;
}

export function driftBetween(locked: Schemas, now: Schemas): Change[] {
  return [
    ...compare(
      locked.inputSchema,
      now.inputSchema,
      rootOf("input", locked.inputSchema, now.inputSchema),
    ),
    ...outputDrift(locked.outputSchema, now.outputSchema),
  ];
}

function outputDrift(locked: JsonObject | undefined, now: JsonObject | undefined): Change[] {
  if (!locked && !now) return [];
  if (!locked) return [{ drift: "additive", at: "output", what: "is declared now" }];
  if (!now) return [{ drift: "breaking", at: "output", what: "is no longer declared" }];
  return compare(locked, now, rootOf("output", locked, now));
}

function rootOf(side: Side, locked: JsonObject, now: JsonObject): Place {
  return { side, pointer: "", roots: [locked, now], seen: new Set() };
}

function change(place: Place, drift: Drift, what: string): Change {
  return { drift, at: `${place.side}${place.pointer}`, what };
}

/** Wider inputs and narrower outputs hurt nobody. */
function directed(place: Place, direction: Direction, what: string): Change {
  const harmless = place.side === "input" ? "wider" : "narrower";
  return change(place, direction === harmless ? "additive" : "breaking", what);
}

function under(place: Place, ...keys: string[]): Place {
  const escaped = keys.map((key) => key.replaceAll("~", "~0").replaceAll("/", "~1"));
  return { ...place, pointer: [place.pointer, ...escaped].join("/") };
}

function compare(
  locked: JsonValue | undefined,
  now: JsonValue | undefined,
  place: Place,
): Change[] {
  if (same(locked, now) && !place.roots.some((root) => hasReference(locked, root))) return [];
  const [before, after] = [resolved(locked, place.roots[0]), resolved(now, place.roots[1])];
  const pair = `${canonicalText(locked ?? true)} ${canonicalText(now ?? true)}`;
  if (place.seen.has(pair)) return [];
  const inside = { ...place, seen: new Set(place.seen).add(pair) };
  if (before === false || after === false) return forbidden(before, after, inside);
  return [
    ...keywords(before, after).map(({ direction, what }) => directed(inside, direction, what)),
    ...properties(before, after, inside),
    ...required(before, after, inside),
    ...nested(before, after, inside),
    ...others(before, after, inside),
  ];
}

/** Equal text means an equal schema only where nothing points to a definition elsewhere. */
function hasReference(schema: JsonValue | undefined, root: JsonObject): boolean {
  return schema !== root && canonicalText(schema ?? null).includes('"$ref"');
}

/** A schema as an object; `true` and absence allow everything. */
function resolved(schema: JsonValue | undefined, root: JsonObject): JsonObject | false {
  if (schema === false) return false;
  if (!isJsonObject(schema)) return {};
  const { $ref: reference, ...beside } = schema;
  if (typeof reference !== "string") return schema;
  const target = targetOf(reference, root);
  return isJsonObject(target)
    ? { ...target, ...beside }
    : { "unresolved reference": reference, ...beside };
}

function targetOf(reference: string, root: JsonObject): JsonValue | undefined {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let target: JsonValue | undefined = root;
  for (const part of reference.slice(2).split("/")) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(target)) target = target[Number(key)];
    else target = isJsonObject(target) ? target[key] : undefined;
  }
  return target;
}

function forbidden(before: JsonObject | false, after: JsonObject | false, place: Place): Change[] {
  if (before === after) return [];
  return before === false
    ? [directed(place, "wider", "is allowed now")]
    : [directed(place, "narrower", "is no longer allowed")];
}

function properties(before: JsonObject, after: JsonObject, place: Place): Change[] {
  const [was, is] = [objectAt(before, "properties"), objectAt(after, "properties")];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((name) => {
    const at = under(place, "properties", name);
    if (!Object.hasOwn(is, name)) return [change(at, "breaking", "is gone")];
    // Where unknown fields were let through, it may have been sent before; nobody read it.
    if (!Object.hasOwn(was, name)) return [change(at, "additive", "is new")];
    return compare(was[name], is[name], at);
  });
}

function required(before: JsonObject, after: JsonObject, place: Place): Change[] {
  const [was, is] = [namesAt(before), namesAt(after)];
  const at = (name: string) => under(place, "properties", name);
  return [
    ...[...is.difference(was)].map((name) => directed(at(name), "narrower", "is required now")),
    ...[...was.difference(is)].map((name) => directed(at(name), "wider", "is optional now")),
  ];
}

const BRANCHES = ["anyOf", "oneOf", "allOf"] as const;
const SCHEMAS = ["items", "additionalProperties", "propertyNames", "not", "contains"] as const;

function nested(before: JsonObject, after: JsonObject, place: Place): Change[] {
  const single = SCHEMAS.flatMap((key) => {
    if (before[key] === undefined && after[key] === undefined) return [];
    const found = compare(before[key], after[key], under(place, key));
    // What may not be there is narrower when it is wider.
    return key === "not" && found.length > 0
      ? [change(place, "breaking", "not has changed")]
      : found;
  });
  return [
    ...single,
    ...BRANCHES.flatMap((key) => branches(key, before, after, place)),
    ...tuple(before, after, place),
  ];
}

/** Alternatives of a `oneOf` are taken to exclude each other, as those of a tagged union do. */
function branches(
  key: (typeof BRANCHES)[number],
  before: JsonObject,
  after: JsonObject,
  place: Place,
): Change[] {
  const [was, is] = [listAt(before, key), listAt(after, key)];
  if (was.length === is.length) return pairs(key, was, is, place);
  const [texts, textsNow] = [textsOf(was), textsOf(is)];
  const direction = was.length > 0 && is.length > 0 ? relation(texts, textsNow) : undefined;
  const what = `${key} had ${was.length} branches and has ${is.length}`;
  return [directed(under(place, key), directionOf(key, was, is, direction), what)];
}

/** One alternative more allows more; one condition more allows less. */
function directionOf(
  key: string,
  was: readonly JsonValue[],
  is: readonly JsonValue[],
  direction: Direction | undefined,
): Direction {
  if (was.length === 0) return "narrower";
  if (is.length === 0) return "wider";
  if (key !== "allOf") return direction ?? "unclear";
  if (direction === "wider") return "narrower";
  return direction === "narrower" ? "wider" : "unclear";
}

function tuple(before: JsonObject, after: JsonObject, place: Place): Change[] {
  const [was, is] = [listAt(before, "prefixItems"), listAt(after, "prefixItems")];
  return was.length === is.length
    ? pairs("prefixItems", was, is, place)
    : [change(under(place, "prefixItems"), "breaking", "has another length")];
}

function pairs(
  key: string,
  was: readonly JsonValue[],
  is: readonly JsonValue[],
  place: Place,
): Change[] {
  return was.flatMap((one, index) => compare(one, is[index], under(place, key, String(index))));
}

/** What says nothing about which values are valid. A default does: it is what callers leave out. */
const ANNOTATIONS = [
  "title",
  "description",
  "examples",
  "deprecated",
  "$schema",
  "$comment",
  "$id",
  "$defs",
  "definitions",
  "readOnly",
  "writeOnly",
];
const JUDGED = new Set<string>([
  ...KEYWORDS,
  ...["properties", "required", "prefixItems", "$ref"],
  ...BRANCHES,
  ...SCHEMAS,
]);

function others(before: JsonObject, after: JsonObject, place: Place): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differing = keys.filter((key) => !JUDGED.has(key) && !same(before[key], after[key]));
  return differing.flatMap((key) => {
    if (key === "$defs" || key === "definitions") return []; // Seen where they are referred to.
    return [
      change(place, ANNOTATIONS.includes(key) ? "additive" : "breaking", `${key} has changed`),
    ];
  });
}

function objectAt(schema: JsonObject, key: string): JsonObject {
  const value = schema[key];
  return isJsonObject(value) ? value : {};
}

function namesAt({ required: names }: JsonObject): Set<string> {
  return new Set(Array.isArray(names) ? names.map(String) : []);
}

function listAt(schema: JsonObject, key: string): readonly JsonValue[] {
  const value = schema[key];
  return Array.isArray(value) ? value : [];
}

function textsOf(branches: readonly JsonValue[]): Set<string> {
  return new Set(branches.map((branch) => canonicalText(branch)));
}
