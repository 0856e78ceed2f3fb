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
