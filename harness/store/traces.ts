/** How the answers of a flow came about, summed up in SQL. */
import { NEWEST_TRIALS, type StepRow, type TraceSummary } from "../report/rows.ts";
import { COUNTED, TALLIED } from "./counted.ts";
import type { Database } from "./database.ts";
import { percentilesOf } from "./latency-rows.ts";

/** Steps shown; a loop that names its calls by number could make any number of them. */
const MAX_STEPS = 50;

const NEWEST_TRACED = `${COUNTED},
  newest_traced as (
    select id, first_divergent_step, steps from counted where trace_verdict is not null
    order by received_at desc limit ${NEWEST_TRIALS})`;

/** @returns null when there is no trial whose calls could be seen on both sides. */
export async function traceOf(db: Database, flow: string): Promise<TraceSummary | null> {
  const [totals] = await db.query<Pick<TraceSummary, "trials" | "different" | "yetEqual">>(
    `with ${TALLIED}
     select coalesce(sum(trials), 0)::bigint as trials,
       coalesce(sum(trials) filter (where trace_verdict = 'different'), 0)::bigint as different,
       coalesce(sum(trials) filter (where trace_verdict = 'different' and verdict in ('match', 'ignored')), 0)::bigint as "yetEqual"
     from tallied where trace_verdict <> ''`,
    [flow],
  );
  if (!totals || totals.trials === 0) return null;
  const firstDivergent = await db.query<{ step: string; trials: number }>(
    `with ${NEWEST_TRACED}
     select first_divergent_step as step, count(*)::bigint as trials from newest_traced
     where first_divergent_step is not null group by 1 order by 2 desc, 1 limit ${MAX_STEPS}`,
    [flow],
  );
  return { ...totals, firstDivergent, steps: await stepsOf(db, flow) };
}

interface StepSql {
  name: string;
  trials: number;
  different: number;
  legacyMs: number[] | null;
  candidateMs: number[] | null;
}

async function stepsOf(db: Database, flow: string): Promise<StepRow[]> {
  const rows = await db.query<StepSql>(
    `with ${NEWEST_TRACED}
     select s.step ->> 'name' as name, count(distinct c.id)::bigint as trials,
       count(distinct c.id) filter (where s.step ->> 'relation' not in ('same', 'replaced'))::bigint as different,
       percentile_cont(array[0.5, 0.95]) within group (order by (s.step ->> 'legacyMs')::double precision) as "legacyMs",
       percentile_cont(array[0.5, 0.95]) within group (order by (s.step ->> 'candidateMs')::double precision) as "candidateMs"
     from newest_traced c, jsonb_array_elements(c.steps) with ordinality as s (step, place)
     group by 1 order by avg(s.place), 1 limit ${MAX_STEPS}`,
    [flow],
  );
  return rows.map((row) => ({
    ...row,
    legacyMs: percentilesOf(row.legacyMs),
    candidateMs: percentilesOf(row.candidateMs),
  }));
}
