/** What tools have returned in recorded runs, for those who learn from it. */
import type { JsonValue } from "../../core/json.ts";
import type { FramePayload } from "../frame.ts";
import type { Database } from "./database.ts";
import { decompress } from "./trials.ts";

/** Enough to see the rare fields, few enough to be read in seconds. */
const MAX_TRIALS = 2_000;
const PAGE = 200;

/** Values that the tools of the newest trials really returned, by the tool's name in the catalogue. */
export async function returnedValues(db: Database): Promise<Map<string, JsonValue[]>> {
  const values = new Map<string, JsonValue[]>();
  for (let offset = 0; offset < MAX_TRIALS; offset += PAGE) {
    const rows = await db.query<{ payload: Uint8Array }>(
      `select r.payload from twintrack.trials t
       join twintrack.runs r on r.trial_id = t.id and r.side = t.authoritative
       order by t.received_at desc, t.id limit $1 offset $2`,
      [PAGE, offset],
    );
    for (const { payload } of rows) collect(payload, values);
    if (rows.length < PAGE) break;
  }
  return values;
}

function collect(payload: Uint8Array, values: Map<string, JsonValue[]>): void {
  const { calls } = JSON.parse(decompress(payload).toString("utf8")) as FramePayload;
  for (const { tool, outcome, lossy, served } of calls) {
    if (outcome.status !== "returned" || lossy || served !== "live") continue;
    const known = values.get(tool);
    if (known) known.push(outcome.value);
    else values.set(tool, [outcome.value]);
  }
}
