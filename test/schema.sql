create table twintrack.api_keys (
  id text not null,
  name text not null,
  hash bytea not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  PRIMARY KEY (id),
  CHECK ((id ~ '^[0-9a-f]{12}$'::text)),
  CHECK ((name <> ''::text)),
  CHECK ((octet_length(hash) = 32)),
  CHECK ((role = ANY (ARRAY['viewer'::text, 'ingest'::text, 'reviewer'::text, 'operator'::text, 'admin'::text])))
);

create table twintrack.audit (
  seq bigint not null,
  bytes bytea not null,
  prev_hash bytea not null,
  hash bytea not null,
  PRIMARY KEY (seq),
  CHECK ((octet_length(hash) = 32)),
  CHECK ((octet_length(prev_hash) = 32)),
  CHECK ((seq > 0))
);

create table twintrack.coverage (
  flow text not null,
  flow_hash text not null,
  mark text not null,
  trials bigint not null default 0,
  PRIMARY KEY (flow, flow_hash, mark)
);

create table twintrack.decisions (
  id bigint not null generated always as identity,
  flow text not null,
  fingerprint text not null,
  decision text not null,
  who text not null,
  why text not null,
  until timestamp with time zone,
  at timestamp with time zone not null default now(),
  owner text,
  PRIMARY KEY (id),
  CHECK ((decision = ANY (ARRAY['candidate_bug'::text, 'intended'::text, 'noise'::text, 'legacy_bug'::text, 'unsure'::text]))),
  CHECK ((owner <> ''::text)),
  CHECK ((who <> ''::text)),
  CHECK ((why <> ''::text))
);
CREATE INDEX decisions_fingerprint ON twintrack.decisions USING btree (flow, fingerprint, id DESC);

create table twintrack.differences (
  trial_id text not null,
  compared text not null,
  ordinal integer not null,
  flow text not null,
  fingerprint text not null,
  difference text not null,
  rule text,
  place text,
  message text,
  received_at timestamp with time zone not null,
  stage text not null,
  verdict text,
  noise_verdict text,
  models jsonb,
  PRIMARY KEY (trial_id, compared, ordinal),
  FOREIGN KEY (trial_id) REFERENCES twintrack.trials_default(id) ON DELETE CASCADE,
  CHECK ((compared = ANY (ARRAY['candidate'::text, 'noise'::text])))
) partition by range (trial_id);
CREATE INDEX differences_open ON twintrack.differences USING btree (flow, received_at) WHERE (rule IS NULL);

create table twintrack.divergences (
  flow text not null,
  fingerprint text not null,
  title text not null,
  kind text not null,
  path text not null,
  first_seen timestamp with time zone not null default now(),
  PRIMARY KEY (flow, fingerprint),
  CHECK ((fingerprint ~ '^v[0-9]+:'::text))
);

create table twintrack.epochs (
  epoch uuid not null,
  last_seq bigint not null,
  PRIMARY KEY (epoch),
  CHECK ((last_seq > 0))
);

create table twintrack.flows (
  name text not null,
  stage text not null,
  canary_percent double precision not null default 0,
  version bigint not null default 1,
  changed_at timestamp with time zone not null default now(),
  PRIMARY KEY (name),
  CHECK (((canary_percent >= (0)::double precision) AND (canary_percent <= (100)::double precision))),
  CHECK ((name <> ''::text)),
  CHECK ((stage = ANY (ARRAY['legacy'::text, 'shadow'::text, 'canary'::text, 'cutover'::text, 'retired'::text])))
);

create table twintrack.gaps (
  epoch uuid not null,
  from_seq bigint not null,
  to_seq bigint not null,
  cause text not null,
  at timestamp with time zone not null default now(),
  PRIMARY KEY (epoch, from_seq),
  CHECK ((to_seq >= from_seq))
);

