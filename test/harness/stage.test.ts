/** Who may answer: the stages of a flow, who may change them, and how the live path knows. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { STAGES, type Stage, type Trigger } from "../../core/trigger.ts";
import { sideOf } from "../../harness/authoritative.ts";
import { type Desk, STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { type FlowConfig, loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import type { GateResult } from "../../harness/gate.ts";
import { openSides } from "../../harness/side.ts";
import {
  changeStage,
  checkChange,
  type FlowStage,
  killSwitch,
  openStageBook,
  readStages,
  setKillSwitch,
} from "../../harness/stage.ts";
import { auditLines } from "../../harness/store/audit.ts";
import { lockHolder } from "../../harness/store/lock.ts";
import { openHarness } from "../../harness/twintrack.ts";
import { type App, CONFIG_FILE, startApp } from "../app/start.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../database.ts";

const gate = (decision: GateResult["decision"]): GateResult => ({
  decision,
  reasons: [
    {
      criterion: "min_trials",
      observed: 1,
      limit: 300,
      n: 1,
      status: decision === "open" ? "pass" : "undecided",
      detail: "299 more trials are needed",
    },
  ],
});

const person = { flow: "pay", who: "ann", why: "a test" };
const start: FlowStage = { stage: "legacy", canaryPercent: 0, version: 0 };

describe("a stage", () => {
  const allowed: Record<Stage, Stage[]> = {
    legacy: ["shadow"],
    shadow: ["legacy", "canary", "cutover"],
    canary: ["legacy", "shadow", "canary", "cutover"],
    cutover: ["legacy", "shadow", "canary", "retired"],
    retired: ["legacy", "shadow", "cutover"],
  };

  test.each(STAGES)("%s can be left for those that are next to it, and for no other", (from) => {
    const reachable = STAGES.filter((to) => {
      try {
        checkChange(from, { ...person, to, gate: gate("open") });
        return true;
      } catch (error) {
        expect(error).toMatchObject({
          code: "STAGE_REFUSED",
          message: expect.stringContaining(`"pay" is at ${from}`),
          hint: expect.stringContaining(allowed[from].at(0) ?? ""),
        });
        return false;
      }
    });
    expect(reachable.toSorted()).toEqual(allowed[from].toSorted());
  });

  test.each([
    ["shadow", "canary"],
    ["shadow", "cutover"],
    ["canary", "canary"],
    ["canary", "cutover"],
  ] as const)("%s rises to %s only through an open gate", (from, to) => {
    for (const closed of [gate("closed"), gate("undecided"), undefined]) {
      const change = { ...person, to, ...(closed ? { gate: closed } : {}) };
      expect(() => checkChange(from, change)).toThrow(
        expect.objectContaining({ code: "STAGE_REFUSED" }),
      );
      expect(() => checkChange(from, { ...change, override: true })).not.toThrow();
    }
    expect(() => checkChange(from, { ...person, to, gate: gate("open") })).not.toThrow();
  });

  test("that the gate holds back names the criterion and the way round it", () => {
    expect(() =>
      checkChange("shadow", { ...person, to: "cutover", gate: gate("undecided") }),
    ).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          /"pay" stays at shadow: its gate is undecided \(min_trials\)/,
        ),
        hint: expect.stringContaining("--override"),
      }),
    );
  });

  test("falls back without asking the gate", () => {
    for (const from of ["canary", "cutover", "retired"] as const) {
      expect(() => checkChange(from, { ...person, to: "shadow" })).not.toThrow();
      expect(() => checkChange(from, { ...person, to: "legacy" })).not.toThrow();
    }
  });
});

describe.each(BACKENDS)("a change of stage on %s", (backend) => {
  let fresh: TestDatabase;
  let desk: Desk;
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
    const config = { ...(await loadConfig(CONFIG_FILE)), dataDir: fresh.dataDir };
    desk = { db: fresh.db, config, sides: openSides(config) };
  });
  beforeEach(() => fresh.db.query("truncate twintrack.flows, twintrack.stage_changes"));
  afterAll(async () => {
    await desk.sides.close();
    await fresh.drop();
  });

  const changes = () =>
    fresh.db.query<Record<string, unknown>>(
      "select from_stage, to_stage, who, why, evidence from twintrack.stage_changes order by id",
    );
  const run = (command: string, args: Record<string, string | number | boolean>) =>
    STORE_COMMANDS[command]?.(desk, { flow: "pay", who: "ann", why: "a test", ...args });

  test("is kept with who, why, and what the gate said at that moment", async () => {
    await changeStage(fresh.db, start, { ...person, to: "shadow" });
    const shadow = { stage: "shadow", canaryPercent: 0, version: 1 } as const;
    await changeStage(fresh.db, shadow, {
      ...person,
      to: "canary",
      canaryPercent: 5,
      gate: gate("open"),
    });
    expect((await readStages(fresh.db)).get("pay")).toEqual({
      stage: "canary",
      canaryPercent: 5,
      version: 2,
    });
    expect(await changes()).toEqual([
      { from_stage: "legacy", to_stage: "shadow", who: "ann", why: "a test", evidence: null },
      {
        from_stage: "shadow",
        to_stage: "canary",
        who: "ann",
        why: "a test",
        evidence: gate("open"),
      },
    ]);
  });

  test("to cutover is refused while the gate is not open, and leaves nothing", async () => {
    await expect(run("cutover", {})).rejects.toMatchObject({
      code: "STAGE_REFUSED",
      message: expect.stringContaining("min_trials"),
    });
    expect(await changes()).toEqual([]);
  });

  test("to cutover that is forced says so in the record, beside what the gate said", async () => {
    await run("cutover", { override: true });
    expect(await changes()).toMatchObject([
      {
        to_stage: "cutover",
        who: "ann",
        why: "a test",
        evidence: { decision: "undecided", override: true },
      },
    ]);
  });

  test("is made by one of eight who saw the same stage; the others are told", async () => {
    for (const from of [start, { ...start, stage: "shadow", version: 1 } as FlowStage]) {
      const to = from.stage === "legacy" ? "shadow" : "legacy";
      const rivals = Array.from({ length: 8 }, (_, index) =>
        changeStage(fresh.db, from, { ...person, who: `rival ${index}`, to }),
      );
      const settled = await Promise.allSettled(rivals);
      expect(settled.filter((one) => one.status === "fulfilled")).toHaveLength(1);
      for (const one of settled.filter((each) => each.status === "rejected")) {
        expect(one.reason).toMatchObject({
          code: "STAGE_REFUSED",
          message: expect.stringContaining("someone else"),
        });
      }
    }
    expect(await changes()).toHaveLength(2);
  });

  test.each([
    ["shadow", "legacy"],
    ["canary", "shadow"],
    ["cutover", "shadow"],
    ["retired", "shadow"],
  ] as const)("rolls back from %s in one command, by default to %s", async (from, to) => {
    await put(from);
    expect(await run("rollback", {})).toMatchObject({ data: { from, to } });
    expect((await readStages(fresh.db)).get("pay")).toMatchObject({ stage: to });
    await put(from);
    expect(await run("rollback", { to: "legacy" })).toMatchObject({ data: { to: "legacy" } });
  });

  test("never rises by a rollback", async () => {
    await put("legacy");
    await expect(run("rollback", {})).rejects.toMatchObject({ code: "STAGE_REFUSED" });
    expect((await readStages(fresh.db)).get("pay")).toMatchObject({ stage: "legacy" });
  });

  test.each([
    ["shadow on", "legacyOnly", "candidate"],
    ["cutover", "legacyOnly", "candidate"],
    ["rollback", "typedOnly", "legacy"],
  ])("%s of a flow without the side that would run is refused", async (command, flow, side) => {
    await expect(run(command, { flow, override: true })).rejects.toMatchObject({
      code: "SIDE_MISSING",
      message: expect.stringContaining(`"${flow}" has no ${side}`),
    });
    expect(await changes()).toEqual([]);
  });

  const put = (stage: Stage) =>
    fresh.db.query(
      `insert into twintrack.flows (name, stage) values ('pay', '${stage}')
       on conflict (name) do update set stage = excluded.stage, version = flows.version + 1`,
    );
});

describe("a canary", () => {
  const config: FlowConfig = { canaryKey: (input) => (input as { user: string }).user };
  const trigger = (id: string, user = "ann"): Trigger => ({
    id,
    flow: "pay",
    input: { user },
    source: "http",
    receivedAt: "2026-01-01T00:00:00Z",
  });
  const at = (canaryPercent: number): FlowStage => ({
    stage: "canary",
    canaryPercent,
    version: 1,
  });

  test.each([1, 20, 50])("of %i percent gives the candidate that share of the keys", (percent) => {
    const sides = Array.from({ length: 10_000 }, (_, n) =>
      sideOf(at(percent), {}, trigger(`t${n}`)),
    );
    const share = sides.filter((side) => side === "candidate").length / 100;
    expect(Math.abs(share - percent)).toBeLessThan(1.5);
  });

  test("gives equal keys the same side, whatever the trigger's id is", () => {
    for (const user of ["ann", "bob", "cy", "di"]) {
      const sides = new Set(
        Array.from({ length: 100 }, (_, n) => sideOf(at(50), config, trigger(`t${n}`, user))),
      );
      expect(sides.size).toBe(1);
    }
  });

  test("knows a key that is in the run configuration", () => {
    const byThread: FlowConfig = { canaryKey: (_, { configurable }) => String(configurable?.at) };
    const sides = Array.from({ length: 200 }, (_, n) => {
      const config = { configurable: { at: `thread-${n % 2}` } };
      return sideOf(at(50), byThread, { ...trigger(`t${n}`), config });
    });
    expect(new Set(sides.filter((_, n) => n % 2 === 0)).size).toBe(1);
    expect(new Set(sides.filter((_, n) => n % 2 === 1)).size).toBe(1);
  });

  test("whose key function throws goes by the trigger's id, and answers", () => {
    const throwing: FlowConfig = {
      canaryKey: () => {
        throw new Error("no user");
      },
    };
    const ids = Array.from({ length: 100 }, (_, n) => `t${n}`);
    const byKey = ids.map((id) => sideOf(at(50), throwing, trigger(id)));
    expect(byKey).toEqual(ids.map((id) => sideOf(at(50), {}, trigger(id))));
  });

  test("that grows takes nobody back to legacy", () => {
    for (let n = 0; n < 1_000; n++) {
      const sides = [1, 5, 25, 100].map((percent) => sideOf(at(percent), {}, trigger(`t${n}`)));
      expect(sides.join()).toMatch(/^(legacy,)*(candidate,?)*$/);
    }
  });

  test("of 100 percent leaves nothing to legacy", () => {
    const sides = Array.from({ length: 1_000 }, (_, n) => sideOf(at(100), {}, trigger(`t${n}`)));
    expect(new Set(sides)).toEqual(new Set(["candidate"]));
  });
});

describe("without a database", () => {
  let folder: string;
  let config: ResolvedConfig;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "twintrack-stage-"));
    const away = "postgres://postgres@127.0.0.1:1/none";
    config = { ...(await loadConfig(CONFIG_FILE)), dataDir: folder, databaseUrl: away };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a process that starts knows the stages of the last one that could ask", async () => {
    const fresh = await freshDatabase("postgres");
    await changeStage(fresh.db, start, { ...person, to: "shadow" });
    const shadow = { stage: "shadow", canaryPercent: 0, version: 1 } as const;
    await changeStage(fresh.db, shadow, { ...person, to: "cutover", gate: gate("open") });
    await openStageBook(config).refresh(fresh.db);
    await fresh.drop();

    const harness = openHarness(config);
    await expect(harness.database()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(harness.stages.of("pay").stage).toBe("cutover");
    expect(await harness.live.answer("pay", { n: 1 })).toMatchObject({ side: "candidate" });
    await harness.close();
  });

  test("a process that never could ask goes by the configuration", () => {
    expect(openStageBook(config).of("pay").stage).toBe("shadow");
    expect(openStageBook(config).of("legacyOnly").stage).toBe("legacy");
    expect(openStageBook(config).of("typedOnly").stage).toBe("retired");
  });

  test("a torn snapshot is as good as none", () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "stages.json"), '[["pay",{"stage":"cuto');
    expect(openStageBook(config).of("pay").stage).toBe("shadow");
  });
});

describe("the kill switch", () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp("postgres");
  });
  afterAll(() => app.close());

  const counts = async () => {
    const db = await app.harness.database();
    const [row] = await db.query<{ judged: number; open: number; taken: number }>(
      `select count(verdict)::int as judged, count(*) filter (where verdict is null)::int as open,
         (select count(*)::int from twintrack_jobs.job where name = 'trials' and state = 'active') as taken
       from twintrack.trials`,
    );
    return row;
  };

  test("E14: ends shadow work within a second, and gives back what was under way", async () => {
    for (let n = 0; n < 40; n++) await app.harness.live.answer("hangs", { n });
    await vi.waitFor(
      async () => {
        expect(app.harness.status().shadow.pid).toBeGreaterThan(0);
        expect((await counts())?.taken).toBeGreaterThan(0);
      },
      { timeout: 20_000, interval: 10 },
    );
    const thrownAt = performance.now();
    setKillSwitch(app.config, true);
    await vi.waitFor(() => expect(app.harness.status().shadow.pid).toBeUndefined(), {
      timeout: 5_000,
      interval: 10,
    });
    expect(performance.now() - thrownAt).toBeLessThan(1_000);
    await app.harness.settle();
    const stopped = await counts();
    expect(stopped?.open).toBeGreaterThan(0);
    expect(stopped?.taken).toBe(0);
    expect(app.harness.status().shadow).toMatchObject({ paused: true });
  });

  test("changes no answer; a trial that it keeps from being compared says so", async () => {
    const before = await counts();
    expect(await app.harness.live.answer("add", { n: 1 })).toMatchObject({
      side: "legacy",
      outcome: { status: "returned", value: { sum: 2 } },
    });
    await app.harness.settle();
    const db = await app.harness.database();
    expect(
      await db.query("select verdict, reason from twintrack.trials where flow = 'add'"),
    ).toEqual([{ verdict: "not_run", reason: "paused" }]);
    expect((await counts())?.open).toBe(before?.open);
  });

  test("is a file, and shadow work goes on when it is removed", async () => {
    expect(existsSync(killSwitch(app.config))).toBe(true);
    rmSync(killSwitch(app.config));
    await vi.waitFor(async () => expect((await counts())?.open).toBe(0), {
      timeout: 30_000,
      interval: 50,
    });
    const lines = await auditLines(await app.harness.database(), 10);
    expect(lines.map(({ event }) => event)).toEqual(["resume", "pause"]);
  });

  test("can be set for one process by its environment", async () => {
    expect(openStageBook(app.config, { TWINTRACK_SHADOW: "off" }).isPaused()).toBe(true);
    expect(openStageBook(app.config, {}).isPaused()).toBe(false);
  });
});

test("an embedded folder is held by nobody once its harness is closed", async () => {
  const app = await startApp("pglite");
  await app.harness.database();
  const folder = join(app.config.dataDir, "pglite");
  expect(lockHolder(folder)).toBe(process.pid);
  await app.close();
  expect(lockHolder(folder)).toBeUndefined();
});
