/** Faults E of the catalogue: several workers, stops and starts, and stages that change under load. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Frame, trialIdOf } from "../../harness/frame.ts";
import { lostTrial } from "../../harness/lost-trial.ts";
import { changeStage, readStages } from "../../harness/stage.ts";
import { books } from "../../harness/store/books.ts";
import { openJobs, type TrialJobs } from "../../harness/store/jobs.ts";
import { type JudgedTrial, settle } from "../../harness/store/judgements.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { ingest } from "../../harness/store/trials.ts";
import { invoke, type Serving, startServe } from "../app/command.ts";
import { frameOf } from "../app/frame.ts";
import { type App, startApp } from "../app/start.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const SOON = { timeout: 60_000, interval: 100 };

const frame = (epoch: string, seq: number): Frame => frameOf({ header: { epoch, seq } });

function judged(id: string): JudgedTrial {
  const trial = { id, flow: "add" } as Parameters<typeof lostTrial>[0];
  return lostTrial(trial, "candidate_error", "a test");
}

describe("workers on one Postgres", () => {
  let fresh: TestDatabase;
  const workers: { jobs: TrialJobs; db: TestDatabase["db"] }[] = [];
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
    for (let worker = 0; worker < 8; worker++) {
      const db = openPostgres({ url: String(fresh.url) });
      workers.push({ db, jobs: await openJobs(db) });
    }
  });
  afterAll(async () => {
    for (const { jobs, db } of workers) {
      await jobs.close();
      await db.close();
    }
    await fresh.drop();
  });
  const first = () => {
    const [worker] = workers;
    if (!worker) throw new Error("there is no worker");
    return worker;
  };

  test("E1: of eight that reach for one trial, one gets it, sixty times over", async () => {
    for (let race = 0; race < 60; race++) {
      await ingest(fresh.db, first().jobs, [frame(randomUUID(), 1)]);
      const taken = await Promise.all(workers.map(({ jobs }) => jobs.take(1)));
      const got = taken.flat();
      expect(got).toHaveLength(1);
      await fresh.db.transaction((query) => first().jobs.end(query, got));
    }
  });

  test("E2, E11: a worker that slept past its lease finds its trial judged, and changes nothing", async () => {
    const epoch = randomUUID();
    const [sleeper, heir] = workers;
    if (!sleeper || !heir) throw new Error("there are too few workers");
    await ingest(fresh.db, sleeper.jobs, [frame(epoch, 1)]);
    const taken = await sleeper.jobs.take(1);
    expect(taken).toHaveLength(1);
    await fresh.db.query(
      "update twintrack_jobs.job set heartbeat_on = now() - interval '1 minute' where state = 'active'",
    );
    const inherited = await vi.waitUntil(async () => {
      const jobs = await heir.jobs.take(1);
      return jobs.length > 0 ? jobs : undefined;
    }, SOON);
    const id = trialIdOf(frame(epoch, 1).header);
    expect(inherited).toMatchObject([{ trialId: id, retries: 1 }]);
    expect(await settle(heir.db, [judged(id)], (query) => heir.jobs.end(query, inherited))).toBe(1);
    const late = { ...judged(id), verdict: "match" };
    expect(await settle(sleeper.db, [late], (query) => sleeper.jobs.end(query, taken))).toBe(0);
    const rows = await fresh.db.query("select verdict from twintrack.trials where id = $1", [id]);
    expect(rows).toEqual([{ verdict: "candidate_error" }]);
  });
});

test("E8: servers that are replaced one after the other under load fail no call and lose no record", async () => {
  const fresh = await freshDatabase("postgres");
  const env = {
    TWINTRACK_DATA_DIR: fresh.dataDir,
    TWINTRACK_DATABASE_URL: String(fresh.url),
    TWINTRACK_SINK: `${fresh.dataDir}/sink`,
  };
  let current: Serving | undefined;
  let answered = 0;
  try {
    for (let deploy = 0; deploy < 4; deploy++) {
      const next = await startServe({ env });
      const old = current;
      current = next;
      // Those under way belong to the old one; new ones go to the new one, as behind a balancer.
      const underWay = Array.from({ length: 10 }, (_, n) =>
        invoke((old ?? next).url, "add", { n }),
      );
      const ended = (async () => {
        await Promise.all(underWay);
        return old?.end("SIGTERM");
      })();
      for (let n = 0; n < 20; n++) {
        expect((await invoke(next.url, "add", { n })).status).toBe(200);
        answered++;
      }
      expect((await Promise.all(underWay)).map(({ status }) => status)).toEqual(
        Array(10).fill(200),
      );
      answered += 10;
      expect((await ended) ?? 0).toBe(0);
    }
    await vi.waitFor(async () => {
      const seen = await books(fresh.db);
      expect(seen).toMatchObject({ answered, open: 0, unexplained: 0, gaps: {} });
      expect(seen.verdicts).toEqual({ match: answered });
    }, SOON);
  } finally {
    await current?.end("SIGKILL");
    await fresh.drop();
  }
});

describe("a stage", () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  test("E13: that changes under load never has one call served by two sides", async () => {
    const db = await app.harness.database();
    const answers: { trialId: string; side: string; cents: number }[] = [];
    let done = false;
    let next = 0;
    const caller = async () => {
      while (!done) {
        const n = ++next;
        const { trialId, side, outcome } = await app.harness.live.answer("pay", { n });
        expect(outcome.status).toBe("returned");
        answers.push({ trialId, side, cents: n });
        await setTimeout(20);
      }
    };
    const callers = Array.from({ length: 4 }, caller);
    for (let flip = 0; flip < 6; flip++) {
      const to = flip % 2 === 0 ? ("cutover" as const) : ("shadow" as const);
      const from = (await readStages(db)).get("pay") ?? {
        stage: "shadow",
        canaryPercent: 0,
        version: 0,
      };
      const change = { flow: "pay", to, who: "a test", why: "flips", override: true };
      await changeStage(db, from, change);
      await vi.waitUntil(() => app.harness.stages.of("pay").stage === to, SOON);
      const seen = answers.length;
      await vi.waitUntil(() => answers.length > seen + 8, SOON);
    }
    done = true;
    await Promise.all(callers);
    await app.harness.settle();
    const sides = Object.groupBy(answers, ({ side }) => side);
    expect(Object.keys(sides).sort()).toEqual(["candidate", "legacy"]);
    // Every call has paid once, and its trial names the side that answered.
    const paid = app.effects().map(({ role }) => role);
    expect(paid).toHaveLength(answers.length);
    expect(new Set(paid)).not.toContain("shadow");
    const rows = await db.query<{ id: string; side: string }>(
      "select id, authoritative as side from twintrack.trials where flow = 'pay'",
    );
    const recorded = new Map(rows.map(({ id, side }) => [id, side]));
    expect(answers.filter(({ trialId, side }) => recorded.get(trialId) !== side)).toEqual([]);
  });
});
