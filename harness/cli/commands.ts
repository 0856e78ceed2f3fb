/**
 * The commands that need the store: each takes data and returns a reply. The terminal runs them on
 * the database, or, when a running server holds the embedded one, that server runs them.
 */
import { learnSchema } from "../../adapter/learn.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Role } from "../access/role.ts";
import type { ResolvedConfig } from "../config.ts";
import { judgedBy } from "../flow-gate.ts";
import { privacyOf } from "../privacy/privacy.ts";
import { rejudgeFlow } from "../rejudge.ts";
import type { Watch } from "../replay.ts";
import { buildReport, type Report } from "../report/report.ts";
import type { Sides } from "../side.ts";
import { books } from "../store/books.ts";
import type { Database } from "../store/database.ts";
import { returnedValues } from "../store/recordings.ts";
import { reportRows } from "../store/report-rows.ts";
import { ACCESS_COMMANDS } from "./access-desk.ts";
import { gateReply } from "./gate-reply.ts";
import { REPLAY_COMMANDS } from "./replay-desk.ts";
import { EXIT, type Reply, textOf as text } from "./reply.ts";
import { RULES_COMMANDS } from "./rules-command.ts";
import { STAGE_COMMANDS } from "./stage-desk.ts";
import { SUBJECT_COMMANDS } from "./subject-desk.ts";
import { TRIAGE_COMMANDS } from "./triage.ts";

export interface Desk {
  config: ResolvedConfig;
  db: Database;
  sides: Sides;
  /** Who looks on while a long command runs; nobody when another process asked. */
  watch?: Watch;
}

export type StoreCommand = (desk: Desk, args: JsonObject) => Promise<Reply>;

export async function reportOf(
  { db, config }: Pick<Desk, "db" | "config">,
  flow?: string,
): Promise<Report> {
  return buildReport(await reportRows(db, config, flow), new Date().toISOString());
}

/** The role that each command needs when it comes over HTTP; admin when it is not here. */
export const COMMAND_ROLES: Readonly<Record<string, Role>> = {
  stage: "viewer",
  gate: "viewer",
  report: "viewer",
  books: "viewer",
  "triage history": "viewer",
  "triage list": "viewer",
  "learned outputs": "viewer",
  "rules propose": "viewer",
  triage: "reviewer",
  "triage merge": "reviewer",
  "triage split": "reviewer",
  "triage restore": "reviewer",
  rejudge: "reviewer",
  replay: "operator",
  "shadow on": "operator",
  "shadow off": "operator",
  cutover: "operator",
  rollback: "operator",
  retire: "operator",
  "audit log": "operator",
  export: "operator",
  "audit verify": "viewer",
  "audit head": "viewer",
};

export const STORE_COMMANDS: Record<string, StoreCommand> = {
  ...STAGE_COMMANDS,
  ...REPLAY_COMMANDS,

  async gate(desk, args) {
    const flow = text(args, "flow");
    desk.sides.configOf(flow);
    const { evidence, policy, waiting, notes } = await judgedBy(desk.db, desk.config, flow);
    const reply = gateReply(evidence, policy, args.simulate === true);
    const open = reply.exitCode === EXIT.ok;
    const next = open ? [`twintrack cutover ${flow} --why "…"`] : [`twintrack report ${flow}`];
    const unjudged =
      waiting > 0 ? [`${waiting} trials wait to be judged; the gate does not know them yet`] : [];
    return { ...reply, next, warnings: [...unjudged, ...notes] };
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
  ...RULES_COMMANDS,
  ...ACCESS_COMMANDS,
  ...SUBJECT_COMMANDS,

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
