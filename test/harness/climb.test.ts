/** Up the ladder and down again, through the commands: what is planned, tried, refused and left behind. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { type Desk, STORE_COMMANDS } from "../../harness/cli/commands.ts";
import type { FlowConfig } from "../../harness/config.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS } from "../database.ts";

const LENIENT = { minTrials: 1, minDays: 0, maxMismatchRate: 1, maxErrorRate: 1, p95Ratio: 1_000 };

describe.each(BACKENDS)("a flow on %s", (backend) => {
  let app: App;
  beforeAll(async () => {
    app = await startApp(backend);
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    const db = await app.harness.database();
    await db.query(
      "truncate twintrack.flows, twintrack.stage_changes, twintrack.trials, twintrack.runs cascade",
    );
    await app.harness.stages.refresh(db);
  });

  async function run(command: string, args: JsonObject = {}, pay: Partial<FlowConfig> = {}) {
    const { harness, config } = app;
    const flows = { ...config.flows, pay: { ...config.flows.pay, ...pay } };
    const db = await harness.database();
    const desk: Desk = { config: { ...config, flows }, db, sides: harness.sides };
    // The ladder is read where a side is: by the configuration that the sides were opened with.
    desk.sides = { ...harness.sides, configOf: () => flows.pay };
    const reply = await STORE_COMMANDS[command]?.(desk, {
      flow: "pay",
      who: "ann",
      why: "a test",
      ...args,
    });
    await harness.stages.refresh(db);
    return reply;
  }
  const changes = async () =>
    (await app.harness.database()).query<{ to: string }>(
      'select to_stage as "to" from twintrack.stage_changes order by id',
    );
  const ladder: Partial<FlowConfig> = {
    gate: LENIENT,
    ladder: [{ stage: "canary", percent: 5, holdHours: 24 }, { stage: "cutover" }],
  };

  test("shows its plan, and changes nothing by it", async () => {
    const reply = await run("cutover", { plan: true, why: "" }, ladder);
    expect(reply).toMatchObject({
      exitCode: 0,
      data: {
        ...{ flow: "pay", stage: "shadow", percent: 0, next: { stage: "canary", percent: 5 } },
        steps: [{ state: "next" }, { state: "later" }],
        blockedBy: expect.arrayContaining([expect.stringContaining("min_trials")]),
      },
    });
    expect(await changes()).toEqual([]);
  });

  test("goes step by step, and holds each", async () => {
    await expect(run("cutover", { percent: 100 }, ladder)).rejects.toMatchObject({
      code: "STAGE_REFUSED",
      message: expect.stringContaining("the next step of its ladder is 5 %"),
    });
    expect(await run("cutover", { override: true }, ladder)).toMatchObject({
      data: { to: "canary", canaryPercent: 5 },
    });
    await expect(run("cutover", {}, ladder)).rejects.toMatchObject({
      message: expect.stringContaining("held until"),
    });
    expect(await run("cutover", { override: true }, ladder)).toMatchObject({
      data: { to: "cutover" },
    });
  });

  test("says what a step would do, and whether it would be refused, without taking it", async () => {
    await expect(run("cutover", { dryRun: true })).rejects.toMatchObject({ code: "STAGE_REFUSED" });
    expect(await run("cutover", { dryRun: true, override: true })).toMatchObject({
      data: { from: "shadow", to: "cutover", dryRun: true },
    });
    expect(await changes()).toEqual([]);
  });

  test("needs a reason for every step but a look at the plan", async () => {
    await expect(run("cutover", { why: "", override: true })).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("--why"),
    });
  });

  test("that is rolled back names the writes of its candidate that are not undone", async () => {
    await app.harness.live.answer("pay", { n: 1 });
    await run("cutover", { override: true });
    const before = app.effects().length;
    for (const n of [2, 3, 4]) await app.harness.live.answer("pay", { n });
    await app.harness.settle();
    expect(app.effects().length - before).toBe(3);
    const reply = await run("rollback");
    const trials = [expect.any(String), expect.any(String), expect.any(String)];
    expect(reply).toMatchObject({
      data: {
        to: "shadow",
        effects: { truncated: false, writes: [{ tool: "shop.charge", count: 3, trials }] },
      },
      warnings: [
        expect.stringContaining("3 writes of the candidate are not undone: shop.charge (3)"),
      ],
    });
    const again = await run("rollback");
    expect(again).toMatchObject({ data: { to: "legacy", effects: { writes: [] } }, warnings: [] });
  });
});
