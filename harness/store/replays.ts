/** Replays and what they found: books of their own, which no gate and no report of trials reads. */
import type { Stage } from "../../core/trigger.ts";
import { COVERED } from "./covered.ts";
import { type Database, jsonRows } from "./database.ts";
import type { OpenTrial } from "./trials.ts";

export type ReplaySource =
  | { kind: "stored"; since: string | null; until: string; limit: number | null }
  | { kind: "file"; file: string; format: ReplayFormat; digest: string };

export type ReplayFormat = "lines" | "langsmith" | "otel";

export interface Replay {
  id: string;
  flow: string;
  source: ReplaySource;
}

export async function startReplay(db: Database, { id, flow, source }: Replay): Promise<void> {
  await db.query("insert into twintrack.replays (id, flow, source) values ($1, $2, $3::jsonb)", [
    id,
    flow,
    JSON.stringify(source),
  ]);
}

export async function findReplay(db: Database, id: string): Promise<Replay | undefined> {
  const [row] = await db.query<Replay>(
    "select id, flow, source from twintrack.replays where id = $1",
    [id],
  );
  return row;
}

export async function endReplay(db: Database, id: string): Promise<void> {
  await db.query("update twintrack.replays set ended_at = now() where id = $1", [id]);
}

export interface ReplayResult {
  item: string;
  triggerId: string;
  verdict: string;
  reason: string | null;
  liveVerdict: string | null;
  divergences: { fingerprint: string; title: string }[];
}

/** The first result of an item counts. */
export async function keepResults(
  db: Database,
  replay: string,
  results: readonly ReplayResult[],
): Promise<void> {
  if (results.length === 0) return;
  const rows = results.map(({ item, triggerId, verdict, reason, liveVerdict, divergences }) => ({
    ...{ item, trigger_id: triggerId, verdict, reason, live_verdict: liveVerdict, divergences },
  }));
  await db.query(
    `insert into twintrack.replay_results (replay, item, trigger_id, verdict, reason, live_verdict, divergences)
     select $2, r.* from json_to_recordset($1::json) as r (item text, trigger_id text, verdict text, reason text,
       live_verdict text, divergences jsonb) on conflict do nothing`,
    [jsonRows(rows), replay],
  );
}

export async function doneItems(db: Database, replay: string): Promise<Set<string>> {
  const rows = await db.query<{ item: string }>(
    "select item from twintrack.replay_results where replay = $1",
    [replay],
  );
  return new Set(rows.map(({ item }) => item));
}

/** A stored trial to be replayed, as long as its payload is kept; only those that legacy answered hold legacy's calls. */
export interface ReplayTrial extends OpenTrial {
  liveVerdict: string | null;
}

const REPLAYABLE = `
  replayable as (
    select t.*, r.payload from twintrack.trials t
    join twintrack.runs r on r.trial_id = t.id and r.side = 'legacy'
    where t.flow = $1 and t.authoritative = 'legacy' and r.status <> 'timed_out' and octet_length(r.payload) > 0
      and t.received_at >= coalesce($2::timestamptz, '-infinity') and t.received_at < $3::timestamptz
    order by t.received_at desc, t.id limit $4::bigint)`;

type Stored = Extract<ReplaySource, { kind: "stored" }>;

function paramsOf(flow: string, { since, until, limit }: Stored): unknown[] {
  return [flow, since, until, limit];
}

export async function deleteReplays(db: Database, before: Date): Promise<void> {
  await db.query("delete from twintrack.replays where started_at < $1::timestamptz", [before]);
}

/** How many there are, and how many trials of that time cannot be replayed. */
export async function countReplayable(
  db: Database,
  flow: string,
  source: Stored,
): Promise<{ total: number; skipped: number }> {
  const [row] = await db.query<{ total: number; skipped: number }>(
    `with ${REPLAYABLE}
     select (select count(*) from replayable)::bigint as total,
       (select count(*) from twintrack.trials t where t.flow = $1 and t.authoritative = 'candidate'
          and t.received_at >= coalesce($2::timestamptz, '-infinity') and t.received_at < $3::timestamptz)::bigint as skipped`,
    paramsOf(flow, source),
  );
  return row ?? { total: 0, skipped: 0 };
}

/** The next trials that this replay has no result of, oldest first. */
export async function nextTrials(
  db: Database,
  { id, flow, source }: Replay & { source: Stored },
  page: number,
): Promise<ReplayTrial[]> {
  const rows = await db.query<{ stage: Stage; receivedAt: Date } & Omit<ReplayTrial, "receivedAt">>(
    `with ${REPLAYABLE}
     select id, flow, trigger_id as "triggerId", stage, authoritative, 'replay' as source,
       received_at as "receivedAt", false as "noiseWanted", payload, verdict as "liveVerdict"
     from replayable where id not in (select item from twintrack.replay_results where replay = $5)
     order by received_at, id limit $6`,
    [...paramsOf(flow, source), id, page],
  );
  return rows.map((row) => ({ ...row, receivedAt: row.receivedAt.toISOString() }));
}

export interface ReplayCounts {
  verdicts: Record<string, number>;
  /** Trials whose verdict is another one than when they happened. */
  changed: { live: string; now: string; count: number }[];
  divergences: ReplayDivergence[];
}

export interface ReplayDivergence {
  fingerprint: string;
  title: string;
  /** Items that show it now, and trials that showed it when they happened. */
  now: number;
  live: number;
  state: "new" | "gone" | "same";
  /** A decision explains it. */
  explained: boolean;
}

export async function replayCounts(db: Database, { id, flow }: Replay): Promise<ReplayCounts> {
  const pairs = await db.query<{ live: string | null; now: string; count: number }>(
    `select live_verdict as live, verdict as now, count(*)::bigint as count
     from twintrack.replay_results where replay = $1 group by 1, 2 order by 1, 2`,
    [id],
  );
  const divergences = await db.query<Omit<ReplayDivergence, "state">>(
    `with ${COVERED},
     results as (select * from twintrack.replay_results where replay = $2),
     now as (
       select r.item, d ->> 'fingerprint' as fingerprint, d ->> 'title' as title
       from results r, jsonb_array_elements(r.divergences) d),
     live as (
       select distinct d.trial_id as item, d.fingerprint from twintrack.differences d join results r on r.item = d.trial_id
       where d.compared = 'candidate' and d.rule is null)
     select coalesce(now.fingerprint, live.fingerprint) as fingerprint,
       coalesce(max(now.title), max(v.title), '') as title,
       count(now.item)::bigint as now, count(live.item)::bigint as live,
       bool_or(coalesce(now.fingerprint, live.fingerprint) in (select fingerprint from covered)) as explained
     from now full join live on live.item = now.item and live.fingerprint = now.fingerprint
       left join twintrack.divergences v on v.flow = $1 and v.fingerprint = live.fingerprint
     group by 1 order by 3 desc, 4 desc, 1`,
    [flow, id],
  );
  const verdicts: Record<string, number> = {};
  for (const { now, count } of pairs) verdicts[now] = (verdicts[now] ?? 0) + count;
  const changed = pairs.flatMap(({ live, now, count }) =>
    live === null || live === now ? [] : [{ live, now, count }],
  );
  return {
    verdicts,
    changed,
    divergences: divergences.map((row) => ({ ...row, state: stateOf(row) })),
  };
}

function stateOf({ now, live }: { now: number; live: number }): ReplayDivergence["state"] {
  if (live === 0) return "new";
  return now === 0 ? "gone" : "same";
}
