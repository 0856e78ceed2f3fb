/** A tool's arguments and results, in the form in which they are recorded. */
import type { JsonConversion, JsonValue } from "../core/json.ts";
import type { ToolCall } from "../core/ledger.ts";
import type { Outcome } from "../core/outcome.ts";
import { rawJson, toldBy } from "./content.ts";
import type { InterceptedCall } from "./context.ts";
import { canonicalArgs, contractOf, validateArgs } from "./contract.ts";
import { directOutputs, isToolMessage } from "./message.ts";
import { storedDirect } from "./message-record.ts";
import type { ToolObject } from "./shape.ts";
import type { Contract } from "./tool-server.ts";

type CalledTool = Pick<InterceptedCall, "tool" | "parsed" | "raw">;

/** A tool message with `status: "error"` is a failure in the tool's own words. */
export function reportedError(raw: unknown): Outcome | undefined {
  if (!isToolMessage(raw) || raw.status !== "error") return undefined;
  return { status: "threw", error: { name: "ToolError", message: String(raw.content) } };
}

/** What a tool's function returned: its outcome, and what the record of the call says of it. */
export function recordedReturn(
  raw: unknown,
  callId?: string,
): { outcome: Outcome; marks: Pick<ToolCall, "lossy" | "direct" | "partial"> } {
  const passedOn = directOutputs(raw);
  const told = passedOn ? toldBy(passedOn) : { data: raw };
  const { value, lossy, partial } = recordable(told ? told.data : raw);
  const direct = passedOn && storedDirect(raw, callId);
  const isLossy = passedOn ? direct === undefined : lossy;
  return {
    outcome: reportedError(raw) ?? { status: "returned", value },
    marks: {
      ...(isLossy && { lossy: true }),
      ...(direct !== undefined && { direct }),
      ...((partial || !told) && { partial: true }),
    },
  };
}

export function recordable(raw: unknown): JsonConversion & Pick<ToolCall, "partial"> {
  try {
    return rawJson(raw);
  } catch {
    return { value: null, lossy: true, partial: true }; // A cycle: it cannot be recorded, the run goes on.
  }
}

/**
 * The parsed arguments, as the tool's schema describes them. Where parsing left that form (a Date,
 * a string tool's bare text), the arguments that came in: the other side can only send those.
 */
export function recordedArgs({ tool, parsed, raw }: CalledTool): JsonValue {
  const { value, lossy } = recordable(parsed ?? {});
  const contract = contractOfKnown(tool);
  if (!contract) return lossy ? recordable(raw).value : value;
  const fits = !lossy && validateArgs(contract, value).length === 0;
  return canonicalArgs(contract, fits ? value : recordable(raw).value);
}

const contracts = new WeakMap<ToolObject, Contract | null>();

/** Its contract; null when it has none. Deriving one costs more than a call of the tool. */
export function contractOfKnown(tool: ToolObject): Contract | null {
  const known = contracts.get(tool);
  if (known !== undefined) return known;
  const contract = contractOrNull(tool);
  contracts.set(tool, contract);
  return contract;
}

function contractOrNull(tool: ToolObject): Contract | null {
  try {
    return contractOf(tool);
  } catch {
    return null; // It cannot be listed; it can still be called and recorded.
  }
}
