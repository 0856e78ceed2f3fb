/** Unexplained differences of trials in which legacy was compared with candidate and with itself. */

import type { Difference } from "../compare/difference.ts";
import type { Sighting } from "../compare/propose.ts";
import { COUNTED } from "./counted.ts";
import type { Database } from "./database.ts";

export interface Sightings {
  /** Trials with both comparisons. */
  trials: number;
  sightings: Sighting[];
}

/** The newest are enough to judge noise by. */
const MAX_TRIALS = 2_000;

const PAIRED = `${COUNTED},
  paired as (
    select id from counted
    where verdict in ('match', 'mismatch', 'ignored') and noise_verdict in ('match', 'mismatch', 'ignored')
    order by received_at desc, id limit ${MAX_TRIALS})`;

export async function sightingsOf(db: Database, flow: string): Promise<Sightings> {
  const [paired] = await db.query<{ trials: number }>(
    `with ${PAIRED} select count(*)::bigint as trials from paired`,
    [flow],
  );
  const rows = await db.query<Omit<Sighting, "difference"> & { difference: string }>(
    `with ${PAIRED}
     select d.trial_id as trial, d.compared, d.difference
     from twintrack.differences d join paired p on p.id = d.trial_id where d.rule is null`,
    [flow],
  );
  return {
    trials: paired?.trials ?? 0,
    sightings: rows.map((row) => ({
      ...row,
      difference: JSON.parse(row.difference) as Difference,
    })),
  };
}
