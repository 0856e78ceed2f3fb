/** What `gate` says while the shadow worker is behind. */
import { expect, test } from "vitest";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { resolveConfig } from "../../harness/config.ts";
import { openSides } from "../../harness/side.ts";
import { freshDatabase } from "../database.ts";

test("gate says how many trials wait to be judged, and nothing once none does", async () => {
  const fresh = await freshDatabase("postgres");
  const config = resolveConfig({
    flows: { sale: { legacy: () => 1, candidate: (() => 1) as never } },
  });
  const desk = { config, db: fresh.db, sides: openSides(config) };
  const warnings = async () => (await STORE_COMMANDS.gate?.(desk, { flow: "sale" }))?.warnings;
  try {
    await fresh.db.query(
      `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative, received_at)
       select 'w' || n, gen_random_uuid(), n, 'sale', 'w' || n, 'http', 'shadow', 'legacy', now()
       from generate_series(1, 3) n`,
    );
    expect(await warnings()).toEqual([
      "3 trials wait to be judged; the gate does not know them yet",
    ]);
    await fresh.db.query("delete from twintrack.trials");
    expect(await warnings()).toEqual([]);
  } finally {
    await desk.sides.close();
    await fresh.drop();
  }
});
