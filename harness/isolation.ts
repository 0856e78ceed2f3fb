/**
 * The tools of a shadow run: answered from what the other side did.
 *
 * The port has no way to execute a write: it holds the recording, the tools' declarations, and at
 * most a function that runs reads. A write that was not recorded is refused, whatever flags say.
 */
import type { Effect } from "../core/effect.ts";
import { TwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import { answerBook, type ToolCall } from "../core/ledger.ts";
import {
  RESULT_META_KEY,
  type ToolCallOptions,
  type ToolPort,
  type ToolResult,
} from "../core/tool.ts";

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

/** Runs a tool only when it is declared `read`; anything else is refused before it is reached. */
export function readsOf(tools: ToolPort & ToolDeclarations): ReadTool {
  return async (name, args, options) => {
    if (tools.effectOf(name) !== "read") throw refused(name);
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

export function isolatedTools(
  declarations: ToolDeclarations,
  recording: readonly ToolCall[],
  liveRead?: ReadTool,
): IsolatedTools {
  const book = answerBook(recording);
  let servedMs = 0;
  let unservable: string | undefined;
  return {
    servedMs: () => servedMs,
    unservable: () => unservable,
    effectOf: (name) => declarations.effectOf(name),
    canonicalArgs: (name, args) => declarations.canonicalArgs(name, args),
    async callTool(name, args, options) {
      const answer = book.answer(
        name,
        declarations.canonicalArgs(name, args),
        declarations.effectOf(name),
      );
      if (answer.kind === "recorded" && answer.call.lossy) {
        unservable ??= name;
        throw lossyRecord(name);
      }
      if (answer.kind === "recorded") {
        servedMs += answer.call.durationMs;
        return recordedResult(answer.call);
      }
      if (answer.kind === "refused") throw refused(name);
      if (liveRead) return liveRead(name, args, options);
      throw new TwintrackError(
        "READ_UNRECORDED",
        `${name} was not called with these arguments by the other side`,
        {
          hint: 'Allow it with shadow: { reads: "live" }.',
        },
      );
    },
  };
}

function refused(name: string): TwintrackError {
  return new TwintrackError(
    "EFFECT_REFUSED",
    `${name} is a write that the other side did not make; it was not executed`,
  );
}

function lossyRecord(name: string): TwintrackError {
  return new TwintrackError(
    "RECORDING_LOSSY",
    `${name} returned a value that JSON cannot hold, so its record cannot stand in for it`,
    { hint: "Return plain data from the tool." },
  );
}

/** The recorded call as the tool would have answered it. */
function recordedResult({ tool, outcome }: ToolCall): ToolResult {
  switch (outcome.status) {
    case "returned":
      return {
        content: [{ type: "text", text: JSON.stringify(outcome.value) }],
        _meta: { [RESULT_META_KEY]: { raw: outcome.value, served: "recorded" } },
      };
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
