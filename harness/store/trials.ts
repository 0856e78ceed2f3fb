/**
 * What the harness asks of the database. Every write can be repeated: it is keyed by the trial, and
 * a trial is judged by the first who settles it.
 */
import type { Side, Stage, TriggerSource } from "../../core/trigger.ts";
import { type Frame, type FrameHeader, type Gap, keepsPayload, trialIdOf } from "../frame.ts";
import { type Database, jsonRows, type Query } from "./database.ts";
import type { TrialJobs } from "./jobs.ts";
import { withoutPurged } from "./purges.ts";

/** An open trial as a worker gets it. */
export interface OpenTrial {
  id: string;
  flow: string;
  triggerId: string;
  stage: Stage;
  authoritative: Side;
  source: TriggerSource;
  receivedAt: string;
  noiseWanted: boolean;
  /** The authoritative run, a `FramePayload`, as it rests: sealed. */
  payload: Uint8Array;
}

/** Inserts frames, and a job for each that is to be judged; a frame that is already here changes nothing. Returns how many were new. */
export function ingest(
  db: Database,
  jobs: Pick<TrialJobs, "add">,
  frames: readonly Frame[],
): Promise<number> {
  if (frames.length === 0) return Promise.resolve(0);
  return db.transaction(async (query) => {
    const wanted = await withoutPurged(query, frames);
    const inserted = new Set(await insertTrials(query, wanted));
    const fresh = wanted.filter(({ header }) => inserted.has(trialIdOf(header)));
    const kept = fresh.filter(({ header }) => keepsRun(header));
    if (kept.length > 0) await insertAuthoritativeRuns(query, kept);
    const open = fresh.filter(({ header }) => header.notRun === undefined);
    await jobs.add(
      query,
      open.map(({ header }) => trialIdOf(header)),
    );
    return inserted.size;
  });
}

async function insertTrials(query: Query, frames: readonly Frame[]): Promise<string[]> {
  const rows = frames.map(({ header, payload }) => ({
    id: trialIdOf(header),
    ...{ epoch: header.epoch, seq: header.seq, flow: header.flow, trigger_id: header.triggerId },
    ...{ source: header.source, stage: header.stage, authoritative: header.authoritative },
    received_at: header.receivedAt,
    noise_wanted: header.noiseWanted,
    subject: header.subject,
    ...(header.notRun === undefined
      ? {}
      : { verdict: "not_run", reason: header.notRun, judged_at: header.receivedAt }),
    ...answerColumns({ header, payload }),
  }));
  const inserted = await query<{ id: string }>(
    `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative,
       received_at, noise_wanted, verdict, reason, judged_at, subject, answer_status, answer_ms, answer_bytes,
       legacy_ms, candidate_ms)
     select * from json_to_recordset($1::json) as f (id text, epoch uuid, seq bigint, flow text, trigger_id text,
       source text, stage text, authoritative text, received_at timestamptz, noise_wanted boolean, verdict text,
       reason text, judged_at timestamptz, subject text, answer_status text, answer_ms double precision,
       answer_bytes integer, legacy_ms double precision, candidate_ms double precision)
     on conflict do nothing returning id`,
    [jsonRows(rows)],
  );
  return inserted.map((row) => row.id);
}

/** What was shed has no payload; how long it took tells whether the slow ones were. */
function keepsRun(header: FrameHeader): boolean {
  return keepsPayload(header) || header.notRun === "shed";
}

/** Of the run that answered; its time stands under its side as well, when it returned something. */
function answerColumns({ header, payload }: Frame): object {
  const { status, durationMs, authoritative } = header;
  if (!keepsRun(header)) return {};
  return {
    answer_status: status,
    answer_ms: durationMs,
    answer_bytes: payload.length,
    ...(status === "returned" && { [`${authoritative}_ms`]: durationMs }),
  };
}

async function insertAuthoritativeRuns(query: Query, frames: readonly Frame[]): Promise<void> {
  const rows = frames.map(({ header, payload }) => [
    trialIdOf(header),
    header.authoritative,
    header.status,
    header.durationMs,
    // A copy: a view would take its whole read buffer along into the thread of PGlite.
    new Uint8Array(payload),
  ]);
  await insertRuns(query, rows);
}

/** About 100 rows a statement: measured best on Postgres, and short enough for PGlite's one thread. */
const BATCH_ROWS = 100;

/** @param rows id of the trial, side, status, milliseconds, payload; each a parameter, as bytes are no JSON */
export async function insertRuns(query: Query, rows: readonly unknown[][]): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH_ROWS) {
    const batch = rows.slice(from, from + BATCH_ROWS);
    const places = batch.map(
      (_, row) =>
        `(${RUN_TYPES.map((type, at) => `$${row * RUN_TYPES.length + at + 1}::${type}`)})`,
    );
    await query(
      `insert into twintrack.runs (trial_id, side, status, duration_ms, payload)
       values ${places.join()} on conflict do nothing`,
      batch.flat(),
    );
  }
}

const RUN_TYPES = ["text", "text", "text", "double precision", "bytea"];

export async function recordGaps(db: Database, gaps: readonly Gap[]): Promise<void> {
  for (const gap of gaps) {
    await db.query(
      "insert into twintrack.gaps (epoch, from_seq, to_seq, cause) values ($1::uuid, $2, $3, $4) on conflict do nothing",
      [gap.epoch, gap.fromSeq, gap.toSeq, gap.cause],
    );
  }
}

/** The trials among these that nobody has judged yet, oldest first. */
export async function openTrials(db: Database, ids: readonly string[]): Promise<OpenTrial[]> {
  const rows = await db.query<OpenTrial & { receivedAt: Date }>(
    `select t.id, t.flow, t.trigger_id as "triggerId", t.stage, t.authoritative, t.source,
       t.received_at as "receivedAt", t.noise_wanted as "noiseWanted", r.payload
     from twintrack.trials t join twintrack.runs r on r.trial_id = t.id and r.side = t.authoritative
     where t.id = any($1::text[]) and t.verdict is null order by t.received_at, t.seq`,
    [ids],
  );
  return rows.map((row) => ({
    ...row,
    receivedAt: row.receivedAt.toISOString(),
  }));
}

/** Of the flow's trial that was answered last and has one; undefined while there is none. */
export async function newestPayload(
  db: Database,
  flow: string,
): Promise<{ id: string; side: Side; payload: Uint8Array } | undefined> {
  const [row] = await db.query<{ id: string; side: Side; payload: Uint8Array }>(
    `select t.id, t.authoritative as side, r.payload from twintrack.trials t
       join twintrack.runs r on r.trial_id = t.id and r.side = t.authoritative
     where t.flow = $1 and octet_length(r.payload) > 0 order by t.received_at desc limit 1`,
    [flow],
  );
  return row;
}

/** Closes trials over which too many workers died: they never stay open for ever. Returns how many. */
export async function closeLost(db: Database, jobs: TrialJobs): Promise<number> {
  const lost = await jobs.takeLost(MOST_LOST);
  if (lost.length === 0) return 0;
  return db.transaction(async (query) => {
    const closed = await query(
      `update twintrack.trials set verdict = 'candidate_error', reason = 'shadow_lost', judged_at = now()
       where id = any($1::text[]) and verdict is null returning id`,
      [lost.map(({ trialId }) => trialId)],
    );
    await jobs.endLost(query, lost);
    return closed.length;
  });
}

const MOST_LOST = 100;
