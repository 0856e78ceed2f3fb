/** What `twintrack gate` says, of a flow in the store or of numbers in a file. */
import type { JsonValue } from "../../core/json.ts";
import { type Forecast, forecast } from "../forecast.ts";
import { type Evidence, evaluateGate, type GateResult, type Policy } from "../gate.ts";
import { EXIT, type Reply } from "./reply.ts";

export type ForecastGate = GateResult & { forecast?: Forecast };

const GATE_EXIT: Record<GateResult["decision"], number> = {
  open: EXIT.ok,
  closed: EXIT.divergence,
  undecided: EXIT.undecided,
};

export function gateReply(evidence: Evidence, policy: Policy, simulate: boolean): Reply {
  const gate: ForecastGate = evaluateGate(evidence, policy);
  if (simulate) gate.forecast = forecast(evidence, policy);
  const exitCode = GATE_EXIT[gate.decision];
  return { command: "gate", exitCode, data: gate as unknown as JsonValue };
}
