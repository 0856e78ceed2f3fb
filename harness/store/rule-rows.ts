/** What rules took out of the comparison, summed up over the newest trials of a flow. */
import { NEWEST_TRIALS, type RuleRow } from "../report/rows.ts";
import { COUNTED } from "./counted.ts";
import type { Database } from "./database.ts";

const MAX_RULES = 100;

export function ruleRows(db: Database, flow: string): Promise<RuleRow[]> {
  return db.query<RuleRow>(
    `with ${COUNTED},
     ruled as (select id, rules from counted where verdict is not null order by received_at desc limit ${NEWEST_TRIALS}),
     total as (select sum((rules ->> 'leaves')::double precision) as leaves from ruled)
     select r.rule ->> 'path' as path,
       count(distinct c.id) filter (where (r.rule ->> 'explained')::bigint > 0)::bigint as trials,
       sum((r.rule ->> 'explained')::bigint)::bigint as explained,
       coalesce(sum((r.rule ->> 'hidden')::double precision) / nullif((select leaves from total), 0), 0) as hidden
     from ruled c, jsonb_array_elements(c.rules -> 'rules') as r (rule)
     group by 1 order by explained desc, 1 limit ${MAX_RULES}`,
    [flow],
  );
}
