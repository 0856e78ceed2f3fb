-- What moves a flow from stage to stage, and what replays find.

-- Which parts of a flow's input space and graph its compared trials have seen; a mark that no trial
-- saw has 0. Names come from schemas and graphs, never from what callers sent.
create table twintrack.coverage (
  flow      text not null,
  flow_hash text not null,
  mark      text not null,
  trials    bigint not null default 0,
  primary key (flow, flow_hash, mark)
);

-- True when nobody asked for the change: the configuration allows it, and `who` is twintrack.
alter table twintrack.stage_changes add column automatic boolean not null default false;

-- Which wrapped tools clients call over MCP: what retire must not take away from them.
create table twintrack.mcp_tools (
  tool      text primary key,
  last_seen timestamptz not null default now()
);

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
