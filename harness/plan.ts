/** What is to be done with an answered trigger beside the answer. */
import type { Outcome } from "../core/outcome.ts";
import type { Side, Stage } from "../core/trigger.ts";
import type { Backlog } from "./backlog.ts";
import type { FlowConfig } from "./config.ts";
import type { FrameHeader } from "./frame.ts";
import type { StageBook } from "./stage.ts";

/** The side that answered, and how. */
interface Answered {
  stage: Stage;
  side: Side;
  outcome: Outcome;
}

/** What is known of the world when the answer is there. */
export interface Outlook {
  stages: StageBook;
  backlog: Pick<Backlog, "isFull">;
}

/** Whether the other side is to run, and legacy twice. */
export function plan(
  outlook: Outlook,
  flow: string,
  config: FlowConfig,
  answered: Answered,
): Pick<FrameHeader, "noiseWanted" | "notRun"> {
  const notRun = notRunReason(outlook, flow, config, answered);
  if (notRun !== undefined) return { noiseWanted: false, notRun };
  return { noiseWanted: Math.random() < (config.noise?.sample ?? 0) };
}

function notRunReason(
  { stages, backlog }: Outlook,
  flow: string,
  config: FlowConfig,
  { stage, side, outcome }: Answered,
): string | undefined {
  if (stage === "legacy" || stage === "retired") return "stage";
  if (!config.legacy || !config.candidate) return "side_missing";
  if (side === "candidate" && config.legacy === "tap") return "legacy_tapped";
  if (stages.isPaused()) return "paused";
  // The authoritative run was cut off: its record of tool calls is not whole.
  if (outcome.status === "timed_out") return "timeout";
  if (outcome.status === "threw" && outcome.error.code === "CANCELLED") return "cancelled";
  if (Math.random() >= (config.shadow?.sample ?? 1)) return "sampled";
  // The newest are shed: what waits already has been paid for.
  return backlog.isFull(flow) ? "shed" : undefined;
}
