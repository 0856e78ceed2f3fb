-- How the answer of a trial came about, what rules explained, and what people say belongs together.
--
-- The trace is compared apart from the verdict: an equal answer may come from other steps. Each
-- step carries the time that it took on both sides, so that a slower flow says where.

alter table twintrack.trials
  -- null: the calls of one side cannot be seen (a service behind HTTP), or nothing was compared.
  add column trace_verdict text check (trace_verdict in ('same', 'different')),
  -- Name of the first step in which the sides part.
  add column first_divergent_step text,
  -- JSON array of { name, relation, legacyMs, candidateMs }, in order of the run.
  add column steps jsonb,
  -- JSON { leaves, rules: [{ path, explained, hidden }] }: what each rule took out of this trial.
  add column rules jsonb,
  add check (trace_verdict = 'different' or first_divergent_step is null);

-- What a person may split a divergence by, taken from `difference`.
alter table twintrack.differences
  -- The exact JSON Pointer; a fingerprint knows only its template.
  add column place text,
  -- Of an error: what it says.
  add column message text;

-- Who answers for a decision, when that is somebody else than who took it.
alter table twintrack.decisions add column owner text check (owner <> '');

-- What people say belongs together. Append-only: of one fingerprint the newest row is in force, and
-- it is read together with the differences, so that it holds for trials past and future.
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

-- Decisions and groupings are never changed, only followed by others.
create trigger decisions_append_only before update or delete on twintrack.decisions
  for each statement execute function twintrack.refuse_change();
create trigger groupings_append_only before update or delete on twintrack.groupings
  for each statement execute function twintrack.refuse_change();
