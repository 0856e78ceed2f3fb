/** Which call of the old chain a call of a flow takes the place of. */
import { type JsonValue, toJson } from "./json.ts";
import type { ToolCall } from "./ledger.ts";
import type { RunInfo } from "./run-config.ts";

export interface NamedCall {
  /** Name in the catalogue, for example `billing.refund`. */
  tool: string;
  /** Arguments after the schema's defaults and coercions. */
  args: JsonValue;
}

/** A call in a run of legacy. */
export interface LegacyCall {
  tool: string;
  /** Which call of the tool, from 0. Code stands for the first, a tool's call for the one with equal arguments. */
  nth?: number;
}

/** The call of legacy that a step stands for. */
export interface LegacyHint<Context = object> extends LegacyCall {
  /** The arguments of legacy's call, where the step's own are others. */
  args?: (context: Context, info: RunInfo) => unknown;
}

/** What of a hint is data. */
export function legacyCall({ tool, nth }: LegacyCall): LegacyCall {
  return nth === undefined ? { tool } : { tool, nth };
}

/** A call by the name, and with the arguments, under which the other side knows it. */
export function counterpartOf(call: ToolCall): NamedCall {
  return call.as ?? call;
}

/** Of a step that calls a tool; by its hint, and with its own arguments where that names no others. */
export function standsFor(
  hint: LegacyHint | undefined,
  { context, info, own }: { context: object; info: RunInfo; own: JsonValue },
): NamedCall | undefined {
  return (
    hint && { tool: hint.tool, args: hint.args ? toJson(hint.args(context, info)).value : own }
  );
}
