/**
 * The tools of a shadow run: answered from what the other side did.
 *
 * The port has no way to execute a write: it holds the recording, the tools' declarations, and at
 * most a function that answers reads. A write that was not recorded is refused, whatever flags say.
 */

import type { NamedCall } from "../core/counterpart.ts";
import type { Effect } from "../core/effect.ts";
import { TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import { answerBook, type LedgerAnswer, type ToolCall } from "../core/ledger.ts";
import { readUnrecorded, recordLossy, writeRefused } from "../core/refusal.ts";
import {
  RESULT_META_KEY,
  type Served,
  type ToolCallOptions,
  type ToolPort,
  type ToolResult,
} from "../core/tool.ts";
import { ruleForArguments, unexplainedArguments } from "./compare/arguments.ts";
import type { CompiledRule } from "./compare/rules.ts";
import type { Past } from "./snapshot.ts";

/** What isolation may know of the tools: their names and schemas, never their code. */
export interface ToolDeclarations {
  effectOf(name: string): Effect;
  canonicalArgs(name: string, args: JsonValue): JsonValue;
}

export type ReadTool = (
  name: string,
  args: JsonValue,
  options?: ToolCallOptions,
) => Promise<ToolResult>;

/** Answers reads from the world as it was; no tool is run. */
export function readsFrom(past: Past, tools: ToolDeclarations): ReadTool {
  return async (name, args) =>
    resultOf(await past.read(name, tools.canonicalArgs(name, args)), "snapshot");
}

/** Runs a tool only when it is declared `read`; anything else is refused before it is reached. */
export function readsOf(tools: ToolPort & ToolDeclarations): ReadTool {
  return async (name, args, options) => {
    if (tools.effectOf(name) !== "read") throw writeRefused(name);
    return tools.callTool(name, args, options);
  };
}

export interface IsolatedTools extends ToolDeclarations {
  callTool: ToolPort["callTool"];
  /**
   * How long the recorded calls took that were answered from the record. A shadow run does not wait
   * for them; added to its own time they give a fair, for parallel calls pessimistic, latency.
   */
  servedMs(): number;
  /** The first tool whose record is no whole one, and was asked for. */
  unservable(): string | undefined;
}

export interface Isolation {
  /** Answers reads that are not in the recording; without it they are refused. */
  unrecorded?: ReadTool | undefined;
  /** Which differences between the arguments of two writes are explained. */
  rules?: readonly CompiledRule[];
  /** A call of the old chain's under the catalogue's name, with canonical arguments. */
  inCatalogue?: (call: NamedCall) => NamedCall;
}

export function isolatedTools(
  declarations: ToolDeclarations,
  recording: readonly ToolCall[],
  { unrecorded, rules = [], inCatalogue = (call) => call }: Isolation = {},
): IsolatedTools {
  const book = answerBook(recording, ({ tool, args }, candidate) => {
    return ruleForArguments(tool, { legacy: args, candidate }, rules) !== undefined;
  });
  const asked = (own: NamedCall, effect: Effect, as?: NamedCall): LedgerAnswer => {
    const answer = as && book.answer(as.tool, as.args, effect);
    return answer?.kind === "recorded" ? answer : book.answer(own.tool, own.args, effect);
  };
  /** Where its arguments differ from those of the first call of the tool that nobody asked for. */
  const others = ({ tool, args }: NamedCall): string[] => {
    const made = book.unused().find((call) => call.tool === tool);
    return made ? unexplainedArguments(tool, { legacy: made.args, candidate: args }, rules) : [];
  };
  let servedMs = 0;
  let unservable: string | undefined;
  return {
    servedMs: () => servedMs,
    unservable: () => unservable,
    effectOf: (name) => declarations.effectOf(name),
    canonicalArgs: (name, args) => declarations.canonicalArgs(name, args),
    async callTool(name, args, options) {
      const own = { tool: name, args: declarations.canonicalArgs(name, args) };
      const { as: there, inCode } = options?.counterpart ?? {};
      const as = there && inCatalogue(there);
      const answer = asked(own, declarations.effectOf(name), as);
      if (answer.kind === "recorded" && answer.call.partial) {
        unservable ??= name;
        throw recordLossy(name);
      }
      if (answer.kind === "recorded") {
        servedMs += answer.call.durationMs;
        return recordedResult(answer.call);
      }
      if (inCode) return resultOf(inCode(), "in_code");
      if (answer.kind === "refused") throw writeRefused(name, others(as ?? own));
      if (unrecorded) return unrecorded(name, args, options);
      throw readUnrecorded(name);
    },
  };
}

function resultOf(raw: JsonValue, served: Served): ToolResult {
  return {
    content: [{ type: "text", text: JSON.stringify(raw) }],
    _meta: { [RESULT_META_KEY]: { raw, served } },
  };
}

/** The recorded call as the tool would have answered it. */
function recordedResult({ tool, outcome }: ToolCall): ToolResult {
  switch (outcome.status) {
    case "returned":
      return resultOf(outcome.value, "recorded");
    case "threw":
      return {
        content: [{ type: "text", text: outcome.error.message }],
        isError: true,
        _meta: { [RESULT_META_KEY]: { served: "recorded", error: { ...outcome.error } } },
      };
    case "timed_out":
      throw new TwintrackError(
        "TIMEOUT",
        `${tool} did not finish within ${outcome.afterMs} ms on the other side`,
      );
    default:
      return outcome satisfies never;
  }
}
