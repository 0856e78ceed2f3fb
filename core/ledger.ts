/**
 * The record of tool calls, and the rule by which one run is answered from another's record.
 *
 * The rule, the same in TypeScript and in Python (`fixtures/vectors/ledger.json` is read by
 * both): a call is answered by the first unused recorded call with the same tool and the same
 * canonical arguments. A write without one is refused. There is no way to execute a write here.
 */
import type { NamedCall } from "./counterpart.ts";
import type { Effect } from "./effect.ts";
import { canonicalText, digest, isJsonObject, type JsonValue } from "./json.ts";
import type { Outcome } from "./outcome.ts";
import type { Served } from "./tool.ts";
import type { Side } from "./trigger.ts";

/** One tool call of one run, as it was recorded. */
export interface ToolCall extends NamedCall {
  /** The call of the old chain that it takes the place of, as its step says. */
  as?: NamedCall;
  /** Its step says that the old chain does this in code, where no record shows it. */
  inCode?: true;
  effect: Effect;
  /** 0 for the first call of this tool with these arguments in this run, 1 for the second … */
  occurrence: number;
  /** The flow's step that made the call; absent inside a legacy chain. */
  step?: string;
  outcome: Outcome;
  /** JSON cannot give the value back as the object that it was: a chain of that language is not given it. */
  lossy?: boolean;
  /** Messages and commands as they were, for a chain of that language: see adapter/message-record.ts. */
  direct?: JsonValue;
  /** Less than a call of the tool would give, or something else: nobody is given it. */
  partial?: boolean;
  /** Since the run started. */
  startedAtMs: number;
  durationMs: number;
  /** `refused`: it was not executed. */
  served: Served | "refused";
}

/** What the ledger says to a call of a shadow run. */
export type LedgerAnswer =
  | { kind: "recorded"; call: ToolCall }
  | { kind: "refused"; tool: string; effect: "write" }
  | { kind: "unrecorded"; tool: string; effect: "read" };

export interface AnswerBook {
  answer(tool: string, args: JsonValue, effect: Effect): LedgerAnswer;
  /** Recorded calls that nobody asked for (yet), in the order they were made. */
  unused(): ToolCall[];
}

export function callKey(tool: string, args: JsonValue): string {
  return `${tool} ${canonicalText(args)}`;
}

/**
 * Answers calls from a recording; every recorded call is given out once, in order.
 *
 * @param isLike says of a write that was recorded with other arguments whether it is the same call.
 */
export function answerBook(
  recording: readonly ToolCall[],
  isLike?: (recorded: ToolCall, args: JsonValue) => boolean,
): AnswerBook {
  const waiting = Map.groupBy(recording, (call) => callKey(call.tool, call.args));
  const used = new Set<ToolCall>();
  const equal = (tool: string, args: JsonValue) => {
    const calls = waiting.get(callKey(tool, args)) ?? [];
    let call = calls.shift();
    while (call && used.has(call)) call = calls.shift();
    return call;
  };
  const alike = (tool: string, args: JsonValue) =>
    isLike && recording.find((call) => call.tool === tool && !used.has(call) && isLike(call, args));
  return {
    answer(tool, args, effect) {
      const call = equal(tool, args) ?? (effect === "write" ? alike(tool, args) : undefined);
      if (call) {
        used.add(call);
        return { kind: "recorded", call };
      }
      return effect === "write"
        ? { kind: "refused", tool, effect }
        : { kind: "unrecorded", tool, effect };
    },
    unused: () => recording.filter((call) => !used.has(call)),
  };
}

/** Arguments of writes that may be other ones, by tool: for each the keys that lead to it. */
export type FreeArguments = Readonly<Record<string, readonly (readonly string[])[]>>;

/** For an {@link answerBook}: calls are alike that are equal but for free arguments. */
export function alikeBut(free: FreeArguments): (recorded: ToolCall, args: JsonValue) => boolean {
  return ({ tool, args: recorded }, args) => {
    const paths = Object.hasOwn(free, tool) ? free[tool] : undefined;
    if (!paths) return false;
    const fixed = (value: JsonValue) => canonicalText(paths.reduce(without, value));
    return fixed(recorded) === fixed(args);
  };
}

function without(value: JsonValue, [key, ...rest]: readonly string[]): JsonValue {
  if (key === undefined) return null;
  if (!isJsonObject(value) || !Object.hasOwn(value, key)) return value;
  const { [key]: inner, ...others } = value;
  return rest.length === 0 ? others : { ...others, [key]: without(inner as JsonValue, rest) };
}

export interface LedgerKeyParts {
  flow: string;
  triggerId: string;
  side: Side;
  step: string;
  occurrence: number;
  tool: string;
  args: JsonValue;
}

/** The idempotency key of a write: never contains an attempt, a worker or a clock. */
export function idempotencyKey(parts: LedgerKeyParts): string {
  const { flow, triggerId, side, step, occurrence, tool, args } = parts;
  return digest(flow, triggerId, side, step, String(occurrence), tool, canonicalText(args));
}

/** Counts calls of one tool with equal arguments: 0, 1, 2 … */
export function occurrenceCounter(): (tool: string, args: JsonValue) => number {
  const seen = new Map<string, number>();
  return (tool, args) => {
    const key = callKey(tool, args);
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    return occurrence;
  };
}

/** What the ledger answers to a write that is about to be made. */
export type Grant =
  | { kind: "granted" }
  /** It was made before: this is its result. */
  | { kind: "returned"; value: JsonValue }
  /** It was granted before and nobody knows how it ended. It is not made again. */
  | { kind: "unknown" };

/** How a granted call ended. `failed` gives the key back; `unknown` never does. */
export type Settlement =
  | { kind: "returned"; value: JsonValue }
  | { kind: "failed" }
  | { kind: "unknown" };

/** Grants each idempotency key at most once, until a call that surely did nothing gives it back. */
export interface Ledger {
  acquire(key: string, call: { tool: string; args: JsonValue }): Promise<Grant>;
  settle(key: string, settlement: Settlement): Promise<void>;
}

/** A ledger that lives as long as the process. */
export function memoryLedger(): Ledger {
  const settled = new Map<string, Settlement>();
  return {
    async acquire(key) {
      const past = settled.get(key);
      if (past && past.kind !== "failed") return past;
      settled.set(key, { kind: "unknown" });
      return { kind: "granted" };
    },
    async settle(key, settlement) {
      settled.set(key, settlement);
    },
  };
}
