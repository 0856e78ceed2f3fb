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
interface LegacyHint<Context> extends LegacyCall {
  /** The arguments of legacy's call, where the step's own are others. */
  args?: (context: Context, info: RunInfo) => unknown;
}

/** Legacy does in code of its own what the step's tool does: no record shows it. */
interface LegacyCode<Context> {
  /** What the tool would answer; in a shadow run nothing else does, and its arguments are compared with nothing. */
  inCode: (context: Context, info: RunInfo) => unknown;
}

export type Legacy<Context = object> = LegacyHint<Context> | LegacyCode<Context>;

/** What of it is data, and joins steps with calls. */
export function legacyCall(legacy: Legacy | undefined): { legacy?: LegacyCall } {
  if (!legacy || "inCode" in legacy) return {};
  const { tool, nth } = legacy;
  return { legacy: nth === undefined ? { tool } : { tool, nth } };
}

/** What a call of a step is to the other side. */
export interface Counterpart {
  /** The call that it takes the place of. */
  as?: NamedCall;
  /** Legacy has no such call: the answer in a shadow run. */
  inCode?: () => JsonValue;
}

/** Of a step that calls a tool; with its own arguments where it names no others. */
export function counterpartOf(
  legacy: Legacy | undefined,
  { context, info, own }: { context: object; info: RunInfo; own: JsonValue },
): Counterpart {
  if (!legacy) return {};
  if ("inCode" in legacy) return { inCode: () => toJson(legacy.inCode(context, info)).value };
  const { tool, args } = legacy;
  try {
    return { as: { tool, args: args ? toJson(args(context, info)).value : own } };
  } catch {
    return {}; // Only a comparison needs it: no live call may fail of it.
  }
}

/** A call by the name, and with the arguments, under which the other side knows it. */
export function knownAs(call: ToolCall): NamedCall {
  return call.as ?? call;
}
