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

type Row = { kind: "answered" | "verdict" | "gap"; name: string; count: number };

/**
 * Every number a process gave out is a verdict, open, or an accounted gap. One statement sees one
 * moment: between two of them more is shipped, and the books would not balance.
 */
export async function books(db: Database): Promise<Books> {
  const rows = await db.query<Row>(
    `select 'answered' as kind, '' as name, coalesce(sum(last), 0)::bigint as count from (
       select max(last) as last from (
         select epoch, last_seq as last from twintrack.epochs
         union all select epoch, max(to_seq) from twintrack.gaps group by epoch) told group by epoch) epochs
     union all select 'verdict', verdict, sum(trials)::bigint from (
       select verdict, trials from twintrack.tallies
       union all select verdict, trials from twintrack.retired_trials) told
     group by verdict having sum(trials) <> 0
     union all select 'gap', cause, sum(to_seq - from_seq + 1)::bigint from twintrack.gaps group by cause`,
  );
  const rowsOf = (wanted: Row["kind"]) => rows.filter(({ kind }) => kind === wanted);
  const [[answered], verdicts, gaps] = [rowsOf("answered"), rowsOf("verdict"), rowsOf("gap")];
  const total = answered?.count ?? 0;
  const explained = [...verdicts, ...gaps].reduce((sum, { count }) => sum + count, 0);
  return {
    answered: total,
    verdicts: named(verdicts.filter(isJudged)),
    open: verdicts.find((row) => !isJudged(row))?.count ?? 0,
    gaps: named(gaps),
    unexplained: total - explained,
  };
}

function named(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

function isJudged({ name }: Row): boolean {
  return name !== "";
}
