/** What counts for a flow: the trials of its current candidate, in a stage in which both sides run. */

/** As a table expression `counted`: trials since the newest flow hash was first seen; `$1` is the flow. */
export const COUNTED = `
  compared as (
    select * from twintrack.trials where flow = $1 and stage in ('shadow', 'canary', 'cutover')),
  newest as (
    select flow_hash from compared where flow_hash is not null order by received_at desc, seq desc limit 1),
  before as (
    select max(received_at) as at from compared where flow_hash is not null and flow_hash <> (select flow_hash from newest)),
  counted as (
    select * from compared where received_at > coalesce((select at from before), '-infinity'))`;
