/**
 * Which parts of a flow's input space and graph the trials have seen, and which they have not.
 *
 * A mark is one thing that can be seen: a value of an enum, an optional field with and without it,
 * a conditional step taken and skipped, a tool of legacy that the candidate calls as well. The schema
 * and the graph say which marks there are; each compared trial says which of them it saw.
 */

import type { Flow } from "../core/flow.ts";
import type { RunEvent } from "../core/history.ts";
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { type Criterion, missing } from "./criterion.ts";

export interface CoverageMark {
  /** `input /kind = "refund"`, `input /note absent`, `step refund skipped`, `tool mail.send`. */
  mark: string;
  seen: boolean;
}

/** Over all trials of one version of a flow. */
export interface Coverage {
  seen: number;
  total: number;
  /** Marks that no trial saw; not all of them when there are many. */
  unseen: string[];
}

/** A schema that names more than this is not told whole. */
const MAX_MARKS = 300;
/** Deeper parts of an input are not looked into; this ends schemas that contain themselves. */
const MAX_SCHEMA_DEPTH = 6;

export interface SeenTrial {
  /** JSON Schema of the input. */
  schema: JsonObject;
  input: JsonValue;
  candidate: Pick<Flow, "steps">;
  history: readonly RunEvent[];
  legacyTools: readonly string[];
  candidateTools: readonly string[];
}

/** What one trial says: every mark there is, and whether this trial saw it. */
export function marksOf(trial: SeenTrial): CoverageMark[] {
  const marks = new Map<string, boolean>();
  walk(trial.schema, { root: trial.schema, marks }, [trial.input], "", 0);
  noteSteps(trial, marks);
  for (const tool of trial.legacyTools)
    marks.set(`tool ${tool}`, trial.candidateTools.includes(tool));
  return [...marks].slice(0, MAX_MARKS).map(([mark, seen]) => ({ mark, seen }));
}

function noteSteps({ candidate, history }: SeenTrial, marks: Map<string, boolean>): void {
  const taken = new Set<string>();
  const skipped = new Set<string>();
  for (const event of history) {
    if (event.type === "step_returned") taken.add(event.step);
    if (event.type === "step_skipped") skipped.add(event.step);
  }
  for (const { name, when } of candidate.steps) {
    marks.set(`step ${name} taken`, taken.has(name));
    if (when) marks.set(`step ${name} skipped`, skipped.has(name));
  }
}

interface Walk {
  root: JsonObject;
  marks: Map<string, boolean>;
}

/** `values` are all values of the input at this place: several below an array, none where it is left out. */
function walk(
  given: JsonValue | undefined,
  state: Walk,
  values: readonly JsonValue[],
  path: string,
  depth: number,
): void {
  const schema = resolved(given, state.root);
  if (!schema || depth > MAX_SCHEMA_DEPTH || state.marks.size > MAX_MARKS) return;
  for (const word of ["anyOf", "oneOf", "allOf"] as const) {
    for (const variant of listOf(schema[word]))
      walk(
        variant,
        state,
        values.filter((value) => couldBe(variant, value, state.root)),
        path,
        depth + 1,
      );
  }
  for (const value of namedValues(schema)) {
    note(state, `input ${path || "/"} = ${JSON.stringify(value)}`, includes(values, value));
  }
  const items = values.flatMap((value) => (Array.isArray(value) ? value : []));
  if (schema.items !== undefined) walk(schema.items, state, items, `${path}/*`, depth + 1);
  const objects = values.filter(isJsonObject);
  const required = new Set(listOf(schema.required));
  const properties = isJsonObject(schema.properties) ? Object.entries(schema.properties) : [];
  for (const [name, property] of properties) {
    const place = `${path}/${name}`;
    const having = objects.filter((value) => Object.hasOwn(value, name));
    if (!required.has(name)) {
      note(state, `input ${place} present`, having.length > 0);
      note(state, `input ${place} absent`, having.length < objects.length);
    }
    const inner = having.map((value) => value[name] ?? null);
    walk(property, state, inner, place, depth + 1);
  }
}

function note({ marks }: Walk, mark: string, seen: boolean): void {
  marks.set(mark, seen || marks.get(mark) === true);
}

/** The values that a schema names one by one. */
function namedValues(schema: JsonObject): JsonValue[] {
  if (Array.isArray(schema.enum)) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  if (schema.type === "boolean") return [true, false];
  return schema.type === "null" ? [null] : [];
}

function includes(values: readonly JsonValue[], value: JsonValue): boolean {
  const text = canonicalText(value);
  return values.some((one) => canonicalText(one) === text);
}

/** False for a variant of a union whose own constants the value contradicts. */
function couldBe(variant: JsonValue, value: JsonValue, root: JsonObject): boolean {
  const schema = resolved(variant, root);
  if (!isJsonObject(schema?.properties) || !isJsonObject(value)) return true;
  return Object.entries(schema.properties).every(
    ([name, property]) =>
      !isJsonObject(property) ||
      property.const === undefined ||
      includes([value[name] ?? null], property.const),
  );
}

function resolved(schema: JsonValue | undefined, root: JsonObject): JsonObject | undefined {
  if (!isJsonObject(schema)) return undefined;
  if (typeof schema.$ref !== "string") return schema;
  const [here, ...parts] = schema.$ref.split("/");
  if (here !== "#") return undefined;
  const target = parts.reduce<JsonValue | undefined>(
    (at, part) =>
      isJsonObject(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined,
    root,
  );
  return isJsonObject(target) ? target : undefined;
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** How many unseen marks a reason names; evidence may list more. */
const SHOWN_MARKS = 5;

export const inputCoverage: Criterion = ({ coverage, trials }, { minCoverage }) => {
  const criterion = "input_coverage";
  if (!coverage) {
    return minCoverage === undefined ? undefined : missing(criterion, minCoverage, "coverage");
  }
  const { seen, total, unseen } = coverage;
  const limit = minCoverage ?? null;
  const reason = { criterion, limit, n: trials ?? null };
  if (total === 0 || seen > total) {
    if (limit === null) return undefined;
    const detail = total === 0 ? "nothing was looked at yet" : `${seen} of ${total} cannot be`;
    return { ...reason, observed: null, status: "undecided", detail };
  }
  const share = seen / total;
  const rest = unseen.length > SHOWN_MARKS ? ` and ${total - seen - SHOWN_MARKS} more` : "";
  const never = unseen.slice(0, SHOWN_MARKS).join(", ");
  const detail = `${seen} of ${total} parts of input and flow were seen${never ? `; never: ${never}${rest}` : ""}`;
  // More trials may see the rest: too little coverage is not proof of a fault.
  const status = limit === null || share >= limit ? "pass" : "undecided";
  return { ...reason, observed: share, status, detail };
};
