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
    `select coalesce(sum(greatest(e.last, g.last)), 0)::bigint as answered, coalesce(sum(e.recorded), 0)::bigint as recorded
     from (select epoch, max(seq) as last, count(*) as recorded from twintrack.trials group by epoch) e
     full join (select epoch, max(to_seq) as last from twintrack.gaps group by epoch) g using (epoch)`,
  );
  const verdicts = await db.query<{ verdict: string | null; count: number }>(
    "select verdict, count(*)::bigint as count from twintrack.trials group by verdict",
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
