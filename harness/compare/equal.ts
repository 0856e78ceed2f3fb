import type { JsonObject, JsonValue } from "../../core/json.ts";

/** What looking for equality may cost one comparison, and what it met. */
export interface Budget {
  /** Nodes that may still be looked at; below zero the answer is "not equal". */
  nodes: number;
  depth: number;
  tooDeep: boolean;
}

/** Equal without looking inside: `1` is `1.0`, `-0` is `0`, NaN is NaN. */
export function sameScalar(left: JsonValue, right: JsonValue): boolean {
  // biome-ignore lint/suspicious/noSelfCompare: only NaN differs from itself, and two of it are equal
  return left === right || (left !== left && right !== right);
}

export function isContainer(value: JsonValue): value is JsonValue[] | JsonObject {
  return typeof value === "object" && value !== null;
}

/**
 * Structural equality with an explicit stack, so that depth cannot overflow it.
 *
 * With an exhausted budget the answer is `false`: the walk then looks for itself, under its own cap.
 */
export function equal(left: JsonValue, right: JsonValue, budget: Budget): boolean {
  if (left === right) return true;
  if (!isContainer(left) || !isContainer(right)) return sameScalar(left, right);
  const stack: JsonValue[] = [left, right];
  const depths = [0];
  for (let depth = depths.pop(); depth !== undefined; depth = depths.pop()) {
    const b = stack.pop() as JsonValue[] | JsonObject;
    const a = stack.pop() as JsonValue[] | JsonObject;
    if (depth > budget.depth) budget.tooDeep = true;
    if (budget.nodes < 0 || budget.tooDeep || Array.isArray(a) !== Array.isArray(b)) return false;
    const waiting = stack.length;
    const alike = Array.isArray(a)
      ? sameItems(a, b as JsonValue[], stack)
      : sameFields(a, b as JsonObject, stack);
    if (alike < 0) return false;
    budget.nodes -= alike + 1;
    for (let added = waiting; added < stack.length; added += 2) depths.push(depth + 1);
  }
  return true;
}

/** Number of children, or -1 when they cannot be equal; containers wait on the stack. */
function sameItems(a: JsonValue[], b: JsonValue[], stack: JsonValue[]): number {
  const { length } = a;
  if (length !== b.length) return -1;
  for (let index = 0; index < length; index++) {
    const left = a[index] as JsonValue;
    const right = b[index] as JsonValue;
    if (left !== right && !mayBeSame(left, right, stack)) return -1;
  }
  return length;
}

function sameFields(a: JsonObject, b: JsonObject, stack: JsonValue[]): number {
  // Object.keys, not for-in: an object that lost a key by `delete` makes for-in three times slower.
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return -1;
  for (const key of keys) {
    const left = a[key] as JsonValue;
    const right = b[key];
    if (left === right) continue;
    if (right === undefined || isInherited(b, key, right)) return -1;
    if (!mayBeSame(left, right, stack)) return -1;
  }
  return keys.length;
}

/** JSON holds no functions, so only `__proto__` can look like a field without being one. */
export function isInherited(owner: JsonObject, key: string, value: unknown): boolean {
  return typeof value === "function" || (key === "__proto__" && !Object.hasOwn(owner, key));
}

function mayBeSame(left: JsonValue, right: JsonValue, stack: JsonValue[]): boolean {
  if (typeof left !== "object" || typeof right !== "object") return sameScalar(left, right);
  if (left === null || right === null) return false;
  stack.push(left, right);
  return true;
}

/** True when the value is nested more than `limit` levels deep. */
export function deeperThan(value: JsonValue, limit: number): boolean {
  let level: JsonValue[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    const next: JsonValue[] = [];
    for (const container of level) {
      if (!isContainer(container)) continue;
      for (const child of Object.values(container)) if (isContainer(child)) next.push(child);
    }
    level = next;
  }
  return false;
}
