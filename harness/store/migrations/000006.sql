-- What grows with every trigger is kept by the week, so that old weeks go as whole tables.
--
-- A trial's id begins with the day it was received (see `trialIdOf`), so a range of ids is a range of
-- days: `id` alone stays the key, and runs and differences lie in the week of their trial. Ids contain
-- epoch and sequence number, which are unique with them. The program makes the weeks ahead
-- (see weeks.ts); what no week takes, such as ids from before, lies in the default partition.

alter table twintrack.runs drop constraint runs_trial_id_fkey;
alter table twintrack.differences drop constraint differences_trial_id_fkey;
alter table twintrack.trials drop constraint trials_epoch_seq_key;

-- The order of the bytes: a range means the same in every database.
alter table twintrack.trials alter column id type text collate "C";
alter table twintrack.runs alter column trial_id type text collate "C";
alter table twintrack.differences alter column trial_id type text collate "C";

alter table twintrack.trials rename to trials_default;
alter table twintrack.trials_default rename constraint trials_pkey to trials_default_pkey;
alter index twintrack.trials_open rename to trials_default_open;
alter index twintrack.trials_flow rename to trials_default_flow;
alter index twintrack.trials_subject rename to trials_default_subject;
create table twintrack.trials (like twintrack.trials_default including defaults including constraints)
  partition by range (id);
alter table twintrack.trials add primary key (id);
create index trials_open on twintrack.trials (received_at) where verdict is null;
create index trials_flow on twintrack.trials (flow, received_at desc);
create index trials_subject on twintrack.trials (subject) where subject is not null;
create index trials_epoch on twintrack.trials (epoch, seq);
alter table twintrack.trials attach partition twintrack.trials_default default;

alter table twintrack.runs rename to runs_default;
alter table twintrack.runs_default rename constraint runs_pkey to runs_default_pkey;
create table twintrack.runs (like twintrack.runs_default including constraints including storage)
  partition by range (trial_id);
alter table twintrack.runs add primary key (trial_id, side);
alter table twintrack.runs attach partition twintrack.runs_default default;
alter table twintrack.runs add foreign key (trial_id) references twintrack.trials on delete cascade;

alter table twintrack.differences rename to differences_default;
alter table twintrack.differences_default rename constraint differences_pkey to differences_default_pkey;
alter index twintrack.differences_fingerprint rename to differences_default_fingerprint;
create table twintrack.differences (like twintrack.differences_default including constraints)
  partition by range (trial_id);
alter table twintrack.differences add primary key (trial_id, compared, ordinal);
create index differences_fingerprint on twintrack.differences (flow, fingerprint, compared);
alter table twintrack.differences attach partition twintrack.differences_default default;
alter table twintrack.differences add foreign key (trial_id) references twintrack.trials on delete cascade;
