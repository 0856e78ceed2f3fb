/** Which writes were taken back. A row is there before its undo begins: nothing is tried twice. */
import { appendAudit } from "./audit.ts";
import type { Database, Query } from "./database.ts";

export interface UndoRow {
  key: string;
  flow: string;
  trial: string;
  step: string;
  tool: string;
  who: string;
  why: string;
}

/** How an undo ended; `unknown` when nobody knows. */
export interface UndoMark {
  outcome: "undone" | "failed" | "unknown";
  error: string | null;
}

export async function undoMarks(db: Database, flow: string): Promise<Map<string, UndoMark>> {
  const rows = await db.query<UndoMark & { key: string }>(
    "select key, coalesce(outcome, 'unknown') as outcome, error from twintrack.undos where flow = $1",
    [flow],
  );
  return new Map(rows.map(({ key, ...mark }) => [key, mark]));
}

/** False when it was begun before, here or elsewhere. */
export function beginUndo(db: Database, row: UndoRow): Promise<boolean> {
  const { key, flow, trial, step, tool, who, why } = row;
  return db.transaction(async (query) => {
    const begun = await query(
      `insert into twintrack.undos (key, flow, trial_id, step, tool, who, why)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning key`,
      [key, flow, trial, step, tool, who, why],
    );
    if (begun.length > 0) await audited(query, row, "begun");
    return begun.length > 0;
  });
}

/** An undo whose end nobody knows is left as it was begun. */
export function endUndo(
  db: Database,
  row: UndoRow,
  outcome: "undone" | "failed",
  error: string | null,
): Promise<void> {
  return db.transaction(async (query) => {
    await query("update twintrack.undos set outcome = $2, error = $3 where key = $1", [
      row.key,
      outcome,
      error,
    ]);
    await audited(query, row, outcome);
  });
}

function audited(query: Query, row: UndoRow, state: string): Promise<void> {
  const { who, flow, trial, step, tool, why } = row;
  return appendAudit(query, { event: "undo", who, about: { flow, trial, step, tool, why, state } });
}
