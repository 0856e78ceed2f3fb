/** Where every answered trigger is accounted for: a verdict, open, or a gap with its cause. */
import type { Database } from "./database.ts";

export interface Books {
  /** Triggers that got an answer, as far as their numbers tell. */
  answered: number;
  /** Trials by verdict. */
  verdicts: Record<string, number>;
  open: number;
  /** Answers whose record never arrived, by cause; `unexplained` is an alarm. */
  gaps: Record<string, number>;
  unexplained: number;
}

/** The books: every number a process gave out is a verdict, open, or an accounted gap. */
export async function books(db: Database): Promise<Books> {
  const [numbers] = await db.query<{ answered: number; recorded: number }>(
    `select coalesce(sum(last), 0)::bigint as answered, coalesce(sum(recorded), 0)::bigint as recorded from (
       select max(last) as last, sum(recorded) as recorded from (
         select epoch, max(seq) as last, count(*) as recorded from twintrack.trials group by epoch
         union all select epoch, max(last_seq), sum(trials) from twintrack.retired_trials group by epoch
         union all select epoch, max(to_seq), 0 from twintrack.gaps group by epoch) told group by epoch) epochs`,
  );
  const verdicts = await db.query<{ verdict: string | null; count: number }>(
    `select verdict, sum(count)::bigint as count from (
       select verdict, count(*) as count from twintrack.trials group by verdict
       union all select verdict, sum(trials) from twintrack.retired_trials group by verdict) told group by verdict`,
  );
  const gaps = await db.query<{ cause: string; count: number }>(
    "select cause, sum(to_seq - from_seq + 1)::bigint as count from twintrack.gaps group by cause",
  );
  const byVerdict = verdicts
    .filter((row) => row.verdict !== null)
    .map((row) => [row.verdict, row.count]);
  const answered = numbers?.answered ?? 0;
  const explained = (numbers?.recorded ?? 0) + gaps.reduce((sum, gap) => sum + gap.count, 0);
  return {
    answered,
    verdicts: Object.fromEntries(byVerdict) as Record<string, number>,
    open: verdicts.find((row) => row.verdict === null)?.count ?? 0,
    gaps: Object.fromEntries(gaps.map((gap) => [gap.cause, gap.count])),
    unexplained: answered - explained,
  };
}
