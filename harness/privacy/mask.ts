/**
 * Makes values readable without their secrets: a secret becomes `⟨kind:digest⟩`, where equal secrets
 * have equal digests, so that equality and grouping survive. The digest is keyed: who has no key
 * cannot guess a value and check it.
 *
 * A secret is known by the name of its field (every value below such a field is one), or by what it
 * looks like, also in the middle of a text and in the names of fields.
 */
import { randomBytes } from "node:crypto";
import { isJsonObject, type JsonObject, type JsonValue, setOwn } from "../../core/json.ts";
import type { Difference } from "../compare/difference.ts";
import { advance, type Pattern, type Progress, parsePattern, startOf } from "../compare/pattern.ts";
import { escapeSegment, segmentsOf } from "../compare/pointer.ts";
import { DETECTOR_KINDS, type DetectorKind, findSecrets } from "./detector.ts";
import { type IsSecretField, secretFields } from "./field-name.ts";
import { type Key, parseKeys, shortDigest } from "./key-ring.ts";
import type { PrivacyConfig } from "./privacy-config.ts";

export interface Mask {
  text(text: string): string;
  json(value: JsonValue): JsonValue;
  difference(difference: Difference): Difference;
  /** Of an id that a caller gave: nobody knows what is in it. One in the form of a UUID stays. */
  id(given: string): string;
}

/** Masks nothing. */
export const OPEN_MASK: Mask = {
  text: (text) => text,
  json: (value) => value,
  difference: (difference) => difference,
  id: (given) => given,
};

/** For what nobody compares: no key has to be there, and no two processes mask alike. */
export function ownMask(): Mask {
  const [key] = parseKeys(randomBytes(32).toString("hex"), "own key");
  return openMask({}, () => key);
}

interface Rules {
  key: () => Key;
  kinds: readonly DetectorKind[];
  isSecretField: IsSecretField;
  allowed: readonly Pattern[];
}

/** Where a walk is: what `allow` patterns have reached, and whether a field above is a secret. */
interface Where {
  allowed: readonly Progress[];
  field: string | undefined;
}

export function openMask(options: PrivacyConfig["mask"], key: () => Key): Mask {
  if (options === false) return OPEN_MASK;
  const { keys = [], detectors = {}, allow = [] } = options ?? {};
  const rules: Rules = {
    key,
    kinds: detectors === false ? [] : DETECTOR_KINDS.filter((kind) => detectors[kind] !== false),
    isSecretField: secretFields(keys),
    allowed: allow.map(parsePattern).filter((pattern) => pattern !== undefined),
  };
  const root: Where = { allowed: rules.allowed.map(startOf), field: undefined };
  return {
    text: (text) => closing(rules, text, () => maskText(rules, text)),
    json: (value) => closing(rules, value, () => maskValue(rules, value, root)),
    difference: (difference) =>
      closingDifference(rules, difference, () => maskDifference(rules, difference, root)),
    id: (given) =>
      UUID.test(given) ? given : closing(rules, given, () => tag(rules, "id", given)),
  };
}

/** A mask that fails shows nothing: a digest and a size take the value's place. */
function closing<T extends JsonValue>(rules: Rules, value: T, mask: () => T): T | string {
  try {
    return mask();
  } catch {
    return unmaskable(rules, value);
  }
}

function closingDifference(rules: Rules, difference: Difference, mask: () => Difference) {
  try {
    return mask();
  } catch {
    const { kind, rule, legacy, candidate } = difference;
    return {
      kind,
      path: "",
      ...(legacy === undefined ? {} : { legacy: unmaskable(rules, legacy) }),
      ...(candidate === undefined ? {} : { candidate: unmaskable(rules, candidate) }),
      ...(rule === undefined ? {} : { rule }),
    };
  }
}

function unmaskable({ key }: Rules, value: JsonValue): string {
  try {
    const text = JSON.stringify(value);
    return `⟨unmaskable:${shortDigest(key(), "unmaskable", text)}:${Buffer.byteLength(text)}⟩`;
  } catch {
    return "⟨unmaskable⟩"; // Too deep to be written at all.
  }
}

function maskText(rules: Rules, text: string): string {
  const found = findSecrets(text, rules.kinds);
  if (found.length === 0) return text;
  let masked = "";
  let at = 0;
  for (const { kind, start, end } of found) {
    masked += text.slice(at, start) + tag(rules, kind, text.slice(start, end));
    at = end;
  }
  return masked + text.slice(at);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const IS_MASK = /^⟨[a-z_]+(?::[0-9a-f]{16}(?::\d+)?)?⟩$/;

function tag({ key }: Rules, kind: string, secret: string): string {
  return IS_MASK.test(secret) ? secret : `⟨${kind}:${shortDigest(key(), "mask", secret)}⟩`;
}

function maskValue(rules: Rules, value: JsonValue, where: Where): JsonValue {
  if (value === null || isAllowed(rules, where)) return value;
  if (Array.isArray(value))
    return value.map((item, index) => maskValue(rules, item, below(rules, where, String(index))));
  if (isJsonObject(value)) return maskFields(rules, value, where);
  if (where.field !== undefined) return tag(rules, where.field, String(value));
  if (typeof value === "string") return maskText(rules, value);
  // A card number may come as a number.
  if (typeof value !== "number" || Math.abs(value) < LEAST_SECRET_NUMBER) return value;
  const text = String(value);
  const masked = maskText(rules, text);
  return masked === text ? value : masked;
}

const LEAST_SECRET_NUMBER = 1e11;

function maskFields(rules: Rules, value: JsonObject, where: Where): JsonObject {
  const masked: JsonObject = {};
  for (const [name, child] of Object.entries(value)) {
    setOwn(masked, maskText(rules, name), maskValue(rules, child, below(rules, where, name)));
  }
  return masked;
}

function below(rules: Rules, where: Where, name: string): Where {
  const field = where.field ?? (rules.isSecretField(name) ? "secret" : undefined);
  if (rules.allowed.length === 0 && field === where.field) return where;
  const allowed = rules.allowed.map((pattern, index) =>
    advance(pattern, where.allowed[index] ?? [], name),
  );
  return { allowed, field };
}

function isAllowed({ allowed }: Rules, where: Where): boolean {
  return allowed.some((pattern, index) => where.allowed[index]?.includes(pattern.length));
}

/** The path is text as well: a map may be keyed by e-mail addresses. */
function maskDifference(rules: Rules, difference: Difference, root: Where): Difference {
  const { path, legacy, candidate, detail } = difference;
  const segments = segmentsOf(path);
  const where = segments.reduce((at, segment) => below(rules, at, segment), root);
  return {
    ...difference,
    path: segments.map((segment) => `/${escapeSegment(maskText(rules, segment))}`).join(""),
    ...(legacy === undefined ? {} : { legacy: maskValue(rules, legacy, where) }),
    ...(candidate === undefined ? {} : { candidate: maskValue(rules, candidate, where) }),
    ...(detail === undefined ? {} : { detail: maskText(rules, detail) }),
  };
}
