-- What the report and the gate ask of a million trials without reading them.
--
-- Sums are kept as tallies by day, written by a trigger in the transaction that changes the trials, so
-- that nobody who writes trials can forget them. What is no sum (a percentile) is read from one narrow
-- index.

-- null: open, or nobody could have compared it. Sampling draws at random, and a run that was cut off,
-- or has no other side, cannot be compared by anyone: these are no drops.
create function twintrack.is_drop(verdict text, reason text) returns boolean language sql immutable
return case
  when verdict is null then null
  when verdict = 'not_run' and reason in ('sampled', 'stage', 'side_missing', 'legacy_tapped', 'timeout', 'cancelled') then null
  else verdict in ('not_run', 'incomparable') end;

alter table twintrack.trials
  -- The run that answered: how it ended, how long it took, and the bytes it rests in (0: it was shed).
  -- null: it was only counted, or purged.
  add column answer_status text check (answer_status in ('returned', 'threw', 'timed_out')),
  add column answer_ms     double precision,
  add column answer_bytes  integer,
  -- How long each side took that returned something, and is kept.
  add column legacy_ms     double precision,
  add column candidate_ms  double precision,
  add column dropped boolean generated always as (twintrack.is_drop(verdict, reason)) stored,
  -- Of the model calls of both sides; null when neither side asked a model, and a price when it is not
  -- known. A shared answer costs both sides, and was paid once: `spent_usd` is what this trial cost
  -- beside the answer.
  add column legacy_tokens    bigint,
  add column candidate_tokens bigint,
  add column legacy_usd       numeric,
  add column candidate_usd    numeric,
  add column spent_usd        numeric,
  -- Versions of models by side, { legacy, candidate: [{ asked, answered }] }; null when there is none.
  add column models           jsonb;

update twintrack.trials set
  legacy_tokens = (usage -> 'legacy' ->> 'inputTokens')::numeric + (usage -> 'legacy' ->> 'outputTokens')::numeric,
  candidate_tokens = (usage -> 'candidate' ->> 'inputTokens')::numeric + (usage -> 'candidate' ->> 'outputTokens')::numeric,
  legacy_usd = (usage -> 'legacy' ->> 'usd')::numeric, candidate_usd = (usage -> 'candidate' ->> 'usd')::numeric,
  spent_usd = (usage ->> 'spentUsd')::numeric,
  models = case when coalesce(nullif(usage -> 'legacy' -> 'models', '[]'), nullif(usage -> 'candidate' -> 'models', '[]')) is not null
    then jsonb_build_object('legacy', usage -> 'legacy' -> 'models', 'candidate', usage -> 'candidate' -> 'models') end
where usage is not null;
alter table twintrack.trials drop column usage;

update twintrack.trials t set answer_status = r.status, answer_ms = r.duration_ms, answer_bytes = octet_length(r.payload)
from twintrack.runs r where r.trial_id = t.id and r.side = t.authoritative;
update twintrack.trials t set
  legacy_ms = (select duration_ms from twintrack.runs r where r.trial_id = t.id and r.side = 'legacy' and r.status = 'returned'),
  candidate_ms = (select duration_ms from twintrack.runs r where r.trial_id = t.id and r.side = 'candidate' and r.status = 'returned');

drop index twintrack.trials_flow;
create index trials_flow on twintrack.trials (flow, received_at desc) include (stage, source, authoritative, verdict,
  dropped, answer_status, answer_ms, answer_bytes, legacy_ms, candidate_ms);
-- When each version of a candidate was last compared.
create index trials_version on twintrack.trials (flow, flow_hash, received_at desc, seq desc) where flow_hash is not null;
drop index twintrack.trials_epoch;

-- What counts is known without the trials: a judged trial changes only when it is judged once more,
-- and then its differences are written once more.
alter table twintrack.differences
  add column received_at   timestamptz,
  add column stage         text,
  add column verdict       text,
  add column noise_verdict text,
  add column models        jsonb;
update twintrack.differences d set received_at = t.received_at, stage = t.stage, verdict = t.verdict, noise_verdict = t.noise_verdict,
  models = t.models
from twintrack.trials t where t.id = d.trial_id;
alter table twintrack.differences
  alter column received_at set not null,
  alter column stage set not null;
-- Those that no rule explains; the others are only shown with their trial.
drop index twintrack.differences_fingerprint;
create index differences_open on twintrack.differences (flow, received_at) where rule is null;

-- Trials of one day that are alike. '' stands for null.
create table twintrack.tallies (
  flow          text not null,
  -- Of receipt, UTC.
  day           date not null,
  stage         text not null,
  flow_hash     text not null,
  verdict       text not null,
  -- Only of `not_run`; elsewhere it may be anything.
  reason        text not null,
  noise_verdict text not null,
  trace_verdict text not null,
  models_digest text not null,
  -- null when the digest is ''.
  models        jsonb,
  trials        bigint not null,
  -- Whose run is kept, though nothing was compared.
  dropped       bigint not null,
  contract_violations bigint not null,
  legacy_runs   bigint not null,
  candidate_runs bigint not null,
  -- Trials with model calls, and those whose price is known on both sides: sums over these, in US dollars.
  asked         bigint not null,
  priced        bigint not null,
  legacy_usd    numeric not null,
  candidate_usd numeric not null,
  legacy_squares numeric not null,
  candidate_squares numeric not null,
  products      numeric not null,
  legacy_tokens bigint not null,
  candidate_tokens bigint not null,
  spent_usd     numeric not null,
  primary key (flow, day, stage, flow_hash, verdict, reason, noise_verdict, trace_verdict, models_digest)
);

