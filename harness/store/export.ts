/** A flow's trials as they are handed out: one line of JSON each, masked or, for whoever may, raw. */

import { isTwintrackError } from "../../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { MemoryRead } from "../../core/memory.ts";
import { type Privacy, runPlace, tracePlace } from "../privacy/privacy.ts";
import type { Database } from "./database.ts";
import type { RunSide } from "./stored-trials.ts";

export interface ExportRequest {
  flow: string;
  /** Digests of one person. */
  subjects?: readonly string[];
  /** Trials come by id; the last one of the page before. */
  afterId: string;
  raw: boolean;
}

interface Row {
  id: string;
  triggerId: string;
  receivedAt: Date;
  stage: string;
  authoritative: string;
  verdict: string | null;
  reason: string | null;
  trace: Uint8Array | null;
  sides: RunSide[] | null;
  payloads: Uint8Array[] | null;
  differences: string[] | null;
}

const PAGE = 200;

/** The next trials; none when there are no more. */
export async function exportPage(
  db: Database,
  privacy: Privacy,
  { flow, subjects, afterId, raw }: ExportRequest,
): Promise<JsonObject[]> {
  const rows = await db.query<Row>(
    `select t.id, t.trigger_id as "triggerId", t.received_at as "receivedAt", t.stage, t.authoritative,
       t.verdict, t.reason, t.trace,
       (select array_agg(r.side order by r.side) from twintrack.runs r where r.trial_id = t.id) as sides,
       (select array_agg(r.payload order by r.side) from twintrack.runs r where r.trial_id = t.id) as payloads,
       (select array_agg(d.difference order by d.ordinal) from twintrack.differences d
        where d.trial_id = t.id and d.compared = 'candidate') as differences
     from twintrack.trials t
     where t.flow = $1 and t.id > $2 and ($3::text[] is null or t.subject = any($3::text[]))
     order by t.id limit ${PAGE}`,
    [flow, afterId, subjects ?? null],
  );
  return rows.map((row) => lineOf(row, privacy, raw));
}

function lineOf(row: Row, privacy: Privacy, raw: boolean): JsonObject {
  const { id, triggerId, stage, authoritative, verdict, reason } = row;
  const opened = (bytes: Uint8Array, place: string) => openedAs(bytes, place, privacy, raw);
  const runs = (row.sides ?? []).map((side, index): [string, JsonValue] => [
    side,
    opened(row.payloads?.[index] ?? new Uint8Array(), runPlace(id, side)),
  ]);
  return {
    ...{ trial: id, triggerId, receivedAt: row.receivedAt.toISOString(), stage, authoritative },
    ...{ verdict, reason },
    runs: Object.fromEntries(runs),
    calls: row.trace === null ? null : opened(row.trace, tracePlace(id)),
    differences: (row.differences ?? []).map((text) => JSON.parse(text) as JsonValue),
  };
}

/** What cannot be opened says why in its place. */
function openedAs(bytes: Uint8Array, place: string, privacy: Privacy, raw: boolean): JsonValue {
  try {
    const value = JSON.parse(privacy.vault.open(bytes, place).toString("utf8")) as JsonValue;
    return raw ? value : privacy.mask.json(withoutOpaque(value));
  } catch (error) {
    if (isTwintrackError(error)) return `⟨${error.code.toLowerCase()}⟩`;
    throw error;
  }
}

const OPAQUE: readonly MemoryRead["kind"][] = ["checkpoint", "checkpoints", "deltas"];

/** A checkpoint is in its checkpointer's own form, into which no mask can look. */
function withoutOpaque(run: JsonValue): JsonValue {
  if (!isJsonObject(run) || !Array.isArray(run.memory)) return run;
  const reads = run.memory as unknown as MemoryRead[];
  const memory = reads.map((read) =>
    OPAQUE.includes(read.kind) ? { ...read, value: "⟨opaque⟩" } : read,
  );
  return { ...run, memory: memory as unknown as JsonValue };
}
