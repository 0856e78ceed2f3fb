/**
 * Deleting what is kept of a person. The trial's row stays, with nothing of the person in it: the
 * books go on balancing, and a gate sees that it lost evidence instead of a better flow.
 */
import type { Frame } from "../frame.ts";
import { appendAudit } from "./audit.ts";
import type { Database, Query } from "./database.ts";

/** Reason of a trial whose contents were purged. */
export const PURGED = "purged";

export interface PurgeRequest {
  /** Undefined: in every flow. */
  flow: string | undefined;
  /** Digests of one person: by flow, and under every key. */
  subjects: readonly string[];
  who: string;
}

export interface Purged {
  trials: number;
  runs: number;
  differences: number;
}

const IN_QUESTION = "subject = any($1::text[])";

/** What a purge would delete. */
export async function countPurge(query: Query, { subjects }: PurgeRequest): Promise<Purged> {
  const [counts] = await query<Purged>(
    `select count(*)::bigint as trials,
       (select count(*) from twintrack.runs r join twintrack.trials t on t.id = r.trial_id where t.${IN_QUESTION})::bigint as runs,
       (select count(*) from twintrack.differences d join twintrack.trials t on t.id = d.trial_id where t.${IN_QUESTION})::bigint as differences
     from twintrack.trials where ${IN_QUESTION}`,
    [subjects],
  );
  return counts ?? { trials: 0, runs: 0, differences: 0 };
}

/** Deletes it, and remembers the digests: what is still on its way is emptied when it arrives. */
export function purge(db: Database, request: PurgeRequest): Promise<Purged> {
  const { flow, subjects, who } = request;
  return db.transaction(async (query) => {
    // Frames that arrive meanwhile wait for this transaction, and then know of it; judgements of the
    // trials wait as well, and then find them closed.
    await query("lock table twintrack.purges in share row exclusive mode");
    await query(`select id from twintrack.trials where ${IN_QUESTION} order by id for update`, [
      subjects,
    ]);
    const purged = await countPurge(query, request);
    for (const table of ["runs", "differences"])
      await query(
        `delete from twintrack.${table} where trial_id in (select id from twintrack.trials where ${IN_QUESTION})`,
        [subjects],
      );
    await query(
      `delete from twintrack.replay_results where item in (select id from twintrack.trials where ${IN_QUESTION})`,
      [subjects],
    );
    await query(
      `update twintrack.trials set trigger_id = '', subject = null, verdict = 'not_run', reason = '${PURGED}',
         answer_status = null, answer_ms = null, answer_bytes = null, legacy_ms = null, candidate_ms = null,
         noise_verdict = null, trace = null, trace_verdict = null, first_divergent_step = null, steps = null,
         judged_at = coalesce(judged_at, now())
       where ${IN_QUESTION}`,
      [subjects],
    );
    await query(
      `insert into twintrack.purges (flow, subjects, who, trials, runs, differences)
       values ($1, $2::text[], $3, $4::bigint, $5::bigint, $6::bigint)`,
      [flow ?? null, subjects, who, purged.trials, purged.runs, purged.differences],
    );
    await appendAudit(query, { event: "purge", who, about: { flow: flow ?? null, ...purged } });
    return purged;
  });
}

/** Frames as they come, those about a purged person emptied; what was answered after it counts anew. */
export async function withoutPurged(query: Query, frames: readonly Frame[]): Promise<Frame[]> {
  const subjects = frames.flatMap(({ header }) => header.subject ?? []);
  if (subjects.length === 0) return [...frames];
  await query("lock table twintrack.purges in row exclusive mode"); // Waits for a purge, not for its like.
  const rows = await query<{ subject: string; at: Date }>(
    `select s.subject, max(p.at) as at from twintrack.purges p, unnest(p.subjects) as s (subject)
     where s.subject = any($1::text[]) group by 1`,
    [subjects],
  );
  const purgedAt = new Map(rows.map(({ subject, at }) => [subject, at.getTime()]));
  return frames.map((frame) => {
    const at = purgedAt.get(frame.header.subject ?? "") ?? 0;
    return Date.parse(frame.header.receivedAt) <= at ? emptied(frame) : frame;
  });
}

function emptied({ header }: Frame): Frame {
  const { subject: _, ...rest } = header;
  const nothing = { triggerId: "", noiseWanted: false, notRun: PURGED };
  return { header: { ...rest, ...nothing }, payload: new Uint8Array() };
}
