/** The gate of one flow, from what the store holds now. */
import type { ResolvedConfig } from "./config.ts";
import { type Evidence, evaluateGate, type GateResult, type Policy } from "./gate.ts";
import { evidenceOf, notesOf } from "./report/evidence.ts";
import { readStages } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { evidenceRows } from "./store/report-rows.ts";

export interface Judged {
  evidence: Evidence;
  policy: Policy;
  /** Trials that nobody has judged yet: the gate does not know them. */
  waiting: number;
  /** What no criterion looks at. */
  notes: string[];
}

export async function judgedBy(
  db: Database,
  config: ResolvedConfig,
  flow: string,
): Promise<Judged> {
  const { flow: row, divergences } = await evidenceRows(db, config, await readStages(db), flow);
  const evidence = evidenceOf(row, divergences, new Date().toISOString());
  return { evidence, policy: row.policy ?? {}, waiting: row.open, notes: notesOf(row) };
}

export async function gateOf(
  db: Database,
  config: ResolvedConfig,
  flow: string,
): Promise<GateResult> {
  const { evidence, policy } = await judgedBy(db, config, flow);
  return evaluateGate(evidence, policy);
}
