/**
 * Moves flows without a person, as far as their configuration allows: back to `shadow` when recent
 * trials breach a limit while the candidate answers, and up the ladder while the gate is open.
 *
 * Of several processes that see the same breach one demotes: a change names the version it saw.
 */
import { isTwintrackError } from "../core/error.ts";
import { autoDemoteOf, policyOf } from "./automation.ts";
import type { FlowConfig, ResolvedConfig } from "./config.ts";
import type { Reason } from "./criterion.ts";
import { gateOf } from "./flow-gate.ts";
import { evaluateGate, type GateResult } from "./gate.ts";
import { ladderOf, planOf } from "./ladder.ts";
import type { Chore } from "./loops.ts";
import { changeStage, type FlowStage, initialStage, readStages, sidesOf } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { type Answers, recentEvidence, stageHistory } from "./store/stage-rows.ts";

const HOUR_MS = 3_600_000;

export const stageWatch: Chore = {
  everyMs: 30_000,
  run: async (db, config) => {
    await watchStages(db, config, new Date());
  },
};

/** What is done without a person is done in this name. */
const WHO = "twintrack";

export interface StageMove {
  flow: string;
  from: FlowStage["stage"];
  to: FlowStage["stage"];
  why: string;
}

/** One look at every flow. Returns what was moved by this process. */
export async function watchStages(
  db: Database,
  config: ResolvedConfig,
  now: Date,
): Promise<StageMove[]> {
  const moves: StageMove[] = [];
  const stages = await readStages(db);
  for (const [flow, flowConfig] of Object.entries(config.flows)) {
    const stage = stages.get(flow) ?? initialStage(config, flow);
    const look = { flow, stage, config: flowConfig, now };
    const move = (await demotion(db, look)) ?? (await promotion(db, config, look));
    if (move && (await change(db, look, move))) {
      moves.push({ flow, from: stage.stage, to: move.to, why: move.why });
    }
  }
  return moves;
}

interface Look {
  flow: string;
  stage: FlowStage;
  config: FlowConfig;
  now: Date;
}

interface Move {
  to: "shadow" | "canary" | "cutover";
  canaryPercent?: number;
  why: string;
  gate: GateResult;
}

async function demotion(
  db: Database,
  { flow, stage, config, now }: Look,
): Promise<Move | undefined> {
  const demote = autoDemoteOf(config.gate);
  const answers = stage.stage === "canary" || stage.stage === "cutover";
  // Without its legacy side there is nothing to go back to.
  if (!demote || !answers || sidesOf("shadow").some((side) => !config[side])) return undefined;
  const { promotedAt } = await stageHistory(db, flow);
  const windowStart = new Date(now.getTime() - demote.windowHours * HOUR_MS);
  const since = promotedAt && promotedAt > windowStart ? promotedAt : windowStart;
  const recent = await recentEvidence(db, flow, since);
  const breaches = breachesOf(config, recent);
  if (breaches.length === 0) return undefined;
  const why = breaches.map(({ criterion, detail }) => `${criterion}: ${detail}`).join("; ");
  return { to: "shadow", why, gate: { decision: "closed", reasons: breaches } };
}

/** Limits that recent trials surely break. What is not known, or too little, is no breach. */
function breachesOf(
  { gate }: FlowConfig,
  recent: Awaited<ReturnType<typeof recentEvidence>>,
): Reason[] {
  const policy = policyOf(gate);
  const failed = (reasons: readonly Reason[]) => reasons.filter(({ status }) => status === "fail");
  return [
    ...failed(evaluateGate(recent.evidence, policy).reasons),
    ...failed(answerErrors(recent.answers, policy)),
  ];
}

/** The error rate of what callers got, judged trial or not. */
function answerErrors({ answered, failed }: Answers, policy: FlowConfig["gate"] = {}): Reason[] {
  const asTrials = { trials: answered, candidateErrors: failed };
  return evaluateGate(asTrials, policy)
    .reasons.filter(({ criterion }) => criterion === "error_rate")
    .map((reason) => ({ ...reason, criterion: "answer_errors" }));
}

async function promotion(
  db: Database,
  config: ResolvedConfig,
  { flow, stage, config: flowConfig, now }: Look,
): Promise<Move | undefined> {
  const promote = flowConfig.gate?.autoPromote;
  if (!promote || (stage.stage !== "shadow" && stage.stage !== "canary")) return undefined;
  if (sidesOf("cutover").some((side) => !flowConfig[side])) return undefined;
  const { since, demotedAt } = await stageHistory(db, flow);
  const gate = await gateOf(db, config, flow);
  const cooldownUntil = cooldownEnd(flowConfig, demotedAt);
  const ladder = ladderOf(flowConfig);
  const { next, blockedBy } = planOf(ladder, { stage, since, cooldownUntil, gate, now });
  if (!next || blockedBy.length > 0 || gate.decision !== "open") return undefined;
  if (next.stage === "cutover" && promote.to !== "cutover") return undefined;
  if (next.stage === "canary" && next.percent > (promote.percent ?? next.percent)) return undefined;
  const why = `gate open; autoPromote allows ${next.stage} ${next.percent} %`;
  return { to: next.stage, canaryPercent: next.percent, why, gate };
}

export function cooldownEnd({ gate }: FlowConfig, demotedAt: Date | null): Date | null {
  const demote = autoDemoteOf(gate);
  return demote && demotedAt
    ? new Date(demotedAt.getTime() + demote.cooldownHours * HOUR_MS)
    : null;
}

/** False when another process was first. */
async function change(db: Database, { flow, stage }: Look, move: Move): Promise<boolean> {
  try {
    await changeStage(db, stage, { flow, who: WHO, automatic: true, ...move });
    return true;
  } catch (error) {
    if (isTwintrackError(error) && error.code === "STAGE_REFUSED") return false;
    throw error;
  }
}
