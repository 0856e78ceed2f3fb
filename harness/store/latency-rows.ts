/** How long both sides took: percentiles to be shown, and the durations that bound each p95. */
import { quantileRanks } from "../quantile.ts";
import type { P95Bounds } from "../ratio.ts";
import type { FlowRow, Percentiles } from "../report/rows.ts";
import { COUNTED, TALLIED } from "./counted.ts";
import type { Database } from "./database.ts";

const P95 = 0.95;

/** The error chance of the bounds is divided between the two sides. */
export async function latencyRows(
  db: Database,
  flow: string,
  confidence: number,
): Promise<Required<Pick<FlowRow, "latencyMs" | "p95Bounds">>> {
  const [runs] = await db.query<Record<"legacy" | "candidate", number>>(
    `with ${TALLIED}
     select coalesce(sum(legacy_runs), 0)::bigint as legacy, coalesce(sum(candidate_runs), 0)::bigint as candidate from tallied`,
    [flow],
  );
  const fractions = (n: number) => {
    const { least, most } = quantileRanks(P95, n, 1 - (1 - confidence) / 2);
    return [fractionOf(least, n), fractionOf(most, n)];
  };
  const [row] = await db.query<LatencySql>(
    `with ${COUNTED}
     select percentile_cont(array[0.5, ${P95}]) within group (order by legacy_ms) as legacy,
       percentile_cont(array[0.5, ${P95}]) within group (order by candidate_ms) as candidate,
       percentile_disc($2::double precision) within group (order by legacy_ms) as "legacyLeast",
       percentile_disc($3::double precision) within group (order by legacy_ms) as "legacyMost",
       percentile_disc($4::double precision) within group (order by candidate_ms) as "candidateLeast",
       percentile_disc($5::double precision) within group (order by candidate_ms) as "candidateMost"
     from counted`,
    [flow, ...fractions(runs?.legacy ?? 0), ...fractions(runs?.candidate ?? 0)],
  );
  const { legacy = null, candidate = null, ...bounds } = row ?? {};
  return {
    latencyMs: { legacy: percentilesOf(legacy), candidate: percentilesOf(candidate) },
    p95Bounds: { ...NO_BOUNDS, ...bounds },
  };
}

/** Milliseconds. */
interface LatencySql extends P95Bounds {
  legacy: number[] | null;
  candidate: number[] | null;
}

export const NO_BOUNDS: P95Bounds = {
  legacyLeast: null,
  legacyMost: null,
  candidateLeast: null,
  candidateMost: null,
};

/** Null where there was nothing to measure. */
export function percentilesOf(found: number[] | null): Percentiles | null {
  const [p50, p95] = found ?? [];
  return typeof p50 === "number" && typeof p95 === "number" ? { p50, p95 } : null;
}

/**
 * What `percentile_disc` takes to give one certain value out of `n`.
 *
 * @param rank how many values are above it
 */
function fractionOf(rank: number | null, n: number): number | null {
  // It takes value number ceil(fraction · n): the half keeps rounding from taking a neighbour.
  return rank === null ? null : (n - rank - 0.5) / n;
}
