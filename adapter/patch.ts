/** Replacing a method of a class that is not ours, once. */

export type Method = (this: never, ...args: never[]) => unknown;

const PATCHED = Symbol.for("twintrack.intercepted");

/** Does nothing when the owner has no such method, or it is replaced already. */
export function replace<M extends Method>(
  owner: object,
  member: string,
  patch: (original: M) => M,
): void {
  const original = (owner as Record<string, unknown>)[member] as M | undefined;
  if (typeof original !== "function" || PATCHED in original) return;
  const patched = patch(original);
  Object.defineProperty(patched, PATCHED, { value: true });
  Object.defineProperty(owner, member, { value: patched, writable: true, configurable: true });
}

/**
 * Replaces `member` wherever it is defined: by the object itself and by what it inherits from, up to
 * and without `end`.
 */
export function replaceInherited<M extends Method>(
  object: object,
  member: string,
  end: object,
  patch: (original: M) => M,
): void {
  let at: object | null = object;
  while (at !== null && at !== end) {
    if (Object.hasOwn(at, member)) replace(at, member, patch);
    at = Object.getPrototypeOf(at) as object | null;
  }
}
