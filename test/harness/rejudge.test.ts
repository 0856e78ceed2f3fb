/** Stored trials that are judged once more: the rows that judging live would have written. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import type { Rule } from "../../harness/compare/rules.ts";
import { privacyOf } from "../../harness/privacy/privacy.ts";
import { rejudgeFlow } from "../../harness/rejudge.ts";
import { KEY } from "../app/privacy.ts";
import { type App, startApp } from "../app/start.ts";
import type { Backend } from "../database.ts";
import { wrongTallies } from "../tallies.ts";

const FILE = fileURLToPath(new URL("../app/rejudge.config.ts", import.meta.url));
const TRIGGERS = 28;

const apps: App[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const app of apps.splice(0)) {
    expect(await wrongTallies(await app.harness.database())).toEqual([]);
    await app.close();
  }
});

const RULES: Record<string, Rule[]> = {
  none: [],
  some: [
    { path: "/tags", as: "set" },
    { path: "/rounded", tolerance: { absolute: 0.01 } },
    { path: "/error/name", ignore: true },
  ],
  effects: [
    { path: "/effects/**", ignore: true },
    { path: "/receipt", ignore: true },
  ],
};

function use(rules: string): void {
  vi.stubEnv("TWINTRACK_TEST_RULES", JSON.stringify(RULES[rules]));
  // Masks are compared across two folders.
  vi.stubEnv("TWINTRACK_KEY", KEY);
}

async function judgedLive(backend: Backend, rules: string): Promise<App> {
  use(rules);
  const app = await startApp(backend, FILE);
  apps.push(app);
  for (let n = 1; n <= TRIGGERS; n += 1) {
    await app.harness.live.answer("drifting", { n }, { triggerId: `n-${n}` });
  }
  await app.harness.settle();
  return app;
}

/** All that the judgement decides, under the trigger's own name. */
async function rowsOf(app: App) {
  const db = await app.harness.database();
  const trials = await db.query(
    `select trigger_id, verdict, reason, noise_verdict, truncated, effect_differences
     from twintrack.trials order by trigger_id`,
  );
  const differences = await db.query(
    `select t.trigger_id, d.compared, d.fingerprint, d.difference, d.rule
     from twintrack.differences d join twintrack.trials t on t.id = d.trial_id
     order by t.trigger_id, d.ordinal`,
  );
  return { trials, differences };
}

test.each<[Backend, string, string]>([
  ["postgres", "none", "some"],
  ["postgres", "some", "effects"],
  ["pglite", "none", "some"],
])(
  "on %s, trials judged by %s rules and then by %s have the rows of the second",
  async (backend, first, second) => {
    const live = await judgedLive(backend, second);
    const wanted = await rowsOf(live);
    const again = await judgedLive(backend, first);
    const before = await rowsOf(again);
    use(second);

    const rejudged = await rejudgeFlow(await again.harness.database(), again.config, "drifting");

    expect(rejudged).toMatchObject({ trials: TRIGGERS, skipped: 0 });
    expect(rejudged.changed).toBeGreaterThan(0);
    const after = await rowsOf(again);
    expect(before).not.toEqual(wanted);
    expect(after).toEqual(wanted);
  },
);

test("a trial of which too little was kept stays as it was judged", async () => {
  const app = await judgedLive("postgres", "none");
  const db = await app.harness.database();
  const second = privacyOf(app.config).mask.id("n-2");
  await db.query("update twintrack.trials set trace = null where trigger_id = $1", [second]);
  const before = await rowsOf(app);
  use("some");

  const { trials, skipped } = await rejudgeFlow(db, app.config, "drifting");

  expect({ trials, skipped }).toEqual({ trials: TRIGGERS - 1, skipped: 1 });
  const of = (rows: Awaited<ReturnType<typeof rowsOf>>) =>
    rows.differences.filter((row) => (row as { trigger_id: string }).trigger_id === second);
  expect(of(await rowsOf(app))).toEqual(of(before));
  expect(of(before)).not.toEqual([]);
});