create table twintrack.groupings (
  id bigint not null generated always as identity,
  flow text not null,
  fingerprint text not null,
  action text not null,
  into_fingerprint text,
  split_by text,
  who text not null,
  why text not null,
  at timestamp with time zone not null default now(),
  PRIMARY KEY (id),
  CHECK (((action = 'merge'::text) = (into_fingerprint IS NOT NULL))),
  CHECK (((action = 'split'::text) = (split_by IS NOT NULL))),
  CHECK ((action = ANY (ARRAY['merge'::text, 'split'::text, 'restore'::text]))),
  CHECK ((into_fingerprint <> fingerprint)),
  CHECK ((split_by = ANY (ARRAY['place'::text, 'message'::text]))),
  CHECK ((who <> ''::text)),
  CHECK ((why <> ''::text))
);
CREATE INDEX groupings_fingerprint ON twintrack.groupings USING btree (flow, fingerprint, id DESC);

create table twintrack.legacy_tools (
  flow text not null,
  tool text not null,
  last_seen timestamp with time zone not null default now(),
  PRIMARY KEY (flow, tool)
);

create table twintrack.mcp_tools (
  tool text not null,
  last_seen timestamp with time zone not null default now(),
  PRIMARY KEY (tool)
);

create table twintrack.migrations (
  version integer not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now(),
  PRIMARY KEY (version)
);

create table twintrack.purges (
  id bigint not null generated always as identity,
  flow text,
  subjects text[] not null,
  who text not null,
  trials bigint not null,
  runs bigint not null,
  differences bigint not null,
  at timestamp with time zone not null default now(),
  PRIMARY KEY (id),
  CHECK ((who <> ''::text))
);

create table twintrack.replay_results (
  replay text not null,
  item text not null,
  trigger_id text not null,
  verdict text not null,
  reason text,
  live_verdict text,
  divergences jsonb not null,
  at timestamp with time zone not null default now(),
  PRIMARY KEY (replay, item),
  FOREIGN KEY (replay) REFERENCES twintrack.replays(id) ON DELETE CASCADE
);

create table twintrack.replays (
  id text not null,
  flow text not null,
  source jsonb not null,
  started_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (id),
  CHECK ((flow <> ''::text))
);

create table twintrack.retired_trials (
  epoch uuid not null,
  flow text not null,
  verdict text not null,
  cause text not null,
  trials bigint not null,
  last_seq bigint not null,
  PRIMARY KEY (epoch, flow, verdict, cause),
  CHECK ((cause = ANY (ARRAY['retention'::text, 'purge'::text]))),
  CHECK ((last_seq > 0)),
  CHECK ((trials > 0))
);

create table twintrack.runs (
  trial_id text not null,
  side text not null,
  status text not null,
  duration_ms double precision not null,
  payload bytea not null,
  PRIMARY KEY (trial_id, side),
  FOREIGN KEY (trial_id) REFERENCES twintrack.trials_default(id) ON DELETE CASCADE,
  CHECK ((side = ANY (ARRAY['legacy'::text, 'candidate'::text, 'noise'::text]))),
  CHECK ((status = ANY (ARRAY['returned'::text, 'threw'::text, 'timed_out'::text])))
) partition by range (trial_id);

create table twintrack.stage_changes (
  id bigint not null generated always as identity,
  flow text not null,
  from_stage text,
  to_stage text not null,
  canary_percent double precision not null,
  who text not null,
  why text not null,
  evidence jsonb,
  at timestamp with time zone not null default now(),
  automatic boolean not null default false,
  PRIMARY KEY (id),
  CHECK ((who <> ''::text)),
  CHECK ((why <> ''::text))
);
CREATE INDEX stage_changes_flow ON twintrack.stage_changes USING btree (flow, id DESC);

