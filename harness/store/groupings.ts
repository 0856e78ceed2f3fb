/**
 * What people say belongs together: divergences merged into one, or split into parts.
 *
 * Nothing stored is rewritten. Each difference keeps the fingerprint that follows from it; the newest
 * row about a fingerprint says where it belongs, for past and future trials alike. A part of a split
 * is called `<fingerprint>#<digest of what it is split by>`.
 */
import { TwintrackError } from "../../core/error.ts";
import { appendAudit } from "./audit.ts";
import type { Database, Query } from "./database.ts";

export type SplitBy = "place" | "message";

/** Who says so, and why. */
export interface Statement {
  who: string;
  why: string;
}

/** As a table expression `grouped`: `differing`, each with its `divergence`. */
export const GROUPED = `
  latest as (
    select distinct on (fingerprint) fingerprint, action, into_fingerprint, split_by, who, why
    from twintrack.groupings where flow = $1 order by fingerprint, id desc),
  parted as (
    select d.*, case when s.action = 'split' then d.fingerprint || '#' ||
        left(md5(coalesce(case s.split_by when 'place' then d.place else d.message end, '')), 12)
      else d.fingerprint end as part
    from differing d left join latest s on s.fingerprint = d.fingerprint),
  grouped as (
    select p.*, coalesce(m.into_fingerprint, p.part) as divergence
    from parted p left join latest m on m.fingerprint = p.part and m.action = 'merge')`;

/** The fingerprint that a part of a split was made of. */
export function sourceOf(fingerprint: string): string {
  return fingerprint.split("#", 1)[0] ?? fingerprint;
}

/** All become one with the first; what was merged into one of them before goes along. */
export function mergeDivergences(
  db: Database,
  flow: string,
  [target, ...others]: readonly string[],
  statement: Statement,
): Promise<void> {
  return db.transaction(async (query) => {
    await lockGroupings(query);
    const members = await query<{ fingerprint: string }>(
      `${LATEST} select fingerprint from latest where action = 'merge' and into_fingerprint = any($2::text[])`,
      [flow, others],
    );
    const moving = new Set([...others, ...members.map(({ fingerprint }) => fingerprint)]);
    for (const fingerprint of moving)
      await say(query, flow, fingerprint, { action: "merge", into: target ?? "" }, statement);
  });
}

/** @throws {TwintrackError} `USAGE` for a part of a split, and for what others were merged into. */
export async function splitDivergence(
  db: Database,
  flow: string,
  fingerprint: string,
  by: SplitBy,
  statement: Statement,
): Promise<void> {
  if (sourceOf(fingerprint) !== fingerprint) {
    throw new TwintrackError("USAGE", `${fingerprint} is a part of a split already`, {
      hint: `Take the split back first: twintrack triage ${flow} --restore ${sourceOf(fingerprint)} --why "…"`,
    });
  }
  await db.transaction(async (query) => {
    await lockGroupings(query);
    const members = await membersOf(query, flow, fingerprint);
    if (members.length > 0) {
      throw new TwintrackError("USAGE", `${members.join(", ")} was merged into ${fingerprint}`, {
        hint: `Take the merge back first: twintrack triage ${flow} --restore ${fingerprint} --why "…"`,
      });
    }
    await say(query, flow, fingerprint, { action: "split", by }, statement);
  });
}

/** Takes a split or a merge back: everything is where its own fingerprint says. */
export function restoreDivergence(
  db: Database,
  flow: string,
  fingerprint: string,
  statement: Statement,
): Promise<void> {
  return db.transaction(async (query) => {
    await lockGroupings(query);
    const source = sourceOf(fingerprint);
    const parts = await query<{ fingerprint: string }>(
      `${LATEST} select fingerprint from latest where starts_with(fingerprint, $2 || '#') and action <> 'restore'`,
      [flow, source],
    );
    const all = [
      fingerprint,
      source,
      ...(await membersOf(query, flow, fingerprint)),
      ...parts.map((part) => part.fingerprint),
    ];
    for (const one of new Set(all)) await say(query, flow, one, { action: "restore" }, statement);
  });
}

const LATEST = `with latest as (
  select distinct on (fingerprint) fingerprint, action, into_fingerprint
  from twintrack.groupings where flow = $1 order by fingerprint, id desc)`;

async function membersOf(query: Query, flow: string, fingerprint: string): Promise<string[]> {
  const rows = await query<{ fingerprint: string }>(
    `${LATEST} select fingerprint from latest where action = 'merge' and into_fingerprint = $2 order by 1`,
    [flow, fingerprint],
  );
  return rows.map((row) => row.fingerprint);
}

/** Two people who group at once do so one after the other; a merge never points to a merged one. */
async function lockGroupings(query: Query): Promise<void> {
  await query("lock table twintrack.groupings in share row exclusive mode");
}

type Grouping =
  | { action: "merge"; into: string }
  | { action: "split"; by: SplitBy }
  | { action: "restore" };

async function say(
  query: Query,
  flow: string,
  fingerprint: string,
  grouping: Grouping,
  { who, why }: Statement,
): Promise<void> {
  const into = grouping.action === "merge" ? grouping.into : null;
  const by = grouping.action === "split" ? grouping.by : null;
  await query(
    `insert into twintrack.groupings (flow, fingerprint, action, into_fingerprint, split_by, who, why)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [flow, fingerprint, grouping.action, into, by, who, why],
  );
  await appendAudit(query, {
    event: "decision",
    who,
    about: { flow, fingerprint, ...grouping, why },
  });
}

/** One decision or grouping, as it was said. */
export interface TriageRow extends Statement {
  at: string;
  fingerprint: string;
  what: string;
}

/** All that was ever decided on a flow, merged or split, oldest first. */
export async function triageHistory(db: Database, flow: string): Promise<TriageRow[]> {
  const rows = await db.query<Omit<TriageRow, "at"> & { at: Date }>(
    `select at, fingerprint, who, why, what from (
       select at, fingerprint, who, why, id, decision || coalesce(' until ' || to_char(until at time zone 'UTC', 'YYYY-MM-DD'), '')
         || coalesce(', owner ' || nullif(owner, who), '') as what
       from twintrack.decisions where flow = $1
       union all
       select at, fingerprint, who, why, id, action || coalesce(' into ' || into_fingerprint, ' by ' || split_by, '')
       from twintrack.groupings where flow = $1) said
     order by at, id`,
    [flow],
  );
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}
