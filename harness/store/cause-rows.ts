/** Why trials were not compared, and how candidates failed: counted by what is alike in their words. */
import type { JsonObject } from "../../core/json.ts";
import type { Cause } from "../cause.ts";
import { type FlowRow, NEWEST_TRIALS } from "../report/rows.ts";
import { DIFFERING } from "./counted.ts";
import type { Database } from "./database.ts";

const MAX_CAUSES = 8;

/** Numbers, ids and digests do not tell causes apart. */
const alike = (text: string) => `regexp_replace(${text}, '[0-9a-f]{8,}|\\d+', '#', 'g')`;

/** Of the newest trials; empty without a question to the store when every trial was compared and answered. */
export async function causeRows(
  db: Database,
  flow: string,
  { verdicts, notRun }: Pick<FlowRow, "verdicts" | "notRun">,
): Promise<Cause[]> {
  const { incomparable = 0, candidate_error = 0, candidate_timeout = 0 } = verdicts;
  const told =
    incomparable + candidate_error + candidate_timeout === 0 ? [] : await asked(db, flow);
  const left = Object.entries(notRun).map(
    ([reason, trials]): Cause => ({ verdict: "not_run", reason, trials }),
  );
  return [...told, ...left].toSorted((one, other) => other.trials - one.trials);
}

interface Row {
  verdict: Cause["verdict"];
  reason: string | null;
  difference: string | null;
  trials: number;
}

/**
 * A trial that could not be compared has a reason, a candidate that failed a difference at the root.
 * One that failed while legacy could not be run has both; the failure is why it counts.
 */
async function asked(db: Database, flow: string): Promise<Cause[]> {
  const rows = await db.query<Row>(
    `with ${DIFFERING},
     ended as (
       select id, verdict, reason from counted
       where verdict in ('incomparable', 'candidate_error', 'candidate_timeout') order by received_at desc limit ${NEWEST_TRIALS}),
     told as (
       select e.verdict, e.reason, d.difference, coalesce(d.message, e.reason, '') as words
       from ended e left join differing d on e.verdict <> 'incomparable' and d.trial_id = e.id and d.compared = 'candidate' and d.place = '')
     select verdict, min(reason) as reason, min(difference) as difference, count(*)::bigint as trials
     from told group by verdict, ${alike("words")} order by trials desc limit ${MAX_CAUSES}`,
    [flow],
  );
  return rows.map(({ verdict, reason, difference, trials }) => ({
    ...{ verdict, trials },
    reason: difference === null ? (reason ?? "not kept") : failureIn(difference),
  }));
}

function failureIn(difference: string): string {
  const { candidate } = JSON.parse(difference) as { candidate?: JsonObject };
  if (candidate?.afterMs !== undefined) return `no answer within ${String(candidate.afterMs)} ms`;
  return `${String(candidate?.name ?? "Error")}: ${String(candidate?.message ?? "")}`;
}
