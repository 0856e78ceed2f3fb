/** Divergences that a decision explains, as a table expression `covered`; `unsure` and `candidate_bug` cover nothing. */
export const COVERED = `
  covered as (
    select fingerprint from (
      select distinct on (fingerprint) fingerprint, decision, until
      from twintrack.decisions where flow = $1 order by fingerprint, id desc) latest
    where decision in ('intended', 'noise', 'legacy_bug') and (until is null or until > now()))`;
