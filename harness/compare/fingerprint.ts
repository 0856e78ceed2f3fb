/**
 * What two trials have in common when they differ in the same way.
 *
 * A fingerprint is made of kinds and templated paths only: no index, no id, no value. The version
 * in front belongs to it: when this algorithm changes, old divergences are not regrouped.
 */
import { digest } from "../../core/json.ts";
import type { Side } from "../../core/trigger.ts";
import { type Difference, type DifferenceKind, isUnexplained } from "./difference.ts";
import { escapeSegment, segmentsOf, unescapeSegment } from "./pointer.ts";

const VERSION = "v1";
const MAX_PATH = 200;

/** Differences that a rule explains leave no trace in it. */
export function fingerprint(flow: string, differences: readonly Difference[]): string {
  const keys = new Set(differences.filter(isUnexplained).map(groupKey));
  return `${VERSION}:${digest(flow, ...[...keys].sort()).slice(0, 16)}`;
}

/** All unexplained differences of one trial that are one thing to decide on. */
export interface DivergenceGroup {
  fingerprint: string;
  title: string;
  kind: DifferenceKind;
  /** Templated: indexes are `*`, ids are `{id}`. */
  path: string;
  differences: Difference[];
}

export function groupDifferences(
  flow: string,
  differences: readonly Difference[],
): DivergenceGroup[] {
  const groups = Map.groupBy(differences.filter(isUnexplained), groupKey);
  return [...groups.values()].map((members) => {
    const [{ kind, path }] = members as [Difference, ...Difference[]];
    return {
      fingerprint: fingerprint(flow, members),
      title: describeDivergence(members),
      kind,
      path: templatePath(path),
      differences: members,
    };
  });
}

/** The fingerprint that an explained difference would have if no rule explained it. */
export function fingerprintOf(flow: string, difference: Difference): string {
  return `${VERSION}:${digest(flow, groupKey(difference)).slice(0, 16)}`;
}

function groupKey(difference: Difference): string {
  const { kind, path, detail } = difference;
  if (kind === "effect") return `${kind} ${path} ${detail ?? ""}`;
  const side = failedSide(difference);
  return side === undefined ? `${kind} ${templatePath(path)}` : `${kind} of ${side}`;
}

/** Which side failed while the other answered; it tells two divergences at one place apart. */
function failedSide({ kind, path, legacy, candidate }: Difference): Side | undefined {
  if (path !== "" || (kind !== "error" && kind !== "timeout")) return undefined;
  if (legacy === undefined) return candidate === undefined ? undefined : "candidate";
  return candidate === undefined ? "legacy" : undefined;
}

/** The path without what differs from trial to trial. */
export function templatePath(path: string): string {
  const segments = foldRepeats(segmentsOf(path).map(templateSegment));
  const text = segments.map((segment) => `/${escapeSegment(segment)}`).join("");
  return text.length <= MAX_PATH ? text : `${text.slice(0, MAX_PATH)}…`;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

function templateSegment(segment: string): string {
  if (/^\d{1,6}$/.test(segment)) return "*";
  return segment
    .replace(UUID, "{id}")
    .replace(/\d{4}-\d{2}-\d{2}(?:[T ][0-9:.]+(?:Z|[+-]\d{2}:?\d{2})?)?/g, "{time}")
    .replace(/(?<![0-9a-z])(?=[a-z]*\d)[0-9a-f]{12,}(?![0-9a-z])/gi, "{id}")
    .replace(/(?<![0-9A-Za-z])(?=[A-Z]*\d)[0-9A-HJKMNP-TV-Z]{26}(?![0-9A-Za-z])/g, "{id}")
    .replace(/\d{5,}/g, "{id}");
}

/** `/child/child/child/child/x` is `/child/+/x`: recursion depth is no property of a divergence. */
function foldRepeats(segments: readonly string[]): string[] {
  const folded: string[] = [];
  for (let at = 0; at < segments.length; ) {
    const { period, times } = longestRepeat(segments, at);
    folded.push(...segments.slice(at, at + period));
    if (times > 1) folded.push("+");
    at += period * times;
  }
  return folded;
}

/** Three repeats or more of one to three segments; indexes alone are a matrix, not recursion. */
function longestRepeat(segments: readonly string[], at: number): { period: number; times: number } {
  for (const period of [1, 2, 3]) {
    const unit = segments.slice(at, at + period).join("/");
    if (/^[*/]*$/.test(unit)) continue;
    let times = 1;
    while (segments.slice(at + times * period, at + (times + 1) * period).join("/") === unit)
      times++;
    if (times >= 3) return { period, times };
  }
  return { period: 1, times: 1 };
}

/** A title in words for a list of differences. */
export function describeDivergence(differences: readonly Difference[]): string {
  const keys = Map.groupBy(differences, groupKey);
  const [first] = [...keys.values()].flat();
  if (!first) return "no difference";
  const more = keys.size > 1 ? ` and ${keys.size - 1} more` : "";
  return `${describe(first)}${more}`;
}

function describe(difference: Difference): string {
  const { kind, path, detail } = difference;
  const place = path === "" ? "the answer" : `\`${templatePath(path)}\``;
  switch (kind) {
    case "missing":
      return `${place} missing in candidate`;
    case "extra":
      return `${place} only in candidate`;
    case "type":
      return `${place} has another type`;
    case "value":
      return `${place} value differs`;
    case "order":
      return `${place} in another order`;
    case "text":
      return `${place} text differs`;
    case "schema":
      return `${place} breaks its schema`;
    case "error":
      return describeFailure(difference, "failed");
    case "timeout":
      return describeFailure(difference, "timed out");
    case "effect":
      return `write \`${unescapeSegment(path.replace("/effects/", ""))}\` ${detail ?? "differs"}`;
    default:
      return kind satisfies never;
  }
}

function describeFailure(difference: Difference, verb: string): string {
  const { path } = difference;
  if (path !== "") return `both failed, \`${path}\` differs`;
  const side = failedSide(difference);
  return side === undefined ? verb : `only ${side} ${verb}`;
}
