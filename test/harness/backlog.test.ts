/** What happens when more triggers come than can be judged. */
import { afterEach, expect, test } from "vitest";
import { loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { books } from "../../harness/store/books.ts";
import { gateRows } from "../../harness/store/gate-rows.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { BACKENDS, type Backend, freshPlace, type TestPlace } from "../database.ts";

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function overloaded(
  backend: Backend,
  change: (config: ResolvedConfig) => ResolvedConfig,
): Promise<{ harness: Harness; fresh: TestPlace }> {
  const fresh = await freshPlace(backend);
  const { dataDir, url: databaseUrl } = fresh;
  const config = change({ ...(await loadConfig(CONFIG_FILE)), dataDir, databaseUrl });
  const harness = openHarness(config, { judges: false });
  opened.push(fresh.drop, () => harness.close());
  return { harness, fresh };
}

function withMaxOpen(config: ResolvedConfig): ResolvedConfig {
  const add = { ...config.flows.add, shadow: { maxOpen: 10 } };
  return { ...config, flows: { ...config.flows, add } };
}

test.each(BACKENDS)(
  "A16: on %s the newest are shed when too many wait, and every one of them is counted",
  async (backend) => {
    const { harness } = await overloaded(backend, withMaxOpen);
    const answer = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const { outcome } = await harness.live.answer("add", { n });
        expect(outcome).toEqual({ status: "returned", value: { sum: n + 1 } });
      }
      await harness.settle();
      return books(await harness.database());
    };
    expect(await answer(10)).toMatchObject({ answered: 10, open: 10, verdicts: {} });
    expect(await answer(15)).toMatchObject({
      answered: 25,
      open: 10,
      verdicts: { not_run: 15 },
      unexplained: 0,
    });
    const db = await harness.database();
    const shed = await db.query(
      "select reason, count(*)::integer as trials from twintrack.trials where verdict = 'not_run' group by reason",
    );
    expect(shed).toEqual([{ reason: "shed", trials: 15 }]);
    // How long the shed ones took is known, so that the gate sees when those are the slow ones.
    const { drops = [] } = await gateRows(db, "add");
    const durations = drops.filter(({ feature }) => feature === "duration");
    expect(durations.reduce((sum, { notRun }) => sum + notRun, 0)).toBe(15);
    const kept = await db.query<{ count: number }>(
      "select count(*)::integer as count from twintrack.runs where octet_length(payload) > 0",
    );
    expect(kept).toEqual([{ count: 10 }]);
    // Another flow has a queue of its own.
    await harness.live.answer("pay", { n: 1 });
    await harness.settle();
    expect(await books(await harness.database())).toMatchObject({ answered: 26, open: 11 });
  },
);

test("a full spool sheds without a database, and what was shed is in the books afterwards", async () => {
  const { harness, fresh } = await overloaded("postgres", (config) => ({
    ...config,
    databaseUrl: "postgres://127.0.0.1:1/none",
    spool: { maxMib: 0.01 },
  }));
  for (let n = 0; n < 200; n++) await harness.live.answer("add", { n });
  await harness.close();
  const again = openHarness(
    { ...harness.config, databaseUrl: fresh.url, spool: {} },
    { judges: false },
  );
  opened.push(() => again.close());
  // The spool of this process's other life is shipped as a dead one's.
  await again.settle();
  const { answered, open, verdicts, gaps, unexplained } = await books(await again.database());
  expect({ answered, unexplained }).toEqual({ answered: 200, unexplained: 0 });
  const counts = [open, verdicts.not_run, gaps.spool_full].map(Number);
  expect(Math.min(...counts)).toBeGreaterThan(0);
  expect(counts.reduce((sum, count) => sum + count)).toBe(200);
});

test("the books balance at every moment while triggers come and are shipped", async () => {
  const { harness } = await overloaded("postgres", (config) => config);
  const db = await harness.database();
  // Triggers come until the books were read at enough different moments of shipping.
  const seen = new Set<number>();
  const asking = (async () => {
    while (seen.size < 6) {
      const { unexplained, answered } = await books(db);
      seen.add(answered);
      expect(unexplained).toBe(0);
    }
  })();
  let done = false;
  const ended = asking.finally(() => (done = true));
  for (let n = 0; !done; n++) {
    await harness.live.answer("add", { n });
    await new Promise(setImmediate); // Who ships and who asks are in this process.
  }
  await ended;
});
