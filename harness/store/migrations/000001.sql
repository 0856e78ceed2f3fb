-- The schema: trials, the runs and differences in them, what is summed up of them, and what people
-- decide about them.
--
-- A trial is one answered trigger. Its id is made by the process that answered (day, epoch and sequence
-- number), so that shipping the same spool frame twice is a no-op and a missing number is visible.
-- Payloads are exact bytes (JSON text, compressed and sealed): jsonb would rewrite them, refuse some of
-- them, and is slower to write.

-- Flows and their stages.

create table twintrack.flows (
  name           text primary key check (name <> ''),
  stage          text not null check (stage in ('legacy', 'shadow', 'canary', 'cutover', 'retired')),
  canary_percent double precision not null default 0 check (canary_percent between 0 and 100),
  -- Optimistic lock: who changes a stage must have seen the one before.
  version        bigint not null default 1,
  changed_at     timestamptz not null default now()
);

create table twintrack.stage_changes (
  id             bigint generated always as identity primary key,
  flow           text not null,
  from_stage     text,
  to_stage       text not null,
  canary_percent double precision not null,
  who            text not null check (who <> ''),
  why            text not null check (why <> ''),
  -- The gate's decision and reasons at that moment, as JSON.
  evidence       jsonb,
  at             timestamptz not null default now(),
  -- True when nobody asked for the change: the configuration allows it, and `who` is twintrack.
  automatic      boolean not null default false
);
create index stage_changes_flow on twintrack.stage_changes (flow, id desc);

-- Which parts of a flow's input space and graph its compared trials have seen; a mark that no trial
-- saw has 0. Names come from schemas and graphs, never from what callers sent.
create table twintrack.coverage (
  flow      text not null,
  flow_hash text not null,
  mark      text not null,
  trials    bigint not null default 0,
  primary key (flow, flow_hash, mark)
);

-- Which tools a legacy side was seen to call: what retire must not take away from others.
create table twintrack.legacy_tools (
  flow      text not null,
  tool      text not null,
  last_seen timestamptz not null default now(),
  primary key (flow, tool)
);

-- Which wrapped tools clients call over MCP: what retire must not take away from them.
create table twintrack.mcp_tools (
  tool      text primary key,
  last_seen timestamptz not null default now()
);

-- Trials, runs and differences.
--
-- What grows with every trigger is kept by the week, so that old weeks go as whole tables. A trial's id
-- begins with the day it was received (see `trialIdOf`), so a range of ids is a range of days: `id` alone
-- is the key, and runs and differences lie in the week of their trial. Ids are compared by their bytes:
-- a range means the same in every database. They contain epoch and sequence number, which are unique with
-- them. The program makes the weeks ahead (see weeks.ts); what no week takes lies in the default partition.
-- Foreign keys are those of a week to its own trials: of one to a partitioned table Postgres plans the
-- check anew for every row, which takes longer than all else that is done to write it.

-- null: open, or nobody could have compared it. Sampling draws at random, and a run that was cut off,
-- or has no other side, cannot be compared by anyone: these are no drops.
create function twintrack.is_drop(verdict text, reason text) returns boolean language sql immutable
return case
  when verdict is null then null
  when verdict = 'not_run' and reason in ('sampled', 'stage', 'side_missing', 'legacy_tapped', 'timeout', 'cancelled') then null
  else verdict in ('not_run', 'incomparable') end;

