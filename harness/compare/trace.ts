/**
 * The steps of both sides next to each other, so that the first one that differs can be named.
 *
 * Apart from the answers: an equal answer may come about in another way, which is told and not
 * judged. A step is a tool call, or a step of the flow that calls none and, by its hint `legacy`,
 * stands for one. Steps are aligned by least edit distance over names and canonical arguments; a
 * hint overrules names.
 */
import { knownAs, type LegacyCall } from "../../core/counterpart.ts";
import { hintedSteps, type RunEvent } from "../../core/history.ts";
import { canonicalText, isJsonObject, type JsonValue } from "../../core/json.ts";
import { answerBook, callKey, type ToolCall } from "../../core/ledger.ts";
import { alignByScore, longestRising } from "./subsequence.ts";

/** What of a run is aligned. */
export interface TracedRun {
  calls: readonly ToolCall[];
  /** Of a typed flow. */
  history?: readonly RunEvent[] | undefined;
}

/** A step of the flow that calls no tool. */
export interface CodeStep {
  step: string;
  durationMs: number;
}

export type Relation =
  /** Same tool, same canonical arguments. */
  | "same"
  /** By its hint the flow's step stands for another tool. Agreed, so no divergence. */
  | "replaced"
  /** Same tool, other arguments. */
  | "changed"
  /** At another place in the order of the steps. */
  | "moved"
  | "legacy_only"
  | "candidate_only";

export interface TraceRow {
  /** The flow's name for the step, or else the tool's. */
  name: string;
  relation: Relation;
  legacy?: ToolCall;
  candidate?: ToolCall | CodeStep;
  /** How long the step takes; of a call that was answered from a record, how long the recorded one took. */
  legacyMs: number | null;
  candidateMs: number | null;
}

/** A step of the candidate before it is aligned. */
interface CandidateStep {
  shown: ToolCall | CodeStep;
  call: ToolCall | undefined;
  hint: LegacyCall | undefined;
  startedAtMs: number;
}

type Match = readonly [legacy: number, candidate: number];

/** Traces longer than this product of lengths are aligned by place. */
const MAX_CELLS = 1_000_000;

/** The alignment with the most equal steps; a call with other arguments is still the same step. */
export function alignTraces(
  { calls: legacy }: Pick<TracedRun, "calls">,
  run: TracedRun,
): TraceRow[] {
  const candidate = candidateSteps(run);
  const hinted = hintedMatches(legacy, candidate);
  const anchors = longestRising([...hinted].sort(([a], [b]) => a - b));
  const inOrder = alignInOrder(legacy, candidate, hinted, anchors);
  const moved = movedMatches(legacy, candidate, hinted, inOrder);
  return rowsOf(legacy, candidate, inOrder, moved);
}

function candidateSteps({ calls, history = [] }: TracedRun): CandidateStep[] {
  const hinted = hintedSteps(history);
  const hints = new Map(hinted.map(({ step, legacy }) => [step, legacy]));
  const calling = new Set(calls.map((call) => call.step));
  const code = hinted
    .filter(({ step }) => !calling.has(step))
    .map(({ step, startedAtMs, durationMs }) => ({
      shown: { step, durationMs },
      call: undefined,
      hint: hints.get(step),
      startedAtMs,
    }));
  const called = calls.map((call, index) => ({
    shown: call,
    call,
    // A step that is tried again calls again; the last call is the one that it stands by.
    hint: isLastOfStep(calls, index) ? hints.get(call.step ?? "") : undefined,
    startedAtMs: call.startedAtMs,
  }));
  return code.length === 0
    ? called
    : [...called, ...code].sort((a, b) => a.startedAtMs - b.startedAtMs);
}

function isLastOfStep(calls: readonly ToolCall[], index: number): boolean {
  const step = calls[index]?.step;
  return step !== undefined && !calls.slice(index + 1).some((later) => later.step === step);
}

/** Hints whose call legacy did not make say nothing. */
function hintedMatches(legacy: readonly ToolCall[], candidate: readonly CandidateStep[]): Match[] {
  const taken = new Set<number>();
  return candidate.flatMap(({ hint, call }, index): Match[] => {
    if (!hint || (call && hint.nth === undefined)) return [];
    const ofTool = legacy.flatMap(({ tool }, at) => (isCalled(tool, hint.tool) ? [at] : []));
    const at = ofTool[hint.nth ?? 0];
    if (at === undefined || taken.has(at)) return [];
    taken.add(at);
    return [[at, index]];
  });
}

/** Hints may leave out the tool source: `refund` for `billing.refund`. */
function isCalled(tool: string, name: string): boolean {
  return tool === name || tool.endsWith(`.${name}`);
}

/** Worth more than all other matches of a trace together. */
const HINT_SCORE = 1e6;
/** Two calls with other arguments must never outweigh one equal call. */
const SAME_TOOL_SCORE = 0.2;
const LIKE_ARGUMENTS_SCORE = 0.25;

function alignInOrder(
  legacy: readonly ToolCall[],
  candidate: readonly CandidateStep[],
  hinted: readonly Match[],
  anchors: readonly Match[],
): Match[] {
  const anchored = new Map(anchors);
  const byHint = {
    legacy: new Set(hinted.map(([i]) => i)),
    candidate: new Set(hinted.map(([, j]) => j)),
  };
  const keysOf = {
    legacy: legacy.map(keyOf),
    candidate: candidate.map(({ call }) => call && keyOf(call)),
  };
  const score = (i: number, j: number): number => {
    if (byHint.legacy.has(i) || byHint.candidate.has(j))
      return anchored.get(i) === j ? HINT_SCORE : 0;
    if (keysOf.legacy[i] === keysOf.candidate[j]) return 1;
    const left = legacy[i] as ToolCall;
    const step = candidate[j]?.call;
    const right = step && knownAs(step);
    if (left.tool !== right?.tool) return 0;
    return SAME_TOOL_SCORE + LIKE_ARGUMENTS_SCORE * likeness(left.args, right.args);
  };
  return (
    alignByScore(legacy.length, candidate.length, score, { left: MAX_CELLS }) ??
    legacy.slice(0, candidate.length).map((_, index) => [index, index] as const)
  );
}

