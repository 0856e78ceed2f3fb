/** What a rollback says of the writes that it leaves behind, and takes back when it is asked to. */
import { messageOf } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { privacyOf } from "../privacy/privacy.ts";
import { type AnsweredWrite, answeredWrites } from "../store/answered-writes.ts";
import { undoMarks } from "../store/undos.ts";
import { type UndoJob, undoWrites, type WriteLeft } from "../undo.ts";
import type { Desk } from "./commands.ts";
import { EXIT, type Reply, textOf as text } from "./reply.ts";

export interface WritesOfTool {
  tool: string;
  /** That returned. */
  count: number;
  /** That failed or did not end in time: they may have been made all the same. */
  unsure: number;
  /** Of them, how many a step can take back that nobody has taken back yet. */
  undoable: number;
  /** Trials that made them, the newest first; not all of them when there are many. */
  trials: string[];
}

type Left = Pick<Reply, "exitCode" | "warnings" | "next"> & { data: JsonObject };

/** @param since when the candidate began to answer; null when it never did */
export async function leftBehind(desk: Desk, args: JsonObject, since: Date | null): Promise<Left> {
  const flow = text(args, "flow");
  const { vault } = privacyOf(desk.config);
  const { writes, truncated } = since
    ? await answeredWrites(desk.db, vault, flow, since)
    : { writes: [], truncated: false };
  const { steps, problem } = await candidateSteps(desk, flow, writes);
  const marks = await undoMarks(desk.db, flow);
  const limit = typeof args.since === "string" ? { since: new Date(args.since) } : {};
  const acts = args.undo === true && args.dryRun !== true;
  const job = acts ? await undoJob(desk, args) : undefined;
  const left = await undoWrites(writes, { steps, marks, ...limit }, job);
  const effects = { writes: byTool(left), truncated };
  const isUnsure = left.some(({ state }) => state === "failed" || state === "unknown");
  return {
    exitCode: args.undo === true && isUnsure ? EXIT.unexpected : EXIT.ok,
    data: {
      effects: effects as unknown as JsonValue,
      ...(args.undo === true && { undo: left as unknown as JsonValue }),
    },
    warnings: [
      ...(problem === undefined
        ? []
        : [`The candidate does not load, so nothing can be undone: ${problem}`]),
      ...warningsOf(left),
      ...(truncated ? ["Not every trial could be looked at: there may be more such writes."] : []),
    ],
    next: left.some(({ state }) => state === "undoable")
      ? [`twintrack rollback ${flow} --undo${args.undo === true ? "" : " --dry-run"} --why "…"`]
      : [],
  };
}

/** A candidate that does not load must not keep a rollback from happening. */
async function candidateSteps({ sides }: Desk, flow: string, writes: readonly AnsweredWrite[]) {
  if (writes.length === 0) return { steps: [] };
  try {
    return { steps: (await sides.candidate(flow)).steps };
  } catch (error) {
    return { steps: [], problem: messageOf(error) };
  }
}

async function undoJob({ config, db, sides }: Desk, args: JsonObject): Promise<UndoJob> {
  const tools = await sides.catalog();
  await tools.entries();
  const { mask } = privacyOf(config);
  const [flow, who, why] = [text(args, "flow"), text(args, "who"), text(args, "why")];
  return { db, tools, flow, who, why, mask: mask.text };
}

const SHOWN_TRIALS = 20;

/** What is not undone, by tool, the most frequent first. */
function byTool(left: readonly WriteLeft[]): WritesOfTool[] {
  const tools = new Map<string, WritesOfTool>();
  for (const { tool, trial, state, unsure } of left) {
    if (state === "undone") continue;
    const known = tools.get(tool) ?? { tool, count: 0, unsure: 0, undoable: 0, trials: [] };
    tools.set(tool, known);
    if (unsure) known.unsure++;
    else known.count++;
    if (state === "undoable") known.undoable++;
    const isNew = !known.trials.includes(trial);
    if (known.trials.length < SHOWN_TRIALS && isNew) known.trials.push(trial);
  }
  return [...tools.values()].sort(
    (one, other) => other.count - one.count || other.unsure - one.unsure,
  );
}

function warningsOf(left: readonly WriteLeft[]): string[] {
  const writes = byTool(left);
  const of = (which: "count" | "unsure") => ({
    total: writes.reduce((sum, one) => sum + one[which], 0),
    named: writes
      .flatMap((one) => (one[which] > 0 ? `${one.tool} (${one[which]})` : []))
      .join(", "),
  });
  const [made, unsure] = [of("count"), of("unsure")];
  const undoable = writes.reduce((sum, one) => sum + one.undoable, 0);
  const rest = undoable === 0 ? "Undo by hand" : `${undoable} of them have an undo; undo by hand`;
  const counted = (state: WriteLeft["state"]) => left.filter((one) => one.state === state).length;
  const [failed, unknown] = [counted("failed"), counted("unknown")];
  return [
    ...(made.total > 0
      ? [
          `${made.total} writes of the candidate are not undone: ${made.named}. ${rest} what must not stay.`,
        ]
      : []),
    ...(unsure.total > 0
      ? [
          `${unsure.total} writes of the candidate failed, and may have been made all the same: ${unsure.named}. Look whether they were.`,
        ]
      : []),
    ...(failed > 0 ? [`${failed} failed to be undone; they are not tried again.`] : []),
    ...(unknown > 0
      ? [`Of ${unknown} nobody knows whether they are undone; they are not tried again.`]
      : []),
  ];
}
