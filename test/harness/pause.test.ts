import { expect, test } from "vitest";
import { pauseNoter } from "../../harness/audit/pause.ts";
import { auditLines } from "../../harness/store/audit.ts";
import { freshDatabase } from "../database.ts";

test("a kill switch that several find thrown at once is in the audit once", async () => {
  const fresh = await freshDatabase("postgres");
  try {
    const note = pauseNoter({ isPaused: () => true });
    await Promise.all([note(fresh.db), note(fresh.db), note(fresh.db)]);
    expect((await auditLines(fresh.db, 10)).map(({ event }) => event)).toEqual(["pause"]);
  } finally {
    await fresh.drop();
  }
});
