/** Store commands about what is kept of people: handing it out, and deleting it. */
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import type { ResolvedConfig } from "../config.ts";
import { privacyOf } from "../privacy/privacy.ts";
import { appendAudit } from "../store/audit.ts";
import { exportPage } from "../store/export.ts";
import { countPurge, purge } from "../store/purges.ts";
import type { Desk, StoreCommand } from "./commands.ts";
import { EXIT, type Reply, textOf } from "./reply.ts";

/** Digests of a person in flows that know of people. @throws {TwintrackError} `USAGE` */
function subjectsIn(config: ResolvedConfig, subject: string, flow: string | undefined): string[] {
  const names = flow === undefined ? Object.keys(config.flows) : [flow];
  const known = names.filter((name) => config.flows[name]?.subject !== undefined);
  const { subjects } = privacyOf(config);
  if (known.length > 0) return known.flatMap((name) => subjects(name, subject));
  const place = flow === undefined ? "No flow" : `Flow "${flow}"`;
  throw new TwintrackError("USAGE", `${place} does not say whom its triggers are about`, {
    hint: "Add subject: (input) => input.email (or the like) to the flow; trials from then on are found.",
  });
}

async function exported(desk: Desk, args: JsonObject, raw: boolean): Promise<Reply> {
  const { config, db, sides } = desk;
  const flow = textOf(args, "flow");
  sides.configOf(flow);
  const { subject, after } = args;
  const isFirst = typeof after !== "string" || after === "";
  const subjects = typeof subject === "string" ? subjectsIn(config, subject, flow) : undefined;
  const lines = await exportPage(db, privacyOf(config), {
    flow,
    afterId: isFirst ? "" : after,
    raw,
    ...(subjects ? { subjects } : {}),
  });
  if (isFirst) {
    const about = { flow, raw, ofOnePerson: subjects !== undefined };
    const who = textOf(args, "who");
    await db.transaction((query) => appendAudit(query, { event: "export", who, about }));
  }
  return { command: "export", exitCode: EXIT.ok, data: { lines } };
}

export const SUBJECT_COMMANDS: Record<string, StoreCommand> = {
  export: (desk, args) => exported(desk, args, false),
  "export raw": (desk, args) => exported(desk, args, true),

  async purge({ config, db }, args) {
    const flow = typeof args.flow === "string" ? args.flow : undefined;
    const subjects = subjectsIn(config, textOf(args, "subject"), flow);
    const request = { flow, subjects, who: textOf(args, "who") };
    const isMeant = args.yes === true;
    const counts = isMeant ? await purge(db, request) : await countPurge(db.query, request);
    return {
      command: "purge",
      exitCode: EXIT.ok,
      data: { ...counts, purged: isMeant },
      ...(isMeant ? {} : { warnings: ["Nothing was deleted yet; add --yes."] }),
    };
  },
};