create table twintrack.trials (
  id            text collate "C" primary key,
  epoch         uuid not null,
  seq           bigint not null check (seq > 0),
  flow          text not null check (flow <> ''),
  trigger_id    text not null,
  source        text not null,
  stage         text not null,
  authoritative text not null check (authoritative in ('legacy', 'candidate')),
  received_at   timestamptz not null,
  -- True when this trigger was drawn for a second run of legacy.
  noise_wanted  boolean not null default false,
  -- null: open, nobody has judged it yet.
  verdict       text check (verdict in ('match', 'mismatch', 'ignored', 'candidate_error',
                  'candidate_timeout', 'both_failed_same', 'both_failed_different',
                  'incomparable', 'not_run')),
  reason        text,
  -- Verdict of legacy against legacy; null when there was no second run.
  noise_verdict text,
  flow_hash     text,
  truncated     boolean not null default false,
  effect_differences   integer not null default 0,
  contract_violations  integer not null default 0,
  -- zstd of JSON { legacy, candidate }: the tool calls of both sides under the same names; null when equal.
  trace         bytea,
  judged_at     timestamptz,
  -- A keyed digest of the person the trial is about; null when the flow does not say.
  subject       text,
  -- The trace is compared apart from the verdict: an equal answer may come from other steps.
  -- null: the calls of one side cannot be seen (a service behind HTTP), or nothing was compared.
  trace_verdict text check (trace_verdict in ('same', 'different')),
  -- Name of the first step in which the sides part.
  first_divergent_step text,
  -- JSON array of { name, relation, legacyMs, candidateMs }, in order of the run: a slower flow says where.
  steps         jsonb,
  -- JSON { leaves, rules: [{ path, explained, hidden }] }: what each rule took out of this trial.
  rules         jsonb,
  -- The run that answered: how it ended, how long it took, and the bytes it rests in (0: it was shed).
  -- null: it was only counted, or purged.
  answer_status text check (answer_status in ('returned', 'threw', 'timed_out')),
  answer_ms     double precision,
  answer_bytes  integer,
  -- How long each side took that returned something, and is kept.
  legacy_ms     double precision,
  candidate_ms  double precision,
  dropped       boolean generated always as (twintrack.is_drop(verdict, reason)) stored,
  -- Of the model calls of both sides; null when neither side asked a model, and a price when it is not
  -- known. A shared answer costs both sides, and was paid once: `spent_usd` is what this trial cost
  -- beside the answer.
  legacy_tokens    bigint,
  candidate_tokens bigint,
  legacy_usd       numeric,
  candidate_usd    numeric,
  spent_usd        numeric,
  -- Versions of models by side, { legacy, candidate: [{ asked, answered }] }; null when there is none.
  models           jsonb,
  check ((verdict is null) = (judged_at is null)),
  check (verdict not in ('not_run', 'incomparable') or reason is not null),
  check (trace_verdict = 'different' or first_divergent_step is null)
) partition by range (id);
create table twintrack.trials_default partition of twintrack.trials default;
create index trials_open on twintrack.trials (received_at) where verdict is null;
-- What is no sum (a percentile) is read from this one narrow index, without the trials.
create index trials_flow on twintrack.trials (flow, received_at desc) include (stage, source, authoritative, verdict,
  dropped, answer_status, answer_ms, answer_bytes, legacy_ms, candidate_ms);
create index trials_subject on twintrack.trials (subject) where subject is not null;
-- When each version of a candidate was last compared.
create index trials_version on twintrack.trials (flow, flow_hash, received_at desc, seq desc) where flow_hash is not null;

create table twintrack.runs (
  trial_id    text collate "C" not null,
  side        text not null check (side in ('legacy', 'candidate', 'noise')),
  status      text not null check (status in ('returned', 'threw', 'timed_out')),
  duration_ms double precision not null,
  -- zstd of JSON. The run that answered: { input, outcome, lossy, calls }; any other: { outcome }.
  -- A typed flow's run carries its history as well.
  payload     bytea not null,
  primary key (trial_id, side)
) partition by range (trial_id);
-- Sealed bytes have no pattern that Postgres could compress: it need not try.
alter table twintrack.runs alter column payload set storage external;
create table twintrack.runs_default partition of twintrack.runs
  (foreign key (trial_id) references twintrack.trials_default on delete cascade) default;

create table twintrack.differences (
  trial_id    text collate "C" not null,
  -- candidate: legacy against candidate; noise: legacy against legacy.
  compared    text not null check (compared in ('candidate', 'noise')),
  ordinal     integer not null,
  flow        text not null,
  fingerprint text not null,
  -- One difference as JSON text; text, because jsonb refuses what JSON allows (NUL, lone surrogates).
  difference  text not null,
  -- The rule that explains it; null when nothing does.
  rule        text,
  -- What a person may split a divergence by, taken from `difference`: the exact JSON Pointer, of which a
  -- fingerprint knows only the template, and what an error says.
  place       text,
  message     text,
  -- As in the trial, so that what counts is known without it: a judged trial changes only when it is
  -- judged once more, and then its differences are written once more.
  received_at timestamptz not null,
  stage       text not null,
  verdict     text,
  noise_verdict text,
  models      jsonb,
  primary key (trial_id, compared, ordinal)
) partition by range (trial_id);
create table twintrack.differences_default partition of twintrack.differences
  (foreign key (trial_id) references twintrack.trials_default on delete cascade) default;
-- Those that no rule explains; the others are only shown with their trial.
create index differences_open on twintrack.differences (flow, received_at) where rule is null;

-- What the report and the gate ask of a million trials without reading them.
--
-- Sums are kept as tallies by day, written by a trigger in the transaction that changes the trials, so
-- that nobody who writes trials can forget them.

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

-- One function for each of the three, because the plan of a statement that is put together when it runs is
-- thrown away each time.
do $do$
declare
  kind record;
