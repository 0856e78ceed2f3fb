/**
 * The commands that need the store: each takes data and returns a reply. The terminal runs them on
 * the database, or, when a running server holds the embedded one, that server runs them.
 */
import { learnSchema } from "../../adapter/learn.ts";
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Stage } from "../../core/trigger.ts";
import type { ResolvedConfig } from "../config.ts";
import { type Evidence, evaluateGate, type GateResult, type Policy } from "../gate.ts";
import { privacyOf } from "../privacy/privacy.ts";
import { rejudgeFlow } from "../rejudge.ts";
import { evidenceOf } from "../report/evidence.ts";
import { buildReport, type Report } from "../report/report.ts";
import { checkRetirement } from "../retire.ts";
import { type Sides, sideMissing } from "../side.ts";
import {
  changeStage,
  type FlowStage,
  initialStage,
  readStages,
  setKillSwitch,
  sidesOf,
} from "../stage.ts";
import { books } from "../store/books.ts";
import type { Database } from "../store/database.ts";
import { returnedValues } from "../store/recordings.ts";
import { reportRows } from "../store/report-rows.ts";
import { gateReply } from "./gate-reply.ts";
import { EXIT, type Reply, textOf as text } from "./reply.ts";
import { TRIAGE_COMMANDS } from "./triage.ts";

export interface Desk {
  config: ResolvedConfig;
  db: Database;
  sides: Sides;
}

export type StoreCommand = (desk: Desk, args: JsonObject) => Promise<Reply>;

async function stageOf(desk: Desk, flow: string): Promise<FlowStage> {
  desk.sides.configOf(flow);
  return (await readStages(desk.db)).get(flow) ?? initialStage(desk.config, flow);
}

/** What the gate of a flow judges, from what its store holds. */
async function judgedBy(
  { db, config }: Desk,
  flow: string,
): Promise<{ evidence: Evidence; policy: Policy }> {
  const rows = await reportRows(db, config, flow);
  const [row] = rows.flows;
  if (!row) throw new TwintrackError("FLOW_UNKNOWN", `No flow is called "${flow}"`);
  const evidence = evidenceOf(row, rows.divergences, new Date().toISOString());
  return { evidence, policy: row.policy ?? {} };
}

export async function reportOf(
  { db, config }: Pick<Desk, "db" | "config">,
  flow?: string,
): Promise<Report> {
  return buildReport(await reportRows(db, config, flow), new Date().toISOString());
}

async function change(desk: Desk, args: JsonObject, to: Stage, gate?: GateResult): Promise<Reply> {
  const flow = text(args, "flow");
  const from = await stageOf(desk, flow);
  const config = desk.sides.configOf(flow);
  for (const side of sidesOf(to)) if (!config[side]) throw sideMissing(flow, side);
  const canaryPercent = args.percent;
  const now = await changeStage(desk.db, from, {
    flow,
    to,
    who: text(args, "who"),
    why: text(args, "why"),
    override: args.override === true,
    ...(typeof canaryPercent === "number" ? { canaryPercent } : {}),
    ...(gate ? { gate } : {}),
  });
  const data = { flow, from: from.stage, to: now.stage, canaryPercent: now.canaryPercent };
  return { command: "stage", exitCode: EXIT.ok, data };
}

export const STORE_COMMANDS: Record<string, StoreCommand> = {
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

  async cutover(desk, args) {
    const flow = text(args, "flow");
    const { evidence, policy } = await judgedBy(desk, flow);
    const gate = evaluateGate(evidence, policy);
    const to = typeof args.percent === "number" && args.percent < 100 ? "canary" : "cutover";
    const reply = await change(desk, args, to, gate);
    return { ...reply, command: "cutover", next: [`twintrack rollback ${flow} --why "…"`] };
  },

  async rollback(desk, args) {
    const { stage } = await stageOf(desk, text(args, "flow"));
    const isLow = stage === "legacy" || stage === "shadow";
    const to = args.to === "legacy" || isLow ? "legacy" : "shadow";
    const reply = await change(desk, args, to);
    return {
      ...reply,
      command: "rollback",
      warnings: ["Effects that were already executed are not undone."],
    };
  },

  async retire(desk, args) {
    const flow = text(args, "flow");
    const retirement = await checkRetirement(desk.db, desk.config, desk.sides, flow);
    if (args.dryRun !== true) await change(desk, args, "retired");
    return {
      command: "retire",
      exitCode: EXIT.ok,
      data: { ...retirement } as unknown as JsonValue,
    };
  },

  async gate(desk, args) {
    const flow = text(args, "flow");
    desk.sides.configOf(flow);
    const { evidence, policy } = await judgedBy(desk, flow);
    const reply = gateReply(evidence, policy, args.simulate === true);
    const open = reply.exitCode === EXIT.ok;
    const next = open ? [`twintrack cutover ${flow} --why "…"`] : [`twintrack report ${flow}`];
    return { ...reply, next };
  },

  async report(desk, args) {
    const flow = typeof args.flow === "string" ? args.flow : undefined;
    if (flow !== undefined) desk.sides.configOf(flow);
    const report = await reportOf(desk, flow);
    return { command: "report", exitCode: EXIT.ok, data: report as unknown as JsonValue };
  },

  async rejudge(desk, args) {
    const flow = text(args, "flow");
    desk.sides.configOf(flow);
    const rejudged = await rejudgeFlow(desk.db, desk.config, flow);
    return {
      command: "rejudge",
      exitCode: EXIT.ok,
      data: { flow, ...rejudged },
      warnings:
        rejudged.skipped > 0
          ? [`${rejudged.skipped} trials stay as they were: too little of them was kept`]
          : [],
      next: [`twintrack gate ${flow}`],
    };
  },

  ...TRIAGE_COMMANDS,

  async "learned outputs"({ config, db, sides }) {
    const catalog = await sides.catalog();
    await catalog.entries();
    const learned = [...(await returnedValues(db, privacyOf(config).vault))].flatMap(
      ([tool, values]) => {
        const schema = learnSchema(values);
        return schema ? [{ tool: catalog.qualify(tool), schema, values: values.length }] : [];
      },
    );
    return { command: "learned-outputs", exitCode: EXIT.ok, data: { learned } };
  },

  async books({ db }) {
    const balance = await books(db);
    return {
      command: "books",
      exitCode: balance.unexplained === 0 ? EXIT.ok : EXIT.unexpected,
      data: { ...balance },
    };
  },
};