const keys = new WeakMap<ToolCall, string>();

/** Each is needed several times, and writing it is most of what aligning costs. */
function keyOf(call: ToolCall): string {
  const { tool, args } = knownAs(call);
  const known = keys.get(call) ?? callKey(tool, args);
  keys.set(call, known);
  return known;
}

/** Share of equal arguments, in [0, 1]. */
function likeness(left: JsonValue, right: JsonValue): number {
  if (!isJsonObject(left) || !isJsonObject(right)) return 0;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  const equal = [...names].filter(
    (name) =>
      Object.hasOwn(left, name) &&
      Object.hasOwn(right, name) &&
      canonicalText(left[name] as JsonValue) === canonicalText(right[name] as JsonValue),
  );
  return names.size === 0 ? 0 : equal.length / names.size;
}

/** Steps that belong together though others stand between them: by hint, or because they are equal. */
function movedMatches(
  legacy: readonly ToolCall[],
  candidate: readonly CandidateStep[],
  hinted: readonly Match[],
  inOrder: readonly Match[],
): Map<number, number> {
  const used = {
    legacy: new Set(inOrder.map(([i]) => i)),
    candidate: new Set(inOrder.map(([, j]) => j)),
  };
  const moved = new Map<number, number>();
  const join = (i: number, j: number) => {
    used.legacy.add(i);
    used.candidate.add(j);
    moved.set(i, j);
  };
  for (const [i, j] of hinted) if (!used.legacy.has(i) && !used.candidate.has(j)) join(i, j);
  const free = candidate.flatMap(({ call }, j) => (call && !used.candidate.has(j) ? [j] : []));
  const waiting = Map.groupBy(free, (j) => keyOf(candidate[j]?.call as ToolCall));
  legacy.forEach((call, i) => {
    const j = used.legacy.has(i) ? undefined : waiting.get(keyOf(call))?.shift();
    if (j !== undefined) join(i, j);
  });
  return moved;
}

function rowsOf(
  legacy: readonly ToolCall[],
  candidate: readonly CandidateStep[],
  inOrder: readonly Match[],
  moved: ReadonlyMap<number, number>,
): TraceRow[] {
  const row = rowMaker(legacy, candidate);
  const movedCandidates = new Set(moved.values());
  const rows: TraceRow[] = [];
  let [a, b] = [0, 0];
  const upTo = (aEnd: number, bEnd: number) => {
    for (; a < aEnd; a++) rows.push(row(a, moved.get(a), moved.has(a)));
    for (; b < bEnd; b++) if (!movedCandidates.has(b)) rows.push(row(undefined, b, false));
  };
  for (const [i, j] of inOrder) {
    upTo(i, j);
    rows.push(row(a++, b++, false));
  }
  upTo(legacy.length, candidate.length);
  return rows;
}

type MakeRow = (i: number | undefined, j: number | undefined, isMoved: boolean) => TraceRow;

function rowMaker(legacy: readonly ToolCall[], candidate: readonly CandidateStep[]): MakeRow {
  const calls = candidate.flatMap(({ call }) => call ?? []);
  const durations = { legacy: durationsOf(legacy, calls), candidate: durationsOf(calls, legacy) };
  return (i, j, isMoved) => {
    const left = i === undefined ? undefined : legacy[i];
    const right = j === undefined ? undefined : candidate[j];
    const shown = right?.shown;
    return {
      name: shown?.step ?? right?.call?.tool ?? left?.tool ?? "",
      relation: isMoved ? "moved" : relationOf(left, right),
      ...(left && { legacy: left }),
      ...(shown && { candidate: shown }),
      legacyMs: left ? (durations.legacy.get(left) ?? null) : null,
      candidateMs: right
        ? right.call
          ? (durations.candidate.get(right.call) ?? null)
          : right.shown.durationMs
        : null,
    };
  };
}

function relationOf(legacy: ToolCall | undefined, candidate: CandidateStep | undefined): Relation {
  if (!legacy) return "candidate_only";
  if (!candidate) return "legacy_only";
  if (!candidate.call) return "replaced";
  if (legacy.tool !== candidate.call.tool)
    return candidate.hint || keyOf(legacy) === keyOf(candidate.call) ? "replaced" : "changed";
  return keyOf(legacy) === keyOf(candidate.call) ? "same" : "changed";
}

/** By the rule of the ledger it is known which call a recorded one was answered by. */
function durationsOf(
  calls: readonly ToolCall[],
  others: readonly ToolCall[],
): Map<ToolCall, number> {
  const isAnswered = calls.some(({ served }) => served === "recorded");
  const book = answerBook(isAnswered ? others : []);
  return new Map(
    calls.map((call) => {
      if (call.served !== "recorded") return [call, call.durationMs];
      const { tool, args } = knownAs(call);
      const answer = book.answer(tool, args, call.effect);
      return [call, answer.kind === "recorded" ? answer.call.durationMs : call.durationMs];
    }),
  );
}

export function isSameStep({ relation }: TraceRow): boolean {
  return relation === "same" || relation === "replaced";
}

/** Index of the first row whose sides differ, or null. */
export function firstDivergence(rows: readonly TraceRow[]): number | null {
  const index = rows.findIndex((row) => !isSameStep(row));
  return index < 0 ? null : index;
}
