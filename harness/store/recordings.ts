/** What tools have returned in recorded runs, for those who learn from it. */
import type { JsonValue } from "../../core/json.ts";
import type { Side } from "../../core/trigger.ts";
import { readPayload } from "../frame.ts";
import type { Vault } from "../privacy/vault.ts";
import type { Database } from "./database.ts";

/** Enough to see the rare fields, few enough to be read in seconds. */
const MAX_TRIALS = 2_000;
const PAGE = 200;

/** Values that the tools of the newest trials really returned, by the tool's name in the catalogue. */
export async function returnedValues(
  db: Database,
  vault: Vault,
): Promise<Map<string, JsonValue[]>> {
  const values = new Map<string, JsonValue[]>();
  for (let offset = 0; offset < MAX_TRIALS; offset += PAGE) {
    const rows = await db.query<Recording>(
      `select t.id, t.authoritative, r.payload from twintrack.trials t
       join twintrack.runs r on r.trial_id = t.id and r.side = t.authoritative
       order by t.received_at desc, t.id limit $1 offset $2`,
      [PAGE, offset],
    );
    for (const row of rows) collect(row, vault, values);
    if (rows.length < PAGE) break;
  }
  return values;
}

interface Recording {
  id: string;
  authoritative: Side;
  payload: Uint8Array;
}

function collect(row: Recording, vault: Vault, values: Map<string, JsonValue[]>): void {
  const { calls = [] } = readPayload(vault, { ...row, side: row.authoritative }) ?? {};
  for (const { tool, outcome, lossy, served } of calls) {
    if (outcome.status !== "returned" || lossy || served !== "live") continue;
    const known = values.get(tool);
    if (known) known.push(outcome.value);
    else values.set(tool, [outcome.value]);
  }
}
