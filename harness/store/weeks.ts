/**
 * The weeks in which trials, runs and differences lie: made ahead, and dropped as whole tables when
 * everything in them is old. A week begins on Monday, 00:00 UTC.
 */
import { dayOf } from "../frame.ts";
import type { Database, Query } from "./database.ts";

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** The one that is, and the next. */
const WEEKS_AHEAD = 2;

/** What lies in the week of its trial. */
const PARTS = ["runs", "differences"] as const;

/** Whoever asks waits behind us for as long as we wait for a lock. */
const LOCK_TIMEOUT = "set local lock_timeout = '500ms'";

/** Days as in a trial's id: `20261116`. */
interface Week {
  from: string;
  to: string;
}

function dayAt(ms: number): string {
  return dayOf(new Date(ms).toISOString());
}

function weeksFrom(ms: number, count: number): Week[] {
  const monday = ms - ((ms - FIRST_MONDAY_MS) % WEEK_MS);
  return Array.from({ length: count }, (_, index) => ({
    from: dayAt(monday + index * WEEK_MS),
    to: dayAt(monday + (index + 1) * WEEK_MS),
  }));
}

/**
 * Makes the weeks from an instant on that are missing. One that cannot be made now is left: what is
 * received in it lies in the default partition.
 *
 * @returns the weeks that were made, by their first day
 */
export async function makeWeeks(
  db: Database,
  from: Date,
  count: number = WEEKS_AHEAD,
): Promise<string[]> {
  const made: string[] = [];
  for (const week of weeksFrom(from.getTime(), count)) {
    if (await exists(db.query, week)) continue;
    const isMade = await db
      .transaction((query) => make(query, week))
      .then(
        () => true,
        (error: Failure) => {
          if (isLeft(error)) return false;
          throw error;
        },
      );
    if (isMade) made.push(week.from);
  }
  return made;
}

interface Failure {
  code?: string;
  cause?: { code?: string };
}

/** Somebody else makes it, somebody reads for long, or the default partition has taken what belongs there. */
function isLeft({ code, cause }: Failure): boolean {
  return LEFT_STATES.has(code ?? "") || LEFT_STATES.has(cause?.code ?? "");
}

const LEFT_STATES: ReadonlySet<string> = new Set(["42P07", "55P03", "40P01", "23514", "23505"]);

async function exists(query: Query, { from }: Week): Promise<boolean> {
  const [row] = await query<{ found: boolean }>("select to_regclass($1) is not null as found", [
    `twintrack.trials_${from}`,
  ]);
  return row?.found === true;
}

async function make(query: Query, { from, to }: Week): Promise<void> {
  await query(LOCK_TIMEOUT);
  const range = `for values from ('${from}') to ('${to}')`;
  await query(`create table twintrack.trials_${from} partition of twintrack.trials ${range}`);
  for (const table of PARTS)
    await query(
      `create table twintrack.${table}_${from} partition of twintrack.${table}
         (foreign key (trial_id) references twintrack.trials_${from} on delete cascade) ${range}`,
    );
}

/**
 * Drops the weeks that ended before an instant, all their trials judged. Their number, by flow and
 * verdict, stays: the books go on balancing. A week that is being read for long waits for the next time.
 *
 * @returns how many trials went with them
 */
export async function dropWeeks(db: Database, before: Date): Promise<number> {
  const rows = await db.query<{ from: string }>(
    `select right(relname, 8) as from from pg_class
     where relnamespace = 'twintrack'::regnamespace and relispartition and relname ~ '^trials_\\d{8}$'
     order by relname`,
  );
  let dropped = 0;
  for (const week of rows.map((row) => weekFrom(row.from))) {
    if (week.to > dayOf(before.toISOString())) break;
    dropped += await db
      .transaction((query) => drop(query, week))
      .catch((error: Failure) => {
        if (isLeft(error)) return 0;
        throw error;
      });
  }
  return dropped;
}

function weekFrom(from: string): Week {
  const iso = `${from.slice(0, 4)}-${from.slice(4, 6)}-${from.slice(6)}`;
  return { from, to: dayAt(Date.parse(iso) + WEEK_MS) };
}

async function drop(query: Query, { from, to }: Week): Promise<number> {
  await query(LOCK_TIMEOUT);
  await query(`lock table twintrack.trials_${from} in share row exclusive mode`);
  const [astray] = await query(
    `select 1 from twintrack.trials_${from}
     where verdict is null or received_at < $1::timestamptz or received_at >= $2::timestamptz limit 1`,
    [`${from} UTC`, `${to} UTC`],
  );
  if (astray) return 0;
  await query(
    `delete from twintrack.replay_results where item in (select id from twintrack.trials_${from})`,
  );
  const counted = await query<{ trials: number }>(
    `insert into twintrack.retired_trials as r (epoch, flow, verdict, cause, trials, last_seq)
     select epoch, flow, verdict, 'retention', count(*), max(seq) from twintrack.trials_${from} group by 1, 2, 3
     on conflict (epoch, flow, verdict, cause) do update
       set trials = r.trials + excluded.trials, last_seq = greatest(r.last_seq, excluded.last_seq)
     returning (select count(*) from twintrack.trials_${from})::bigint as trials`,
  );
  await query("delete from twintrack.tallies where day >= $1::date and day < $2::date", [from, to]);
  for (const table of [...PARTS, "trials"]) await query(`drop table twintrack.${table}_${from}`);
  return counted[0]?.trials ?? 0;
}
