/**
 * The ladder of a flow: the shares of triggers that the candidate gets one after the other, and how
 * long each is held. Data in, data out: the clock, the stage and the gate come in as arguments.
 */
import { z } from "zod";
import { TwintrackError } from "../core/error.ts";
import type { GateConfig } from "./automation.ts";
import type { GateResult } from "./gate.ts";
import type { FlowStage } from "./stage.ts";

export type LadderStep =
  | { stage: "canary"; percent: number; holdHours?: number }
  | { stage: "cutover"; holdHours?: number };

export const ladderShape = z.array(
  z.discriminatedUnion("stage", [
    z.strictObject({
      stage: z.literal("canary"),
      percent: z.number().positive().lt(100),
      holdHours: z.number().nonnegative().optional(),
    }),
    z.strictObject({ stage: z.literal("cutover"), holdHours: z.number().nonnegative().optional() }),
  ]),
);

const DEFAULT_CANARY_PERCENT = 5;

/** The configured steps, the smallest share first; the last is always the cutover. */
export function ladderOf(config: {
  ladder?: readonly LadderStep[];
  gate?: GateConfig;
}): LadderStep[] {
  const { ladder = [], gate } = config;
  const promote = gate?.autoPromote;
  const steps: LadderStep[] = [...ladder];
  if (ladder.length === 0 && promote)
    steps.push({ stage: "canary", percent: promote.percent ?? DEFAULT_CANARY_PERCENT });
  if (!steps.some(({ stage }) => stage === "cutover")) steps.push({ stage: "cutover" });
  return steps.toSorted((left, right) => shareOf(left) - shareOf(right));
}

/** Of the triggers, in percent. */
export function shareOf(step: LadderStep): number {
  return step.stage === "cutover" ? 100 : step.percent;
}

export interface PlanStep {
  stage: "canary" | "cutover";
  percent: number;
  holdHours: number;
  state: "done" | "here" | "next" | "later";
}

export interface Plan {
  stage: FlowStage["stage"];
  /** Of the triggers that the candidate answers now. */
  percent: number;
  steps: PlanStep[];
  next: PlanStep | null;
  /** When the step that the flow is at has been held long enough; null when nothing is to be held. */
  notBefore: string | null;
  /** Why the next step cannot be taken now, in words; empty when it can. */
  blockedBy: string[];
}

export interface Standing {
  stage: FlowStage;
  /** When the flow came to where it is; null when nobody ever moved it. */
  since: Date | null;
  /** Nobody may promote before, after an automatic demotion. */
  cooldownUntil: Date | null;
  gate: GateResult;
  now: Date;
}

const HOUR_MS = 3_600_000;

export function planOf(ladder: readonly LadderStep[], standing: Standing): Plan {
  const { stage, since, now, gate, cooldownUntil } = standing;
  const percent = answeredShare(stage);
  const ahead = ladder.filter((step) => shareOf(step) > percent);
  const behind = ladder.filter((step) => shareOf(step) <= percent);
  const here = behind.at(-1);
  const steps = [
    ...behind.map((step) => told(step, step === here ? "here" : "done")),
    ...ahead.map((step, index) => told(step, index === 0 ? "next" : "later")),
  ];
  const holdHours = here?.holdHours ?? 0;
  const held = since && holdHours > 0 ? new Date(since.getTime() + holdHours * HOUR_MS) : null;
  const blockedBy = [
    ...(stage.stage === "legacy" ? ["the flow is at legacy: shadow it first"] : []),
    ...(held && held > now ? [`it is held until ${held.toISOString()}`] : []),
    ...(cooldownUntil && cooldownUntil > now
      ? [`it was demoted by itself and cools down until ${cooldownUntil.toISOString()}`]
      : []),
    ...gate.reasons
      .filter(({ status }) => status !== "pass")
      .map(({ criterion, detail }) => `${criterion}: ${detail}`),
  ];
  const next = steps.find(({ state }) => state === "next") ?? null;
  const notBefore = held && next ? held.toISOString() : null;
  return { stage: stage.stage, percent, steps, next, notBefore, blockedBy: next ? blockedBy : [] };
}

function told(step: LadderStep, state: PlanStep["state"]): PlanStep {
  return { stage: step.stage, percent: shareOf(step), holdHours: step.holdHours ?? 0, state };
}

function answeredShare({ stage, canaryPercent }: FlowStage): number {
  if (stage === "canary") return canaryPercent;
  return stage === "cutover" || stage === "retired" ? 100 : 0;
}

/**
 * Refuses a promotion that leaves a step out, comes before a hold is over, or during a cool-down.
 * The gate is asked by the change itself.
 *
 * @throws {TwintrackError} `STAGE_REFUSED`
 */
export function checkClimb(
  flow: string,
  ladder: readonly LadderStep[],
  standing: Omit<Standing, "gate">,
  percent: number,
): void {
  const plan = planOf(ladder, { ...standing, gate: { decision: "open", reasons: [] } });
  if (percent <= plan.percent) return;
  const refuse = (why: string) =>
    new TwintrackError("STAGE_REFUSED", `Flow "${flow}" cannot go to ${percent} %: ${why}`, {
      hint: `See twintrack cutover ${flow} --plan; --override --why "…" goes on all the same and is recorded.`,
    });
  const [blocked] = plan.blockedBy;
  if (blocked !== undefined && standing.stage.stage !== "legacy") throw refuse(blocked);
  if (plan.next && percent > plan.next.percent)
    throw refuse(`the next step of its ladder is ${plan.next.percent} %`);
}
