/** What is to be done with an answered trigger beside the answer. */
import type { Outcome } from "../core/outcome.ts";
import type { Side } from "../core/trigger.ts";
import type { FlowConfig } from "./config.ts";
import type { FrameHeader } from "./frame.ts";
import type { FlowStage, StageBook } from "./stage.ts";

/** The side that answered, and how. */
interface Answered {
  side: Side;
  outcome: Outcome;
}

/** Whether the other side is to run, and legacy twice. */
export function plan(
  stages: StageBook,
  config: FlowConfig,
  stage: FlowStage,
  answered: Answered,
): Pick<FrameHeader, "noiseWanted" | "notRun"> {
  const notRun = notRunReason(stages, config, stage, answered);
  if (notRun !== undefined) return { noiseWanted: false, notRun };
  return { noiseWanted: Math.random() < (config.noise?.sample ?? 0) };
}

function notRunReason(
  stages: StageBook,
  config: FlowConfig,
  { stage }: FlowStage,
  { side, outcome }: Answered,
): string | undefined {
  if (stage === "legacy" || stage === "retired") return "stage";
  if (!config.legacy || !config.candidate) return "side_missing";
  if (side === "candidate" && config.legacy === "tap") return "legacy_tapped";
  if (stages.isPaused()) return "paused";
  // The authoritative run was cut off: its record of tool calls is not whole.
  if (outcome.status === "timed_out") return "timeout";
  if (outcome.status === "threw" && outcome.error.code === "CANCELLED") return "cancelled";
  return Math.random() < (config.shadow?.sample ?? 1) ? undefined : "sampled";
}
