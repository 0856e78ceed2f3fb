/** A judged trial as it may leave the process that judged it: its payloads sealed, its words masked. */
import type { JsonValue } from "../../core/json.ts";
import type { RunsJudgement } from "../judgement.ts";
import type { JudgedTrial } from "../store/judgements.ts";
import { type Privacy, runPlace, tracePlace } from "./privacy.ts";

export function protectTrial(trial: JudgedTrial, privacy: Privacy): JudgedTrial {
  const { vault } = privacy;
  return {
    ...trial,
    ...protectJudgement(trial.id, trial, privacy),
    runs: trial.runs.map((run) => ({
      ...run,
      payload: vault.pack(run.payload, runPlace(trial.id, run.side)),
    })),
  };
}

/** Its differences were masked when they were grouped: a divergence's title is made of them. */
export function protectJudgement<T extends Pick<RunsJudgement, "reason" | "trace" | "alignment">>(
  id: string,
  judgement: T,
  { vault, mask }: Privacy,
): T {
  const { reason, trace, alignment } = judgement;
  return {
    ...judgement,
    reason: reason === null ? null : mask.text(reason),
    alignment: mask.json(alignment as JsonValue) as typeof alignment,
    trace: trace === null ? null : vault.pack(trace, tracePlace(id)),
  };
}
