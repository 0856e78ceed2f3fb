/** A stored trial as the report shows it: opened, and masked. */
import { isTwintrackError } from "../../core/error.ts";
import type { RunEvent } from "../../core/history.ts";
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Side } from "../../core/trigger.ts";
import type { Difference } from "../compare/difference.ts";
import { type Privacy, runPlace, tracePlace } from "../privacy/privacy.ts";
import type { SampleRow } from "../report/rows.ts";

export interface StoredSample {
  id: string;
  triggerId: string;
  authoritative: Side;
  /** Sealed. */
  legacy: Uint8Array | null;
  candidate: Uint8Array | null;
  trace: Uint8Array | null;
  /** JSON texts, masked. */
  differences: string[];
}

interface StoredRun {
  input?: JsonValue;
  config?: JsonValue;
  outcome: Outcome;
  history?: RunEvent[];
}

/** Undefined when a side of the trial was not kept. */
export function sampleOf(
  of: Pick<SampleRow, "flow" | "fingerprint">,
  row: StoredSample,
  privacy: Privacy,
): SampleRow | undefined {
  if (!row.legacy || !row.candidate) return undefined;
  const legacy = shownRun(row.legacy, runPlace(row.id, "legacy"), privacy);
  const candidate = shownRun(row.candidate, runPlace(row.id, "candidate"), privacy);
  const trace = row.trace
    ? opened<Trace>(row.trace, tracePlace(row.id), privacy, NO_CALLS)
    : NO_CALLS;
  const { input = null, config } = row.authoritative === "legacy" ? legacy : candidate;
  return {
    ...of,
    triggerId: row.triggerId,
    input,
    ...(config === undefined ? {} : { config }),
    legacy: legacy.outcome,
    candidate: candidate.outcome,
    legacyCalls: trace.legacy,
    candidateCalls: trace.candidate,
    ...(candidate.history && { candidateHistory: candidate.history }),
    differences: row.differences.map((text) => JSON.parse(text) as Difference),
  };
}

type Trace = Record<"legacy" | "candidate", ToolCall[]>;
const NO_CALLS: Trace = { legacy: [], candidate: [] };

function shownRun(bytes: Uint8Array, place: string, privacy: Privacy): StoredRun {
  const closed = (code: string): StoredRun => ({
    input: `⟨${code}⟩`,
    outcome: { status: "returned", value: `⟨${code}⟩` },
  });
  return opened<StoredRun>(bytes, place, privacy, closed);
}

/** What cannot be opened is no reason to show no report: it says why in its place. */
function opened<T>(
  bytes: Uint8Array,
  place: string,
  { vault, mask }: Privacy,
  otherwise: T | ((code: string) => T),
): T {
  try {
    return mask.json(JSON.parse(vault.open(bytes, place).toString("utf8"))) as T;
  } catch (error) {
    if (!isTwintrackError(error)) throw error;
    return otherwise instanceof Function ? otherwise(error.code.toLowerCase()) : otherwise;
  }
}
