/** What rules took out of the comparison, summed up over the trials of a flow. */
import type { RuleRow } from "../report/rows.ts";
import { COUNTED } from "./counted.ts";
import type { Database } from "./database.ts";

const MAX_RULES = 100;

export function ruleRows(db: Database, flow: string): Promise<RuleRow[]> {
  return db.query<RuleRow>(
    `with ${COUNTED},
     total as (select sum((rules ->> 'leaves')::double precision) as leaves from counted)
     select r.rule ->> 'path' as path,
       count(distinct c.id) filter (where (r.rule ->> 'explained')::bigint > 0)::bigint as trials,
       sum((r.rule ->> 'explained')::bigint)::bigint as explained,
       coalesce(sum((r.rule ->> 'hidden')::double precision) / nullif((select leaves from total), 0), 0) as hidden
     from counted c, jsonb_array_elements(c.rules -> 'rules') as r (rule)
     group by 1 order by explained desc, 1 limit ${MAX_RULES}`,
    [flow],
  );
}
