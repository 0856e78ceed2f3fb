/**
 * What running one side, one step or one tool produced.
 *
 * A LangChain tool that reports its own failure (`status: "error"`, MCP
 * `isError: true`) is `threw` with the name `ToolError`: the value was an error
 * text and the caller has to treat it as one. `timed_out` means that our
 * deadline passed first; the work itself may still be running.
 */
import type { JsonValue } from "./json.ts";

export type Outcome =
  | { status: "returned"; value: JsonValue }
  | { status: "threw"; error: SerializedError }
  | { status: "timed_out"; afterMs: number };

/** An error as data: what crosses a process border or rests in the store. */
export interface SerializedError {
  /** Class name in its own language, for example `TypeError` or `ValueError`. */
  name: string;
  message: string;
  /** One of ours, when the error is ours. */
  code?: string;
  /** The step of a flow that failed; absent for a legacy chain. */
  step?: string;
}

/** Any thrown value as data; a non-Error becomes `NonError` with its text. */
export function serializeError(thrown: unknown): SerializedError {
  if (!(thrown instanceof Error)) return { name: "NonError", message: String(thrown) };
  const { code, cause } = thrown as { code?: unknown; cause?: unknown };
  // A tool's failure goes by the name its author gave it, whatever carried it here.
  const name = code === "TOOL_FAILED" && cause instanceof Error ? cause.name : thrown.name;
  const base = { name, message: thrown.message };
  return typeof code === "string" ? { ...base, code } : base;
}

export function describeOutcome(outcome: Outcome): string {
  switch (outcome.status) {
    case "returned":
      return "returned";
    case "threw":
      return `threw ${outcome.error.name}: ${outcome.error.message}`;
    case "timed_out":
      return `timed out after ${outcome.afterMs} ms`;
    default:
      return outcome satisfies never;
  }
}
