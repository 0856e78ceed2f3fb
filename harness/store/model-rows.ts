/** Which versions of models answered the trials that count, and those that show a divergence. */
import type { Side } from "../../core/trigger.ts";
import type { SeenVersion } from "../model-version.ts";
import type { DivergenceRow, FlowRow } from "../report/rows.ts";
import { DIFFERING, TALLIED } from "./counted.ts";
import type { Database } from "./database.ts";
import { GROUPED } from "./groupings.ts";

/** As a table expression `kinds`: judged trials that count, by the versions that answered them. */
const KINDS = `
  kinds as (
    select models, sum(trials)::bigint as trials, min(day)::timestamp at time zone 'utc' as first_day,
      max(day)::timestamp at time zone 'utc' as last_day
    from tallied where models is not null and verdict not in ('', 'not_run', 'incomparable') group by 1)`;

interface VersionSql extends Omit<SeenVersion, "firstAt" | "lastAt" | "by"> {
  by: Side[];
  firstAt: Date;
  lastAt: Date;
  /** Trials in which any version answered. */
  total: number;
}

/** Nothing for a flow that asks no model. */
export async function modelRow(db: Database, flow: string): Promise<Pick<FlowRow, "models">> {
  const rows = await db.query<VersionSql>(
    `with ${TALLIED}, ${KINDS},
     judged as not materialized (select * from counted where verdict not in ('not_run', 'incomparable')),
     dated as (
       select k.models, k.trials,
         (select min(received_at) from judged j where j.models = k.models
            and received_at >= first_day and received_at < first_day + interval '1 day') as first_at,
         (select max(received_at) from judged j where j.models = k.models
            and received_at >= last_day and received_at < last_day + interval '1 day') as last_at
       from kinds k),
     answering as (
       select m ->> 'asked' as asked, m ->> 'answered' as answered, side, models, trials, first_at, last_at,
         row_number() over (partition by models, m ->> 'asked', m ->> 'answered') as nth
       from dated cross join (values ('legacy'), ('candidate')) as s (side)
         cross join lateral jsonb_array_elements(models -> side) m)
     select asked, answered, array_agg(distinct side order by side desc) as by,
       (sum(trials) filter (where nth = 1))::bigint as trials, min(first_at) as "firstAt", max(last_at) as "lastAt",
       (select sum(trials)::bigint from kinds) as total
     from answering group by asked, answered order by min(first_at), asked, answered`,
    [flow],
  );
  const [first] = rows;
  if (!first) return {};
  const versions = rows.map(({ total: _, firstAt, lastAt, ...version }) => ({
    ...version,
    firstAt: firstAt.toISOString(),
    lastAt: lastAt.toISOString(),
  }));
  return { models: { trials: first.total, versions } };
}

/** Notes with each divergence in how many of its trials each version answered. */
export async function tellModels(
  db: Database,
  flow: string,
  divergences: readonly DivergenceRow[],
): Promise<void> {
  const rows = await db.query<{
    divergence: string;
    asked: string | null;
    answered: string | null;
    trials: number;
  }>(
    `with ${DIFFERING}, ${GROUPED},
     answering as (
       select divergence, trial_id, m ->> 'asked' as asked, m ->> 'answered' as answered
       from grouped cross join (values ('legacy'), ('candidate')) as s (side)
         cross join lateral jsonb_array_elements(models -> side) m
       where compared = 'candidate' and verdict not in ('not_run', 'incomparable'))
     select divergence, asked, answered, count(distinct trial_id)::bigint as trials
     from answering group by grouping sets ((divergence), (divergence, asked, answered))`,
    [flow],
  );
  const byDivergence = Map.groupBy(rows, ({ divergence }) => divergence);
  for (const divergence of divergences) {
    const told = byDivergence.get(divergence.fingerprint) ?? [];
    const versions = told.flatMap(({ asked, answered, trials }) =>
      asked === null || answered === null ? [] : [{ asked, answered, trials }],
    );
    const trials = told.find(({ asked }) => asked === null)?.trials ?? 0;
    divergence.models = { trials, versions };
  }
}
