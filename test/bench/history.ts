/** A month of a busy installation, written by the database itself: what the report is asked about. */
import type { ResolvedConfig } from "../../harness/config.ts";
import type { Database } from "../../harness/store/database.ts";
import { makeWeeks } from "../../harness/store/weeks.ts";

export const FLOWS = ["orders", "refunds", "triage", "invoices", "replies"] as const;
const DAYS = 30;
const DAY_MS = 86_400_000;
/** Short of the store's limit for a statement. */
const SLICE = 25_000;
const FINGERPRINTS = 1_000;

/** Flows as the configuration would name them; nothing of them runs here. */
export const FLOW_CONFIGS = Object.fromEntries(
  FLOWS.map((name) => [name, { legacy: () => undefined, candidate: () => undefined }]),
) as unknown as ResolvedConfig["flows"];

/**
 * Trials of the last thirty days in turn over all flows, one of twenty with differences. Of one in ten
 * legacy ran twice, of one in a hundred the other side did not run; of `refunds` some of these are drops.
 */
export async function fillHistory(db: Database, trials: number): Promise<void> {
  const slices = Array.from({ length: Math.ceil(trials / SLICE) }, (_, index) => index);
  const worker = async () => {
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift())
      await fillSlice(db, slice * SLICE + 1, Math.min(trials, (slice + 1) * SLICE), trials);
  };
  await makeWeeks(db, new Date(Date.now() - DAYS * DAY_MS), Math.ceil(DAYS / 7) + 1);
  await fillDivergences(db);
  await Promise.all([worker(), worker()]);
  const tables = await db.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relnamespace = 'twintrack'::regnamespace and relkind = 'r'",
  );
  // As the server does by itself in time, one table after the other: none takes longer than a statement may.
  for (const { name } of tables) await db.query(`vacuum analyze ${name}`);
}

/** `r` is drawn from the number of the trial: the same month every time. */
const NUMBERED = `
  numbered as (
    select n, '6f1d2c3b-0000-4000-8000-00000000000' || n % 2 as epoch, (n + 1) / 2 as seq, n % 5 as flow_number,
      (array['${FLOWS.join("','")}'])[n % 5 + 1] as flow, abs(hashint8(n)) % 10000 as r,
      now() - interval '${DAYS} days' * (1 - n / $3::double precision) as received_at
    from generate_series($1::bigint, $2::bigint) n),
  named as (
    select *, to_char(received_at at time zone 'utc', 'YYYYMMDD-') || epoch || '.' || seq as id,
      50 + (r * 37 + 66 + n) % 5003 / 10.0 as legacy_ms, 50 + (r * 37 + 99 + n) % 5003 / 10.0 as candidate_ms,
      convert_to('{"input":{"n":' || n || '},"outcome":{"status":"returned","value":{"text":"' || repeat(md5(n::text), 12 + (r % 8)::int)
        || '"}},"lossy":false,"calls":[]}', 'UTF8') as payload
    from numbered)`;