-- The highest number that each process gave out, as far as it was seen.
create table twintrack.epochs (
  epoch    uuid primary key,
  last_seq bigint not null check (last_seq > 0)
);

create function twintrack.tally_trials() returns trigger language plpgsql as $$
declare
  changes text := case tg_op
    when 'INSERT' then 'select 1 as sign, * from come'
    when 'DELETE' then 'select -1 as sign, * from gone'
    when 'UPDATE' then 'select 1 as sign, * from come union all select -1 as sign, * from gone' end;
begin
  if tg_op = 'TRUNCATE' then
    delete from twintrack.tallies;
    delete from twintrack.epochs;
    return null;
  end if;
  -- What is written to a partition comes here before its generated columns are made: none is read.
  -- Sorted: two writers never wait for each other's rows in a circle.
  execute format($sql$
    insert into twintrack.tallies as t
    select flow, (received_at at time zone 'utc')::date, stage, coalesce(flow_hash, ''), coalesce(verdict, ''),
      case when verdict = 'not_run' then reason else '' end, coalesce(noise_verdict, ''), coalesce(trace_verdict, ''),
      coalesce(md5(models::text), ''), min(models::text)::jsonb, sum(sign), coalesce(sum(sign * twintrack.is_drop(verdict, reason)::int) filter (where answer_status is not null), 0), sum(sign * contract_violations), sum(sign * (legacy_ms is not null)::int), sum(sign * (candidate_ms is not null)::int),
      sum(sign * (spent_usd is not null)::int), sum(sign * (legacy_usd + candidate_usd is not null)::int),
      coalesce(sum(sign * legacy_usd) filter (where candidate_usd is not null), 0),
      coalesce(sum(sign * candidate_usd) filter (where legacy_usd is not null), 0),
      coalesce(sum(sign * legacy_usd * legacy_usd) filter (where candidate_usd is not null), 0),
      coalesce(sum(sign * candidate_usd * candidate_usd) filter (where legacy_usd is not null), 0),
      coalesce(sum(sign * legacy_usd * candidate_usd), 0), coalesce(sum(sign * legacy_tokens), 0),
      coalesce(sum(sign * candidate_tokens), 0), coalesce(sum(sign * spent_usd), 0)
    from (%s) changes
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 1, 2, 3, 4, 5, 6, 7, 8, 9
    on conflict (flow, day, stage, flow_hash, verdict, reason, noise_verdict, trace_verdict, models_digest) do update set
      trials = t.trials + excluded.trials, dropped = t.dropped + excluded.dropped, contract_violations = t.contract_violations + excluded.contract_violations,
      legacy_runs = t.legacy_runs + excluded.legacy_runs, candidate_runs = t.candidate_runs + excluded.candidate_runs,
      asked = t.asked + excluded.asked, priced = t.priced + excluded.priced,
      legacy_usd = t.legacy_usd + excluded.legacy_usd, candidate_usd = t.candidate_usd + excluded.candidate_usd,
      legacy_squares = t.legacy_squares + excluded.legacy_squares, candidate_squares = t.candidate_squares + excluded.candidate_squares,
      products = t.products + excluded.products, legacy_tokens = t.legacy_tokens + excluded.legacy_tokens,
      candidate_tokens = t.candidate_tokens + excluded.candidate_tokens, spent_usd = t.spent_usd + excluded.spent_usd$sql$, changes);
  if tg_op = 'INSERT' then
    insert into twintrack.epochs as e select epoch, max(seq) from come group by 1 order by 1
    on conflict (epoch) do update set last_seq = greatest(e.last_seq, excluded.last_seq);
  end if;
  return null;
end $$;

create trigger tally_inserted after insert on twintrack.trials referencing new table as come
  for each statement execute function twintrack.tally_trials();
create trigger tally_updated after update on twintrack.trials referencing old table as gone new table as come
  for each statement execute function twintrack.tally_trials();
create trigger tally_deleted after delete on twintrack.trials referencing old table as gone
  for each statement execute function twintrack.tally_trials();
create trigger tally_truncated after truncate on twintrack.trials
  for each statement execute function twintrack.tally_trials();

-- Those that are here already.
create temporary table here (like twintrack.trials) on commit drop;
create trigger tally_inserted after insert on here referencing new table as come
  for each statement execute function twintrack.tally_trials();
insert into here select * from twintrack.trials;
insert into twintrack.epochs as e select epoch, max(last_seq) from twintrack.retired_trials group by 1
on conflict (epoch) do update set last_seq = greatest(e.last_seq, excluded.last_seq);
