/** Stored trials that are judged once more: the rows that judging live would have written. */
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import type { Rule } from "../../harness/compare/rules.ts";
import { privacyOf } from "../../harness/privacy/privacy.ts";
import { rejudgeFlow } from "../../harness/rejudge.ts";
import { KEY } from "../app/privacy.ts";
import { type App, startApp } from "../app/start.ts";
import type { Backend } from "../database.ts";
import { wrongTallies } from "../tallies.ts";

const FILE = fileURLToPath(new URL("../app/rejudge.config.ts", import.meta.url));
const TRIGGERS = 28;

/** By backend and rules. The rows are those of judging live; the app may have been rejudged since. */
const judged = new Map<string, { app: App; rows: Rows }>();
afterEach(() => void vi.unstubAllEnvs());
afterAll(async () => {
  for (const { app } of judged.values()) {
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

async function judgedLive(backend: Backend, rules: string): Promise<{ app: App; rows: Rows }> {
  const known = judged.get(`${backend} ${rules}`);
  if (known) return known;
  use(rules);
  const app = await startApp(backend, FILE);
  for (let n = 1; n <= TRIGGERS; n += 1) {
    await app.harness.live.answer("drifting", { n }, { triggerId: `n-${n}` });
  }
  await app.harness.settle();
  const fresh = { app, rows: await rowsOf(app) };
  judged.set(`${backend} ${rules}`, fresh);
  return fresh;
}

type Rows = Awaited<ReturnType<typeof rowsOf>>;

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
    const { rows: wanted } = await judgedLive(backend, second);
    const { app, rows: before } = await judgedLive(backend, first);
    use(second);

    const rejudged = await rejudgeFlow(await app.harness.database(), app.config, "drifting");

    expect(rejudged).toMatchObject({ trials: TRIGGERS, skipped: 0 });
    expect(rejudged.changed).toBeGreaterThan(0);
    expect(before).not.toEqual(wanted);
    expect(await rowsOf(app)).toEqual(wanted);
  },
);

test("a trial of which too little was kept stays as it was judged", async () => {
  const { app, rows: before } = await judgedLive("postgres", "effects");
  use("some");
  const db = await app.harness.database();
  const second = privacyOf(app.config).mask.id("n-2");
  await db.query("update twintrack.trials set trace = null where trigger_id = $1", [second]);

  const { trials, skipped } = await rejudgeFlow(db, app.config, "drifting");

  expect({ trials, skipped }).toEqual({ trials: TRIGGERS - 1, skipped: 1 });
  const of = (rows: Rows) =>
    rows.differences.filter((row) => (row as { trigger_id: string }).trigger_id === second);
  expect(of(await rowsOf(app))).toEqual(of(before));
  expect(of(before)).not.toEqual([]);
});