begin
  for kind in
    select * from (values
      ('inserted', 'insert', 'new table as come', 'select 1 as sign, * from come'),
      ('updated', 'update', 'old table as gone new table as come',
        'select 1 as sign, * from come union all select -1 as sign, * from gone'),
      ('deleted', 'delete', 'old table as gone', 'select -1 as sign, * from gone')) as k (name, event, tables, changes)
  loop
    execute format($create$
create function twintrack.tally_%1$s() returns trigger language plpgsql as $$
begin
  -- What is written to a partition comes here before its generated columns are made: none is read.
  -- Sorted: two writers never wait for each other's rows in a circle.
  insert into twintrack.tallies as t
  select flow, (received_at at time zone 'utc')::date, stage, coalesce(flow_hash, ''), coalesce(verdict, ''),
    case when verdict = 'not_run' then reason else '' end, coalesce(noise_verdict, ''), coalesce(trace_verdict, ''),
    coalesce(md5(models::text), ''), min(models::text)::jsonb, sum(sign),
    coalesce(sum(sign * twintrack.is_drop(verdict, reason)::int) filter (where answer_status is not null), 0),
    sum(sign * contract_violations), sum(sign * (legacy_ms is not null)::int), sum(sign * (candidate_ms is not null)::int),
    sum(sign * (spent_usd is not null)::int), sum(sign * (legacy_usd + candidate_usd is not null)::int),
    coalesce(sum(sign * legacy_usd) filter (where candidate_usd is not null), 0),
    coalesce(sum(sign * candidate_usd) filter (where legacy_usd is not null), 0),
    coalesce(sum(sign * legacy_usd * legacy_usd) filter (where candidate_usd is not null), 0),
    coalesce(sum(sign * candidate_usd * candidate_usd) filter (where legacy_usd is not null), 0),
    coalesce(sum(sign * legacy_usd * candidate_usd), 0), coalesce(sum(sign * legacy_tokens), 0),
    coalesce(sum(sign * candidate_tokens), 0), coalesce(sum(sign * spent_usd), 0)
  from (%2$s) changes
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 1, 2, 3, 4, 5, 6, 7, 8, 9
  on conflict (flow, day, stage, flow_hash, verdict, reason, noise_verdict, trace_verdict, models_digest) do update set
    trials = t.trials + excluded.trials, dropped = t.dropped + excluded.dropped,
    contract_violations = t.contract_violations + excluded.contract_violations,
    legacy_runs = t.legacy_runs + excluded.legacy_runs, candidate_runs = t.candidate_runs + excluded.candidate_runs,
    asked = t.asked + excluded.asked, priced = t.priced + excluded.priced,
    legacy_usd = t.legacy_usd + excluded.legacy_usd, candidate_usd = t.candidate_usd + excluded.candidate_usd,
    legacy_squares = t.legacy_squares + excluded.legacy_squares, candidate_squares = t.candidate_squares + excluded.candidate_squares,
    products = t.products + excluded.products, legacy_tokens = t.legacy_tokens + excluded.legacy_tokens,
    candidate_tokens = t.candidate_tokens + excluded.candidate_tokens, spent_usd = t.spent_usd + excluded.spent_usd;
  return null;
end $$;

create trigger tally_%1$s after %3$s on twintrack.trials referencing %4$s
  for each statement execute function twintrack.tally_%1$s();
$create$, kind.name, kind.changes, kind.event, kind.tables);
  end loop;
end $do$;

create function twintrack.note_epochs() returns trigger language plpgsql as $$
begin
  insert into twintrack.epochs as e select epoch, max(seq) from come group by 1 order by 1
  on conflict (epoch) do update set last_seq = greatest(e.last_seq, excluded.last_seq);
  return null;
end $$;
create trigger note_epochs after insert on twintrack.trials referencing new table as come
  for each statement execute function twintrack.note_epochs();

create function twintrack.forget_tallies() returns trigger language plpgsql as $$
begin
  delete from twintrack.tallies;
  delete from twintrack.epochs;
  return null;
end $$;
create trigger forget_tallies after truncate on twintrack.trials
  for each statement execute function twintrack.forget_tallies();

-- Sequence numbers whose frames never reached us, with the cause.
create table twintrack.gaps (
  epoch    uuid not null,
  from_seq bigint not null,
  to_seq   bigint not null check (to_seq >= from_seq),
  cause    text not null,
  at       timestamptz not null default now(),
  primary key (epoch, from_seq)
);

-- Trials that were deleted, so that the books still balance. `last_seq` is the highest number that
-- is not among the trials any more.
create table twintrack.retired_trials (
  epoch    uuid not null,
  flow     text not null,
  verdict  text not null,
  cause    text not null check (cause in ('retention', 'purge')),
  trials   bigint not null check (trials > 0),
  last_seq bigint not null check (last_seq > 0),
  primary key (epoch, flow, verdict, cause)
);

