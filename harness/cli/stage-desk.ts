/** The store's side of the commands that move flows from stage to stage. */
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Stage } from "../../core/trigger.ts";
import { judgedBy } from "../flow-gate.ts";
import { evaluateGate, type GateResult } from "../gate.ts";
import { checkClimb, ladderOf, type Plan, planOf, type Standing } from "../ladder.ts";
import { checkRetirement } from "../retire.ts";
import { retirePatch } from "../retire-files.ts";
import { sideMissing } from "../side.ts";
import {
  changeStage,
  checkChange,
  type FlowStage,
  initialStage,
  readStages,
  type StageChange,
  setKillSwitch,
  sidesOf,
} from "../stage.ts";
import { cooldownEnd } from "../stage-watch.ts";
import { stageHistory } from "../store/stage-rows.ts";
import type { Desk, StoreCommand } from "./commands.ts";
import { EXIT, type Reply, textOf as text } from "./reply.ts";
import { leftBehind } from "./rollback.ts";

async function stageOf(desk: Desk, flow: string): Promise<FlowStage> {
  desk.sides.configOf(flow);
  return (await readStages(desk.db)).get(flow) ?? initialStage(desk.config, flow);
}

async function change(desk: Desk, args: JsonObject, to: Stage, gate?: GateResult): Promise<Reply> {
  const flow = text(args, "flow");
  const from = await stageOf(desk, flow);
  const config = desk.sides.configOf(flow);
  for (const side of sidesOf(to)) if (!config[side]) throw sideMissing(flow, side);
  const canaryPercent = args.percent;
  const wanted: StageChange = {
    flow,
    to,
    who: text(args, "who"),
    why: text(args, "why"),
    override: args.override === true,
    ...(typeof canaryPercent === "number" ? { canaryPercent } : {}),
    ...(gate ? { gate } : {}),
  };
  const isTry = args.dryRun === true;
  if (isTry) checkChange(from.stage, wanted);
  else await changeStage(desk.db, from, wanted);
  const percent = to === "canary" ? (wanted.canaryPercent ?? 1) : 0;
  const data = {
    flow,
    from: from.stage,
    to,
    canaryPercent: percent,
    ...(isTry && { dryRun: true }),
  };
  return { command: "stage", exitCode: EXIT.ok, data };
}

/** Where a flow stands on its ladder, without its gate: that one is asked of many trials. */
async function standingOf(desk: Desk, flow: string): Promise<Omit<Standing, "gate">> {
  const stage = await stageOf(desk, flow);
  const { since, demotedAt } = await stageHistory(desk.db, flow);
  const cooldownUntil = cooldownEnd(desk.sides.configOf(flow), demotedAt);
  return { stage, since, cooldownUntil, now: new Date() };
}

async function cutover(desk: Desk, args: JsonObject): Promise<Reply> {
  const flow = text(args, "flow");
  const standing = await standingOf(desk, flow);
  const { evidence, policy, notes } = await judgedBy(desk.db, desk.config, flow);
  const gate = evaluateGate(evidence, policy);
  const ladder = ladderOf(desk.sides.configOf(flow));
  const plan = planOf(ladder, { ...standing, gate });
  if (args.plan === true) return planReply(flow, plan, gate);
  const percent = typeof args.percent === "number" ? args.percent : (plan.next?.percent ?? 100);
  if (args.override !== true) checkClimb(flow, ladder, standing, percent);
  const to = percent < 100 ? "canary" : "cutover";
  const reply = await change(desk, { ...args, percent }, to, gate);
  return {
    ...reply,
    command: "cutover",
    warnings: notes,
    next: [`twintrack rollback ${flow} --why "…"`],
  };
}

function planReply(flow: string, plan: Plan, gate: GateResult): Reply {
  const data = { flow, ...plan, gate: gate.decision } as unknown as JsonValue;
  const isFree = plan.next !== null && plan.blockedBy.length === 0;
  const next = isFree ? [`twintrack cutover ${flow} --why "…"`] : [];
  return { command: "cutover", exitCode: EXIT.ok, data, next };
}

async function rollback(desk: Desk, args: JsonObject): Promise<Reply> {
  const flow = text(args, "flow");
  const { stage } = await stageOf(desk, flow);
  const isLow = stage === "legacy" || stage === "shadow";
  const to = args.to === "legacy" || isLow ? "legacy" : "shadow";
  // Looked up before: afterwards the flow has no promotion to count from.
  const { promotedAt, answeredFrom } = await stageHistory(desk.db, flow);
  // What was written can be taken back later, too: then legacy answers already.
  const isBack = args.undo === true && isLow;
  const since = args.undo === true ? answeredFrom : promotedAt;
  const data = isBack
    ? { flow, from: stage, to: stage, canaryPercent: 0 }
    : (await change(desk, args, to)).data;
  const left = await leftBehind(desk, args, since);
  return { command: "rollback", ...left, data: { ...(data as JsonObject), ...left.data } };
}

async function retire(desk: Desk, args: JsonObject): Promise<Reply> {
  const flow = text(args, "flow");
  const days = typeof args.days === "number" ? args.days : undefined;
  const retirement = await checkRetirement(desk.db, desk.config, desk.sides, flow, days);
  // Before the change: a configuration that no patch can edit keeps its flow where it is.
  const patch = args.patch === true ? retirePatch(desk.config, retirement) : {};
  const { stage } = await stageOf(desk, flow);
  if (args.dryRun !== true && stage !== "retired") await change(desk, args, "retired");
  const data = { ...retirement, ...patch } as unknown as JsonValue;
  return { command: "retire", exitCode: EXIT.ok, data };
}

export const STAGE_COMMANDS: Record<string, StoreCommand> = {
  async stage(desk, args) {
    const names = typeof args.flow === "string" ? [args.flow] : Object.keys(desk.config.flows);
    const flows = await Promise.all(
      names.map(async (flow) => {
        const { stage, canaryPercent } = await stageOf(desk, flow);
        return { flow, stage, canaryPercent };
      }),
    );
    return { command: "stage", exitCode: EXIT.ok, data: { flows } };
  },

  async "shadow on"(desk, args) {
    setKillSwitch(desk.config, false);
    const reply = await change(desk, args, "shadow");
    return { ...reply, next: ["twintrack report"] };
  },

  "shadow off": (desk, args) => change(desk, args, "legacy"),

  cutover,
  rollback,

  retire,
};
