/** Writes that the candidate made where callers saw it: what a rollback leaves behind. */
import type { JsonValue } from "../../core/json.ts";
import { idempotencyKey, type ToolCall } from "../../core/ledger.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { RunConfig } from "../../core/run-config.ts";
import { type FramePayload, readPayload } from "../frame.ts";
import type { Vault } from "../privacy/vault.ts";
import type { Database } from "./database.ts";

export interface AnsweredWrite {
  /** Its idempotency key. */
  key: string;
  trial: string;
  step: string;
  tool: string;
  args: JsonValue;
  /** Of the trigger that it was made for. */
  config?: RunConfig;
  /** A write that failed may have happened all the same. */
  outcome: Outcome;
  /** Milliseconds since the epoch, and parts of one: two writes may fall into the same. */
  atMs: number;
  receivedAt: Date;
}

const PAGE = 200;
const MAX_TRIALS = 20_000;

interface Row {
  id: string;
  triggerId: string;
  receivedAt: Date;
  payload: Uint8Array;
}

/** The newest first. `truncated` when not every trial could be looked at. */
export async function answeredWrites(
  db: Database,
  vault: Vault,
  flow: string,
  since: Date,
): Promise<{ writes: AnsweredWrite[]; truncated: boolean }> {
  const byKey = new Map<string, AnsweredWrite>();
  let truncated = false;
  let offset = 0;
  for (; offset < MAX_TRIALS; offset += PAGE) {
    const rows = await page(db, flow, since, offset);
    for (const row of rows) {
      if (row.payload.length === 0) truncated = true; // Retention has emptied it.
      for (const write of writesOf(vault, flow, row)) keep(byKey, write);
    }
    if (rows.length < PAGE) break;
  }
  const writes = [...byKey.values()].sort((left, right) => right.atMs - left.atMs);
  return { writes, truncated: truncated || offset >= MAX_TRIALS };
}

function page(db: Database, flow: string, since: Date, offset: number): Promise<Row[]> {
  return db.query<Row & Record<string, unknown>>(
    `select t.id, t.trigger_id as "triggerId", t.received_at as "receivedAt", r.payload
     from twintrack.trials t
     join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate'
     where t.flow = $1 and t.authoritative = 'candidate' and t.received_at >= $2::timestamptz
     order by t.received_at desc, t.id limit $3 offset $4`,
    [flow, since, PAGE, offset],
  );
}

/** One that was refused did not happen. */
function writesOf(vault: Vault, flow: string, row: Row): AnsweredWrite[] {
  const { id, payload } = row;
  const run =
    payload.length > 0 ? readPayload(vault, { id, side: "candidate", payload }) : undefined;
  if (!run) return [];
  return run.calls
    .filter(({ effect, served }) => effect === "write" && served === "live")
    .map((call) => writeOf(flow, row, run, call));
}

function writeOf(
  flow: string,
  { id, receivedAt, ...row }: Row,
  { triggerId = row.triggerId, config }: FramePayload,
  { tool, args, step = "", outcome, startedAtMs }: ToolCall,
): AnsweredWrite {
  const side = "candidate";
  const key = idempotencyKey({ flow, triggerId, side, step, occurrence: 0, tool, args });
  const atMs = receivedAt.getTime() + startedAtMs;
  return {
    ...{ key, trial: id, step, tool, args, outcome, atMs, receivedAt },
    ...(config && { config }),
  };
}

/** A trigger that came again tells of the same write: whichever knows how it ended is kept. */
function keep(byKey: Map<string, AnsweredWrite>, write: AnsweredWrite): void {
  const known = byKey.get(write.key);
  if (known && (known.outcome.status === "returned" || write.outcome.status !== "returned")) return;
  byKey.set(write.key, write);
}