async function fillSlice(db: Database, from: number, to: number, all: number): Promise<void> {
  const params = [from, to, all];
  await db.query(
    `with ${NUMBERED}
       insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative, received_at,
         noise_wanted, verdict, reason, noise_verdict, flow_hash, judged_at, trace_verdict, first_divergent_step,
         steps, rules, answer_status, answer_ms, answer_bytes, legacy_ms, candidate_ms, legacy_tokens, candidate_tokens,
         legacy_usd, candidate_usd, spent_usd, models)
       select id, epoch::uuid, seq, flow, 't' || n, 'http', 'shadow', 'legacy', received_at, r % 10 = 0,
         case when r < 500 then 'mismatch' when r < 600 then 'not_run' when r < 640 then 'candidate_error'
           when r < 840 then 'ignored' else 'match' end,
         case when r between 500 and 599 then case when flow_number = 1 and r < 520 then 'breaker' else 'sampled' end end,
         case when r % 10 = 0 and (r < 500 or r >= 640) then case when r % 70 = 0 then 'mismatch' else 'match' end end,
         case when r between 500 and 599 then null else 'h1' end, received_at + interval '1 second',
         case when r < 300 then 'different' when r < 500 or r >= 640 then 'same' end,
         case when r < 300 then 'step' || r % 4 end,
         case when r < 500 or r >= 640 then (select jsonb_agg(jsonb_build_object('name', 'step' || s,
           'relation', case when r < 300 and r % 4 = s then 'changed' else 'same' end,
           'legacyMs', (r * (s + 7)) % 997 / 10.0, 'candidateMs', (r * (s + 5)) % 983 / 10.0)) from generate_series(0, 3) s) end,
         case when flow_number < 2 and (r < 500 or r >= 640) then jsonb_build_object('leaves', 20, 'rules', jsonb_build_array(
           jsonb_build_object('path', '/at', 'explained', (r < 840)::int, 'hidden', 1),
           jsonb_build_object('path', '/items/*/id', 'explained', r % 3, 'hidden', 2))) end,
         'returned', legacy_ms, octet_length(payload), legacy_ms, case when r not between 500 and 639 then candidate_ms end,
         case when asks then 600 + r % 150 end, case when asks then 540 + r % 150 end,
         case when asks then 0.01 + r / 1e6 end, case when asks then 0.009 + r / 1e6 end, case when asks then 0.001 end,
         case when asks then jsonb_build_object('legacy', jsonb_build_array(jsonb_build_object('asked', 'large', 'answered', 'large-1')),
           'candidate', jsonb_build_array(jsonb_build_object('asked', 'small', 'answered', 'small-' || (n > $3::bigint / 2)::int))) end
       from named, lateral (select flow_number > 2 and not r between 500 and 639 as asks) model`,
    params,
  );
  await db.transaction(async (query) => {
    // What is written fits together; looking each trial up takes longer than writing it.
    await query("set local session_replication_role = replica");
    await query(
      `with ${NUMBERED}
       insert into twintrack.runs (trial_id, side, status, duration_ms, payload)
       select id, side, case when side = 'candidate' and r between 600 and 639 then 'threw' else 'returned' end,
         case side when 'candidate' then candidate_ms else legacy_ms end, payload
       from named cross join (values ('legacy'), ('candidate'), ('noise')) as s (side)
       where side = 'legacy' or (side = 'candidate' and not r between 500 and 599)
         or (side = 'noise' and r % 10 = 0 and (r < 500 or r >= 640))`,
      params,
    );
    await query(
      `with ${NUMBERED}
       insert into twintrack.differences (trial_id, compared, ordinal, flow, fingerprint, difference, rule, place,
         received_at, stage, verdict, noise_verdict)
       select id, compared, ordinal, flow, 'v1:' || lpad(to_hex(((r + n / 7) * (ordinal + 1) % ${FINGERPRINTS})::int), 16, '0'),
         '{"kind":"value","path":"/total","legacy":' || r || ',"candidate":' || r + 1 || '}',
         case when r >= 640 then '/at' end, '/total', received_at, 'shadow',
         case when r < 500 then 'mismatch' when r < 840 then 'ignored' else 'match' end,
         case when r % 10 = 0 then case when r % 70 = 0 then 'mismatch' else 'match' end end
       from named cross join (values ('candidate', 0), ('candidate', 1), ('noise', 2)) as d (compared, ordinal)
       where (compared = 'candidate' and (r < 500 or (r between 640 and 839 and ordinal = 0)))
         or (compared = 'noise' and r % 70 = 0 and (r < 500 or r >= 640))`,
      params,
    );
  });
}

async function fillDivergences(db: Database): Promise<void> {
  await db.query(
    `insert into twintrack.divergences (flow, fingerprint, title, kind, path)
     select flow, 'v1:' || lpad(to_hex(f), 16, '0'), 'total differs, ' || f, case when f % 50 = 0 then 'effect' else 'value' end, '/total'
     from unnest($1::text[]) flow, generate_series(0, ${FINGERPRINTS - 1}) f`,
    [FLOWS],
  );
  await db.query(
    `insert into twintrack.decisions (flow, fingerprint, decision, who, why)
     select flow, 'v1:' || lpad(to_hex(f), 16, '0'), case when f % 3 = 0 then 'intended' else 'noise' end, 'ann', 'seen'
     from unnest($1::text[]) flow, generate_series(0, 199) f`,
    [FLOWS],
  );
}
