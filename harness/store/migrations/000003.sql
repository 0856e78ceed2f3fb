-- How the answer of a trial came about, beside what it was.
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
  add check (trace_verdict = 'different' or first_divergent_step is null);
