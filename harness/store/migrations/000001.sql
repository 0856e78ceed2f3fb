-- Trials, the runs and differences in them, and what people decide about them.
--
-- A trial is one answered trigger. Its id is made by the process that answered
-- (epoch and sequence number), so that shipping the same spool frame twice is a
-- no-op and a missing number is visible. Payloads are exact bytes (zstd over JSON
-- text): jsonb would rewrite them, refuse some of them, and is slower to write.

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
  at             timestamptz not null default now()
);
create index stage_changes_flow on twintrack.stage_changes (flow, id desc);

create table twintrack.trials (
  id            text primary key,
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
  unique (epoch, seq),
  check ((verdict is null) = (judged_at is null)),
  check (verdict not in ('not_run', 'incomparable') or reason is not null)
);
create index trials_open on twintrack.trials (received_at) where verdict is null;
create index trials_flow on twintrack.trials (flow, received_at desc);

create table twintrack.runs (
  trial_id    text not null references twintrack.trials on delete cascade,
  side        text not null check (side in ('legacy', 'candidate', 'noise')),
  status      text not null check (status in ('returned', 'threw', 'timed_out')),
  duration_ms double precision not null,
  -- zstd of JSON. The run that answered: { input, outcome, lossy, calls }; any other: { outcome }.
  -- A typed flow's run carries its history as well.
  payload     bytea not null,
  primary key (trial_id, side)
);

create table twintrack.divergences (
  flow        text not null,
  fingerprint text not null check (fingerprint ~ '^v[0-9]+:'),
  title       text not null,
  kind        text not null,
  path        text not null,
  first_seen  timestamptz not null default now(),
  primary key (flow, fingerprint)
);

create table twintrack.differences (
  trial_id    text not null references twintrack.trials on delete cascade,
  -- candidate: legacy against candidate; noise: legacy against legacy.
  compared    text not null check (compared in ('candidate', 'noise')),
  ordinal     integer not null,
  flow        text not null,
  fingerprint text not null,
  -- One difference as JSON text; text, because jsonb refuses what JSON allows (NUL, lone surrogates).
  difference  text not null,
  -- The rule that explains it; null when nothing does.
  rule        text,
  primary key (trial_id, compared, ordinal)
);
create index differences_fingerprint on twintrack.differences (flow, fingerprint, compared);

create table twintrack.decisions (
  id          bigint generated always as identity primary key,
  flow        text not null,
  fingerprint text not null,
  decision    text not null check (decision in ('candidate_bug', 'intended', 'noise', 'legacy_bug', 'unsure')),
  who         text not null check (who <> ''),
  why         text not null check (why <> ''),
  until       timestamptz,
  at          timestamptz not null default now()
);
create index decisions_fingerprint on twintrack.decisions (flow, fingerprint, id desc);

-- Sequence numbers whose frames never reached us, with the cause.
create table twintrack.gaps (
  epoch    uuid not null,
  from_seq bigint not null,
  to_seq   bigint not null check (to_seq >= from_seq),
  cause    text not null,
  at       timestamptz not null default now(),
  primary key (epoch, from_seq)
);

-- Which tools a legacy side was seen to call: what retire must not take away from others.
create table twintrack.legacy_tools (
  flow      text not null,
  tool      text not null,
  last_seen timestamptz not null default now(),
  primary key (flow, tool)
);