create table twintrack.tallies (
  flow text not null,
  day date not null,
  stage text not null,
  flow_hash text not null,
  verdict text not null,
  reason text not null,
  noise_verdict text not null,
  trace_verdict text not null,
  models_digest text not null,
  models jsonb,
  trials bigint not null,
  dropped bigint not null,
  contract_violations bigint not null,
  legacy_runs bigint not null,
  candidate_runs bigint not null,
  asked bigint not null,
  priced bigint not null,
  legacy_usd numeric not null,
  candidate_usd numeric not null,
  legacy_squares numeric not null,
  candidate_squares numeric not null,
  products numeric not null,
  legacy_tokens bigint not null,
  candidate_tokens bigint not null,
  spent_usd numeric not null,
  PRIMARY KEY (flow, day, stage, flow_hash, verdict, reason, noise_verdict, trace_verdict, models_digest)
);

create table twintrack.trials (
  id text not null,
  epoch uuid not null,
  seq bigint not null,
  flow text not null,
  trigger_id text not null,
  source text not null,
  stage text not null,
  authoritative text not null,
  received_at timestamp with time zone not null,
  noise_wanted boolean not null default false,
  verdict text,
  reason text,
  noise_verdict text,
  flow_hash text,
  truncated boolean not null default false,
  effect_differences integer not null default 0,
  contract_violations integer not null default 0,
  trace bytea,
  judged_at timestamp with time zone,
  subject text,
  trace_verdict text,
  first_divergent_step text,
  steps jsonb,
  rules jsonb,
  answer_status text,
  answer_ms double precision,
  answer_bytes integer,
  legacy_ms double precision,
  candidate_ms double precision,
  dropped boolean generated always as (twintrack.is_drop(verdict, reason)) stored,
  legacy_tokens bigint,
  candidate_tokens bigint,
  legacy_usd numeric,
  candidate_usd numeric,
  spent_usd numeric,
  models jsonb,
  PRIMARY KEY (id),
  CHECK (((trace_verdict = 'different'::text) OR (first_divergent_step IS NULL))),
  CHECK (((verdict <> ALL (ARRAY['not_run'::text, 'incomparable'::text])) OR (reason IS NOT NULL))),
  CHECK (((verdict IS NULL) = (judged_at IS NULL))),
  CHECK ((answer_status = ANY (ARRAY['returned'::text, 'threw'::text, 'timed_out'::text]))),
  CHECK ((authoritative = ANY (ARRAY['legacy'::text, 'candidate'::text]))),
  CHECK ((flow <> ''::text)),
  CHECK ((seq > 0)),
  CHECK ((trace_verdict = ANY (ARRAY['same'::text, 'different'::text]))),
  CHECK ((verdict = ANY (ARRAY['match'::text, 'mismatch'::text, 'ignored'::text, 'candidate_error'::text, 'candidate_timeout'::text, 'both_failed_same'::text, 'both_failed_different'::text, 'incomparable'::text, 'not_run'::text])))
) partition by range (id);
CREATE INDEX trials_flow ON twintrack.trials USING btree (flow, received_at DESC) INCLUDE (stage, source, authoritative, verdict, dropped, answer_status, answer_ms, answer_bytes, legacy_ms, candidate_ms);
CREATE INDEX trials_open ON twintrack.trials USING btree (received_at) WHERE (verdict IS NULL);
CREATE INDEX trials_subject ON twintrack.trials USING btree (subject) WHERE (subject IS NOT NULL);
CREATE INDEX trials_version ON twintrack.trials USING btree (flow, flow_hash, received_at DESC, seq DESC) WHERE (flow_hash IS NOT NULL);

create table twintrack.undos (
  key text not null,
  flow text not null,
  trial_id text not null,
  step text not null,
  tool text not null,
  who text not null,
  why text not null,
  started_at timestamp with time zone not null default now(),
  outcome text,
  error text,
  PRIMARY KEY (key),
  CHECK ((flow <> ''::text)),
  CHECK ((outcome = ANY (ARRAY['undone'::text, 'failed'::text]))),
  CHECK ((who <> ''::text)),
  CHECK ((why <> ''::text))
);
CREATE INDEX undos_flow ON twintrack.undos USING btree (flow);
