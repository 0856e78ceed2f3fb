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