-- A purged person: frames about them that are still on their way are dropped when they arrive.
create table twintrack.purges (
  id          bigint generated always as identity primary key,
  -- Null: in every flow.
  flow        text,
  -- The same person under every key of that day.
  subjects    text[] not null,
  who         text not null check (who <> ''),
  trials      bigint not null,
  runs        bigint not null,
  differences bigint not null,
  at          timestamptz not null default now()
);

-- What people say about differences: never changed, only followed by others.

create function twintrack.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are only ever added', tg_table_name;
end $$;

create table twintrack.divergences (
  flow        text not null,
  fingerprint text not null check (fingerprint ~ '^v[0-9]+:'),
  title       text not null,
  kind        text not null,
  path        text not null,
  first_seen  timestamptz not null default now(),
  primary key (flow, fingerprint)
);

create table twintrack.decisions (
  id          bigint generated always as identity primary key,
  flow        text not null,
  fingerprint text not null,
  decision    text not null check (decision in ('candidate_bug', 'intended', 'noise', 'legacy_bug', 'unsure')),
  who         text not null check (who <> ''),
  why         text not null check (why <> ''),
  until       timestamptz,
  at          timestamptz not null default now(),
  -- Who answers for it, when that is somebody else than who took it.
  owner       text check (owner <> '')
);
create index decisions_fingerprint on twintrack.decisions (flow, fingerprint, id desc);
create trigger decisions_append_only before update or delete on twintrack.decisions
  for each statement execute function twintrack.refuse_change();

-- What people say belongs together. Of one fingerprint the newest row is in force, and it is read
-- together with the differences, so that it holds for trials past and future.
create table twintrack.groupings (
  id          bigint generated always as identity primary key,
  flow        text not null,
  fingerprint text not null,
  action      text not null check (action in ('merge', 'split', 'restore')),
  into_fingerprint text check (into_fingerprint <> fingerprint),
  split_by    text check (split_by in ('place', 'message')),
  who         text not null check (who <> ''),
  why         text not null check (why <> ''),
  at          timestamptz not null default now(),
  check ((action = 'merge') = (into_fingerprint is not null)),
  check ((action = 'split') = (split_by is not null))
);
create index groupings_fingerprint on twintrack.groupings (flow, fingerprint, id desc);
create trigger groupings_append_only before update or delete on twintrack.groupings
  for each statement execute function twintrack.refuse_change();

-- Replays have books of their own: nothing here is a trial, and no gate reads it.

create table twintrack.replays (
  id         text primary key,
  flow       text not null check (flow <> ''),
  -- What is replayed, as JSON: stored trials of a time, or the recordings in a file.
  source     jsonb not null,
  started_at timestamptz not null default now(),
  -- null: it was interrupted, or is under way.
  ended_at   timestamptz
);

create table twintrack.replay_results (
  replay       text not null references twintrack.replays on delete cascade,
  -- Id of the trial, or the place in the file.
  item         text not null,
  trigger_id   text not null,
  verdict      text not null,
  reason       text,
  -- What the trial was judged to be when it happened; null for a recording from elsewhere.
  live_verdict text,
  -- Unexplained divergences, as JSON: [{ fingerprint, title }].
  divergences  jsonb not null,
  at           timestamptz not null default now(),
  primary key (replay, item)
);

-- Writes of candidates that were taken back after a rollback.
create table twintrack.undos (
  -- Idempotency key of the write, however many trials tell of it: it is taken back once.
  key        text primary key,
  flow       text not null check (flow <> ''),
  trial_id   text not null,
  step       text not null,
  tool       text not null,
  who        text not null check (who <> ''),
  why        text not null check (why <> ''),
  started_at timestamptz not null default now(),
  -- null: it was begun, and nobody knows how it ended.
  outcome    text check (outcome in ('undone', 'failed')),
  -- Masked.
  error      text
);
create index undos_flow on twintrack.undos (flow);

-- Who may call, and what was done.

-- Keys of callers and people. The key itself is shown once and kept nowhere.
create table twintrack.api_keys (
  -- The part of the key that finds this row.
  id           text primary key check (id ~ '^[0-9a-f]{12}$'),
  name         text not null check (name <> ''),
  -- SHA-256 of the whole key, which is 256 random bits: nothing to guess.
  hash         bytea not null check (octet_length(hash) = 32),
  role         text not null check (role in ('viewer', 'ingest', 'reviewer', 'operator', 'admin')),
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
);

-- What was done to the system. Each row's hash covers its exact bytes and the hash before it.
create table twintrack.audit (
  seq       bigint primary key check (seq > 0),
  -- JSON text { at, event, who, … }; bytes, because jsonb and timestamptz are rewritten when stored.
  bytes     bytea not null,
  prev_hash bytea not null check (octet_length(prev_hash) = 32),
  hash      bytea not null check (octet_length(hash) = 32)
);
create trigger audit_is_append_only before update or delete or truncate on twintrack.audit
  for each statement execute function twintrack.refuse_change();
