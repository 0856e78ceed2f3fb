/** Writes of both sides compared with each other, apart from what the sides answered. */

import { knownAs } from "../../core/counterpart.ts";
import type { JsonValue } from "../../core/json.ts";
import { callKey, type ToolCall } from "../../core/ledger.ts";
import type { Difference } from "./difference.ts";
import { escapeSegment } from "./pointer.ts";
import { longestRising } from "./subsequence.ts";

/** Stands in a difference where else the rule stands that explains it. */
const IN_CODE = "legacy.inCode";

export type EffectChange = "missing" | "extra" | "changed" | "reordered" | "duplicated";

/**
 * What a candidate that could write would have done to the world otherwise than legacy.
 *
 * Reads are left out. A write that was refused to a shadow run counts: it was asked for.
 */
export function compareEffects(
  legacyCalls: readonly ToolCall[],
  candidateCalls: readonly ToolCall[],
): Difference[] {
  const legacy = legacyCalls.filter((call) => call.effect === "write");
  const candidate = candidateCalls.filter((call) => call.effect === "write");
  const { matched, missing, extra } = matchWrites(legacy, candidate);
  return [...reordered(matched, legacy, candidate), ...unmatched(missing, extra, legacy)];
}

interface MatchedWrites {
  matched: (readonly [legacy: number, candidate: number])[];
  missing: ToolCall[];
  extra: ToolCall[];
}

/** Equal writes are paired in order; each stands for one other. */
function matchWrites(legacy: readonly ToolCall[], candidate: readonly ToolCall[]): MatchedWrites {
  const waiting = Map.groupBy(candidate.keys(), (index) => keyOf(candidate[index] as ToolCall));
  const matched: (readonly [number, number])[] = [];
  const missing: ToolCall[] = [];
  legacy.forEach((call, index) => {
    const partner = waiting.get(keyOf(call))?.shift();
    if (partner === undefined) missing.push(call);
    else matched.push([index, partner]);
  });
  const left = [...waiting.values()].flat().sort((a, b) => a - b);
  return { matched, missing, extra: left.map((index) => candidate[index] as ToolCall) };
}

function reordered(
  matched: MatchedWrites["matched"],
  legacy: readonly ToolCall[],
  candidate: readonly ToolCall[],
): Difference[] {
  const inOrder = new Set(longestRising(matched));
  return matched
    .filter((pair) => !inOrder.has(pair))
    .map(([i, j]) => effect("reordered", legacy[i], candidate[j]));
}

/** Two unmatched writes of one tool are one changed write; a repeated write is a duplicate. */
function unmatched(
  missing: ToolCall[],
  extra: ToolCall[],
  legacy: readonly ToolCall[],
): Difference[] {
  const made = new Set(legacy.map(keyOf));
  const duplicates = extra.filter((call) => made.has(keyOf(call)));
  const fresh = Map.groupBy(
    extra.filter((call) => !made.has(keyOf(call))),
    (call) => knownAs(call).tool,
  );
  const found = missing.map((call) => {
    const partner = fresh.get(call.tool)?.shift();
    return partner ? effect("changed", call, partner) : effect("missing", call, undefined);
  });
  return [
    ...found,
    ...duplicates.map((call) => effect("duplicated", undefined, call)),
    ...[...fresh.values()].flat().map(extraWrite),
  ];
}

/** What legacy does in code of its own is nothing to compare with: it is shown, and held against nobody. */
function extraWrite(call: ToolCall): Difference {
  const difference = effect("extra", undefined, call);
  return call.inCode ? { ...difference, rule: IN_CODE } : difference;
}

function keyOf(call: ToolCall): string {
  const { tool, args } = knownAs(call);
  return callKey(tool, args);
}

function effect(
  detail: EffectChange,
  legacy: ToolCall | undefined,
  candidate: ToolCall | undefined,
): Difference {
  const tool = legacy?.tool ?? (candidate && knownAs(candidate).tool) ?? "";
  const difference: Difference = {
    kind: "effect",
    path: `/effects/${escapeSegment(tool)}`,
    detail,
  };
  if (legacy) difference.legacy = writeOf(legacy);
  if (candidate) difference.candidate = writeOf(candidate);
  return difference;
}

function writeOf(call: ToolCall): JsonValue {
  const { tool, args } = knownAs(call);
  return { tool, args };
}
