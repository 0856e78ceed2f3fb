/**
 * What counts for a flow: the trials of its current candidate, in a stage in which both sides run.
 *
 * These are table expressions; `$1` is the flow. Trials count that were received since the newest
 * version of the candidate replaced the one before; not those that the breaker kept from the old one.
 */

const COMPARED = "flow = $1 and stage in ('shadow', 'canary', 'cutover')";

/** `newest`: hash of the candidate's newest version; `since`: between which trials it took another's place. */
const SINCE = `
  versions as (
    select v.flow_hash, last.received_at, last.seq
    from (select distinct flow_hash from twintrack.tallies where ${COMPARED} and flow_hash <> '') v
      cross join lateral (
        select received_at, seq from twintrack.trials where ${COMPARED} and flow_hash = v.flow_hash
        order by received_at desc, seq desc limit 1) last),
  newest as (
    select flow_hash from versions order by received_at desc, seq desc limit 1),
  since as (
    select coalesce(last.at, '-infinity') as last_of_old, coalesce(first.at, '-infinity') as first_of_new,
      (coalesce(first.at, '-infinity') at time zone 'utc')::date as day
    from (select max(received_at) as at from versions where flow_hash <> (select flow_hash from newest)) last
      cross join lateral (
        select min(received_at) as at from twintrack.trials
        where ${COMPARED} and flow_hash = (select flow_hash from newest) and received_at > last.at) first)`;

/** `counted`: the trials themselves. Whoever needs only sums asks {@link TALLIED}. */
export const COUNTED = `${SINCE},
  counted as not materialized (
    select * from twintrack.trials where ${COMPARED} and received_at > (select last_of_old from since)
      and (received_at >= (select first_of_new from since) or verdict is distinct from 'not_run' or reason <> 'breaker'))`;

/** Beside `counted`, of the same trials, `differing`: the differences that no rule explains. */
export const DIFFERING = `${COUNTED},
  differing as not materialized (
    select * from twintrack.differences where ${COMPARED} and rule is null and received_at > (select last_of_old from since))`;

/** Beside both, `tallied`: the same trials summed up by day; those of the day in which the version changed are told one by one. */
export const TALLIED = `${DIFFERING},
  tallied as (
    select day, verdict, reason, noise_verdict, trace_verdict, models, trials, dropped, contract_violations, legacy_runs, candidate_runs,
      asked, priced, legacy_usd, candidate_usd, legacy_squares, candidate_squares, products, legacy_tokens, candidate_tokens,
      spent_usd
    from twintrack.tallies where ${COMPARED} and day > (select day from since) and trials <> 0
    union all
    select (received_at at time zone 'utc')::date, coalesce(verdict, ''), coalesce(reason, ''), coalesce(noise_verdict, ''),
      coalesce(trace_verdict, ''), models, 1, coalesce(dropped and answer_status is not null, false)::int, contract_violations, (legacy_ms is not null)::int, (candidate_ms is not null)::int,
      (spent_usd is not null)::int, (price is not null)::int, price.legacy, price.candidate, price.legacy * price.legacy,
      price.candidate * price.candidate, price.legacy * price.candidate, legacy_tokens, candidate_tokens, spent_usd
    from counted left join lateral (
      select legacy_usd as legacy, candidate_usd as candidate where legacy_usd + candidate_usd is not null) price on true
    where received_at < ((select day from since) + 1)::timestamp at time zone 'utc')`;
