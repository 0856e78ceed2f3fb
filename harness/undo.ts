/**
 * The writes that a rollback leaves behind, and those of them that the candidate's own steps can take
 * back: the newest first, each once. One that failed, or whose end nobody knows, is not tried again,
 * and what its trial did before it is left to a person.
 */
import { messageOf } from "../core/error.ts";
import type { Step } from "../core/flow.ts";
import type { ToolPort } from "../core/tool.ts";
import { undoStep } from "../core/undo.ts";
import type { AnsweredWrite } from "./store/answered-writes.ts";
import type { Database } from "./store/database.ts";
import { beginUndo, endUndo, type UndoMark } from "./store/undos.ts";

export interface WriteLeft {
  trial: string;
  /** ISO 8601, UTC. */
  at: string;
  step: string;
  tool: string;
  /** It failed, or did not end in time: it may have been made all the same. */
  unsure: boolean;
  /**
   * `undoable`: it can be taken back. `left`: it stays. `unknown`: its undo was begun, and nobody
   * knows how it ended.
   */
  state: "undoable" | "left" | UndoMark["outcome"];
  /** Why it is left, or failed. */
  detail?: string;
}

/** What the candidate's steps and the store say of writes. */
export interface UndoBasis {
  steps: readonly Step[];
  /** By the writes' keys. */
  marks: ReadonlyMap<string, UndoMark>;
  /** Writes for triggers that came before are left. */
  since?: Date;
}

export interface UndoJob {
  db: Database;
  tools: ToolPort;
  flow: string;
  who: string;
  why: string;
  mask(text: string): string;
}

/** What becomes of the writes, in their order; without a job only what would. */
export async function undoWrites(
  writes: readonly AnsweredWrite[],
  basis: UndoBasis,
  job?: UndoJob,
): Promise<WriteLeft[]> {
  /** By trial, the step at which taking back ended. */
  const stopped = new Map<string, string>();
  const all: WriteLeft[] = [];
  for (const write of writes) {
    const step = stepOf(write, basis.steps);
    const reason = reasonToLeave(write, step, basis) ?? afterOf(stopped.get(write.trial));
    let left = stateOf(write, basis.marks.get(write.key), reason);
    if (job && step && left.state === "undoable") left = await undoOne(job, step, write, left);
    if (left.state === "failed" || left.state === "unknown") stopped.set(write.trial, write.step);
    all.push(left);
  }
  return all;
}

/** The step that can take it back. */
function stepOf({ step, tool }: AnsweredWrite, steps: readonly Step[]): Step | undefined {
  return steps.find(
    ({ name, action, undo }) =>
      undo && name === step && action.kind === "tool" && action.tool === tool,
  );
}

function reasonToLeave(
  { outcome, receivedAt }: AnsweredWrite,
  step: Step | undefined,
  { since }: UndoBasis,
): string | undefined {
  if (!step) return "its step has no undo";
  if (outcome.status !== "returned") return "nobody knows whether it was made";
  return since && receivedAt < since ? `older than ${since.toISOString()}` : undefined;
}

function afterOf(step: string | undefined): string | undefined {
  return step === undefined ? undefined : `"${step}", made after it, is not surely undone`;
}

function stateOf(
  { trial, atMs, step, tool, outcome }: AnsweredWrite,
  mark: UndoMark | undefined,
  reason: string | undefined,
): WriteLeft {
  const named = {
    trial,
    at: new Date(atMs).toISOString(),
    step,
    tool,
    unsure: outcome.status !== "returned",
  };
  if (mark) return told(named, mark.outcome, mark.error);
  return told(named, reason === undefined ? "undoable" : "left", reason);
}

function told(
  named: Omit<WriteLeft, "state" | "detail">,
  state: WriteLeft["state"],
  detail?: string | null,
): WriteLeft {
  return { ...named, state, ...(detail != null && { detail }) };
}

async function undoOne(
  { db, tools, mask, ...asked }: UndoJob,
  step: Step,
  { key, args, config, outcome }: AnsweredWrite,
  left: WriteLeft,
): Promise<WriteLeft> {
  const row = { ...asked, key, trial: left.trial, step: left.step, tool: left.tool };
  if (outcome.status !== "returned" || !(await beginUndo(db, row))) return told(left, "unknown");
  const undone = await undoStep(step, { args, output: outcome.value }, tools, config);
  if (undone.status === "unknown") return told(left, "unknown");
  const error = undone.status === "failed" ? mask(messageOf(undone.error)) : null;
  await endUndo(db, row, undone.status, error);
  return told(left, undone.status, error);
}
