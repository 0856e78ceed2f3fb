-- What keeps data safe at rest: whom a trial is about, what was deleted, who may call, and the audit.

-- A keyed digest of the person a trial is about; null when the flow does not say.
alter table twintrack.trials add column subject text;
create index trials_subject on twintrack.trials (subject) where subject is not null;

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

create function twintrack.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are only ever added', tg_table_name;
end $$;
create trigger audit_is_append_only before update or delete or truncate on twintrack.audit
  for each statement execute function twintrack.refuse_change();
