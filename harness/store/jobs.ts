/**
 * One job for each open trial, carried by pg-boss in its own schema of the same database: so that
 * several processes share the load, and a dead one's trials come back.
 *
 * A job says only which trial is to be judged. It comes and goes in the transactions that open and
 * close its trial, so neither is ever without the other. A worker keeps its jobs by a heartbeat; one
 * that misses it loses them to whoever asks next, and the trial's own row decides whose judgement
 * counts.
 */
import { type Db, PgBoss } from "pg-boss";
import type { Database, Query } from "./database.ts";

const SCHEMA = "twintrack_jobs";
const QUEUE = "trials";
/** Where jobs go whose workers died too often. */
const LOST = "lost_trials";

/** The least that pg-boss allows; with the monitor's interval a dead worker's jobs are back in 15 s. */
const HEARTBEAT_SECONDS = 10;
const MONITOR_SECONDS = 5;
/** Two workers may die over a trial; the third that does has shown that it is the trial. */
const RETRIES = 2;
/** No trial waits for ever: until then its books say open. */
const RETENTION_SECONDS = 30 * 86_400;

const NOBODY = "00000000-0000-0000-0000-000000000000";

export interface TrialJob {
  id: string;
  trialId: string;
  /** Workers that took it before and did not end it. */
  retries: number;
}

export interface TrialJobs {
  /** In the transaction that opens the trials. */
  add(query: Query, trialIds: readonly string[]): Promise<void>;
  /** Oldest first; they are ours until the heartbeat stops. */
  take(limit: number): Promise<TrialJob[]>;
  /** The heartbeat. */
  keep(jobs: readonly TrialJob[]): Promise<void>;
  /** In the transaction that closes the trials. */
  end(query: Query, jobs: readonly TrialJob[]): Promise<void>;
  /** For whoever asks next. */
  giveBack(jobs: readonly TrialJob[]): Promise<void>;
  /** Jobs whose workers died too often; the same rules hold for them. */
  takeLost(limit: number): Promise<TrialJob[]>;
  endLost(query: Query, jobs: readonly TrialJob[]): Promise<void>;
  close(): Promise<void>;
}

interface JobData {
  trial: string;
}

/** @param onError hears of maintenance that failed; the next one repairs it. */
export async function openJobs(
  db: Database,
  onError: (error: unknown) => void = () => undefined,
): Promise<TrialJobs> {
  const boss = new PgBoss({
    db: asBossDatabase(db.query),
    backend: db.kind,
    schema: SCHEMA,
    schedule: false,
    superviseIntervalSeconds: MONITOR_SECONDS,
    monitorIntervalSeconds: MONITOR_SECONDS,
  });
  boss.on("error", onError);
  await boss.start();
  await boss.createQueue(LOST, { retryLimit: 0, retentionSeconds: RETENTION_SECONDS });
  await boss.createQueue(QUEUE, {
    retryLimit: RETRIES,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    expireInSeconds: 3_600,
    retentionSeconds: RETENTION_SECONDS,
    deadLetter: LOST,
  });
  // pg-boss looks a queue up when it first meets it. Inside a transaction of PGlite's only connection
  // it would wait for itself.
  for (const queue of [QUEUE, LOST]) await boss.touch(queue, NOBODY);
  // What the dead owner of an embedded database had taken: it had no rivals, nor do we.
  if (db.kind === "pglite") await giveBackAll(boss, db);
  const take = async (queue: string, limit: number): Promise<TrialJob[]> => {
    const jobs = await boss.fetch<JobData>(queue, { batchSize: limit, includeMetadata: true });
    return jobs.map(({ id, data, retryCount }) => ({
      id,
      trialId: data.trial,
      retries: retryCount,
    }));
  };
  const end = async (queue: string, query: Query, jobs: readonly TrialJob[]): Promise<void> => {
    if (jobs.length > 0) await boss.deleteJob(queue, idsOf(jobs), { db: asBossDatabase(query) });
  };
  return {
    async add(query, trialIds) {
      const jobs = trialIds.map((trial) => ({ data: { trial } }));
      if (jobs.length > 0) await boss.insert(QUEUE, jobs, { db: asBossDatabase(query) });
    },
    take: (limit) => take(QUEUE, limit),
    async keep(jobs) {
      if (jobs.length > 0) await boss.touch(QUEUE, idsOf(jobs));
    },
    end: (query, jobs) => end(QUEUE, query, jobs),
    giveBack: (jobs) => giveBack(boss, db, idsOf(jobs)),
    takeLost: (limit) => take(LOST, limit),
    endLost: (query, jobs) => end(LOST, query, jobs),
    close: () => boss.stop({ graceful: false, close: false }),
  };
}

function idsOf(jobs: readonly TrialJob[]): string[] {
  return jobs.map((job) => job.id);
}

/** Cancelled and resumed at once: pg-boss knows no other way to end a claim without a failure. */
async function giveBack(boss: PgBoss, db: Database, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.transaction(async (query) => {
    const options = { db: asBossDatabase(query) };
    await boss.cancel(QUEUE, ids, options);
    await boss.resume(QUEUE, ids, options);
  });
}

async function giveBackAll(boss: PgBoss, db: Database): Promise<void> {
  const active = await db.query<{ id: string }>(
    `select id from ${SCHEMA}.job where name = $1 and state = 'active'`,
    [QUEUE],
  );
  await giveBack(
    boss,
    db,
    active.map(({ id }) => id),
  );
}

function asBossDatabase(query: Query): Db {
  return { executeSql: async (sql, values) => ({ rows: await query(sql, values) }) };
}
