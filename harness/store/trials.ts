/**
 * What the harness asks of the database. Every write can be repeated: it is keyed by the trial, and
 * a trial is judged by the first who settles it.
 */
import type { Side, Stage, TriggerSource } from "../../core/trigger.ts";
import { type Frame, type FrameHeader, type Gap, keepsPayload, trialIdOf } from "../frame.ts";
import { type Database, type Query, valuesList } from "./database.ts";
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
  const rows = frames.map(({ header, payload }) => [
    trialIdOf(header),
    header.epoch,
    header.seq,
    header.flow,
    header.triggerId,
    header.source,
    header.stage,
    header.authoritative,
    header.receivedAt,
    header.noiseWanted,
    header.notRun === undefined ? null : "not_run",
    header.notRun ?? null,
    header.notRun === undefined ? null : header.receivedAt,
    header.subject ?? null,
    ...answerColumns({ header, payload }),
  ]);
  const casts = [
    "",
    "::uuid",
    "::bigint",
    "",
    "",
    "",
    "",
    "",
    "::timestamptz",
    "::boolean",
    "",
    "",
    "::timestamptz",
    "",
    "",
    "::double precision",
    "::integer",
    "::double precision",
    "::double precision",
  ];
  const inserted = await query<{ id: string }>(
    `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative,
       received_at, noise_wanted, verdict, reason, judged_at, subject, answer_status, answer_ms, answer_bytes,
       legacy_ms, candidate_ms)
     values ${valuesList(rows.length, casts.length, casts)} on conflict do nothing returning id`,
    rows.flat(),
  );
  return inserted.map((row) => row.id);
}

/** What was shed has no payload; how long it took tells whether the slow ones were. */
function keepsRun(header: FrameHeader): boolean {
  return keepsPayload(header) || header.notRun === "shed";
}

/** Status, milliseconds and bytes of the run that answered, and the milliseconds again under its side. */
function answerColumns({ header, payload }: Frame): (string | number | null)[] {
  const { status, durationMs, authoritative } = header;
  if (!keepsRun(header)) return [null, null, null, null, null];
  const shown = status === "returned" ? durationMs : null;
  const sides = authoritative === "legacy" ? [shown, null] : [null, shown];
  return [status, durationMs, payload.length, ...sides];
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

export async function insertRuns(query: Query, rows: readonly unknown[][]): Promise<void> {
  await query(
    `insert into twintrack.runs (trial_id, side, status, duration_ms, payload)
     values ${valuesList(rows.length, 5, ["", "", "", "::double precision", "::bytea"])} on conflict do nothing`,
    rows.flat(),
  );
}

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
