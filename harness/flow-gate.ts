/** The gate of one flow, from what the store holds now. */
import { TwintrackError } from "../core/error.ts";
import type { ResolvedConfig } from "./config.ts";
import { type Evidence, evaluateGate, type GateResult, type Policy } from "./gate.ts";
import { evidenceOf } from "./report/evidence.ts";
import type { Database } from "./store/database.ts";
import { reportRows } from "./store/report-rows.ts";

export interface Judged {
  evidence: Evidence;
  policy: Policy;
}

/** @throws {TwintrackError} `FLOW_UNKNOWN` */
export async function judgedBy(
  db: Database,
  config: ResolvedConfig,
  flow: string,
): Promise<Judged> {
  const rows = await reportRows(db, config, flow);
  const [row] = rows.flows;
  if (!row) throw new TwintrackError("FLOW_UNKNOWN", `No flow is called "${flow}"`);
  const evidence = evidenceOf(row, rows.divergences, new Date().toISOString());
  return { evidence, policy: row.policy ?? {} };
}

export async function gateOf(
  db: Database,
  config: ResolvedConfig,
  flow: string,
): Promise<GateResult> {
  const { evidence, policy } = await judgedBy(db, config, flow);
  return evaluateGate(evidence, policy);
}
