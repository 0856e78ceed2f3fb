/** Writes of a candidate that was rolled back, taken back by its own steps: once each, the newest first. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { auditLines } from "../../harness/store/audit.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import type { WriteLeft } from "../../harness/undo.ts";
import { document } from "../app/command.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS } from "../database.ts";

const CONFIG = fileURLToPath(new URL("../app/undo.config.ts", import.meta.url));

let app: App;
/** What the sink held when the test began. */
let before = 0;
beforeEach(async () => {
  await app.harness.settle();
  const db = await app.harness.database();
  await db.query(
    "truncate twintrack.flows, twintrack.stage_changes, twintrack.trials, twintrack.runs, twintrack.undos cascade",
  );
  await app.harness.stages.refresh(db);
  before = app.effects().length;
});

async function run(command: string, args: JsonObject = {}) {
  const { harness, config } = app;
  const db = await harness.database();
  const desk = { config, db, sides: harness.sides };
  const asked = { flow: "order", who: "ann", why: "wrong prices", ...args };
  const reply = await STORE_COMMANDS[command]?.(desk, asked);
  await harness.stages.refresh(db);
  const { undo = [], ...data } = (reply?.data ?? {}) as JsonObject;
  return { ...reply, data, undo: undo as unknown as WriteLeft[] };
}

/** Answered by the candidate, one after the other. */
async function answered(...inputs: number[]): Promise<void> {
  await run("cutover", { override: true });
  for (const n of inputs) {
    const { side, outcome } = await app.harness.live.answer("order", { n });
    expect({ side, outcome }).toMatchObject({ side: "candidate", outcome: { status: "returned" } });
  }
  await app.harness.settle();
}

const made = () =>
  (app.effects() as unknown as { tool: string; n: number }[])
    .slice(before)
    .map(({ tool, n }) => `${tool} ${n}`);
const states = (undo: readonly WriteLeft[]) => undo.map(({ step, state }) => `${step} ${state}`);

describe.each(BACKENDS)("a rollback on %s", (backend) => {
  beforeAll(async () => {
    app = await startApp(backend, CONFIG);
  });
  afterAll(() => app.close());

  test("says how many of the writes it leaves behind can be undone, and undoes none by itself", async () => {
    await answered(1);
    expect(await run("rollback")).toMatchObject({
      data: {
        to: "shadow",
        effects: {
          writes: [
            { tool: "shop.mail", count: 1, undoable: 0 },
            { tool: "shop.charge", count: 1, undoable: 1 },
            { tool: "shop.reserve", count: 1, undoable: 1 },
          ],
        },
      },
      warnings: [
        expect.stringContaining("2 of them have an undo; undo by hand what must not stay"),
      ],
      next: ['twintrack rollback order --undo --dry-run --why "…"'],
    });
    expect(made()).toEqual(["reserve 1", "charge 1", "mail 1"]);
  });

  test("tells writes that failed, and may have been made, from those that were made", async () => {
    await answered(1);
    await app.harness.live.answer("order", { n: 77 });
    await app.harness.settle();
    expect(await run("rollback")).toMatchObject({
      data: {
        effects: {
          writes: [
            { tool: "shop.charge", count: 2, unsure: 0 },
            { tool: "shop.reserve", count: 2, unsure: 0 },
            { tool: "shop.mail", count: 1, unsure: 1 },
          ],
        },
      },
      warnings: [
        expect.stringContaining("5 writes of the candidate are not undone"),
        expect.stringContaining(
          "1 writes of the candidate failed, and may have been made all the same: shop.mail (1)",
        ),
      ],
    });
  });

  test("only tried says what it would undo, and changes nothing", async () => {
    await answered(1);
    const { undo, data } = await run("rollback", { undo: true, dryRun: true });
    expect(states(undo)).toEqual(["told left", "charged undoable", "reserved undoable"]);
    expect(undo[0]?.detail).toBe("its step has no undo");
    expect(data).toMatchObject({ from: "cutover", to: "shadow", dryRun: true });
    expect((await run("stage")).data).toMatchObject({ flows: [{ stage: "cutover" }] });
    expect(made()).toEqual(["reserve 1", "charge 1", "mail 1"]);
  });

  test("undoes the newest write first and each once, with an entry in the audit", async () => {
    await answered(1, 2);
    const { undo, exitCode, warnings } = await run("rollback", { undo: true });
    const undone = ["told left", "charged undone", "reserved undone"];
    expect(states(undo)).toEqual([...undone, ...undone]);
    expect(made().slice(6)).toEqual(["refund 2", "release 2", "refund 1", "release 1"]);
    expect(exitCode).toBe(0);
    expect(warnings).toEqual([expect.stringContaining("2 writes of the candidate are not undone")]);

    const again = await run("rollback", { undo: true });
    expect(again.data).toMatchObject({ from: "shadow", to: "shadow" });
    expect(states(again.undo)).toEqual(states(undo));
    expect(made()).toHaveLength(10);

    const entries = (await auditLines(await app.harness.database(), 8)).filter(
      ({ event }) => event === "undo",
    );
    expect(entries.map(({ who, about }) => `${who} ${about.step} ${about.state}`)).toEqual(
      Array(2)
        .fill([
          "ann reserved undone",
          "ann reserved begun",
          "ann charged undone",
          "ann charged begun",
        ])
        .flat(),
    );
  });

  test("asked for twice at once undoes each write once", async () => {
    await answered(1, 2, 3);
    await run("rollback");
    await Promise.all([run("rollback", { undo: true }), run("rollback", { undo: true })]);
    const undone = made().slice(9);
    expect(undone).not.toEqual([]);
    expect(undone).toHaveLength(new Set(undone).size);
    const { undo } = await run("rollback", { undo: true });
    expect(undo.filter(({ state }) => state === "undone")).toHaveLength(undone.length);
  });

  test("leaves writes for triggers that came before the time that was given", async () => {
    await answered(1);
    const since = new Date(Date.now() + 60_000).toISOString();
    const { undo } = await run("rollback", { undo: true, since });
    expect(undo.map(({ detail }) => detail)).toEqual([
      "its step has no undo",
      `older than ${since}`,
      `older than ${since}`,
    ]);
    expect(made()).not.toContain("refund 1");
  });

  test("leaves what a trial did before a write whose undo failed, and does not try that again", async () => {
    await answered(13, 2);
    const { undo, exitCode } = await run("rollback", { undo: true });
    expect(states(undo.slice(3))).toEqual(["told left", "charged failed", "reserved left"]);
    expect(states(undo.slice(0, 3))).toEqual(["told left", "charged undone", "reserved undone"]);
    expect(undo[4]?.detail).toMatch(/^the bank of ⟨email:\w+⟩ is closed$/);
    expect(undo[5]?.detail).toContain('"charged", made after it, is not surely undone');
    expect(exitCode).toBe(1);
    await run("rollback", { undo: true });
    expect(made().filter((one) => one === "refund 13")).toHaveLength(1);
  });
});

describe("several processes", () => {
  beforeAll(async () => {
    app = await startApp("postgres", CONFIG);
  });
  afterAll(() => app.close());

  test("a write is known by its trigger, however many trials tell of it", async () => {
    await run("cutover", { override: true });
    const trials = new Set<string>();
    const answerIn = async ({ live, settle, stages, database }: Harness) => {
      await stages.refresh(await database());
      trials.add((await live.answer("order", { n: 4 }, { triggerId: "again" })).trialId);
      await settle();
    };
    await answerIn(app.harness);
    const second = openHarness(app.config);
    await answerIn(second);
    await second.close();
    expect(trials.size).toBe(2);
    expect(made()).toEqual(["reserve 4", "charge 4", "mail 4"]);
    const { undo } = await run("rollback", { undo: true });
    expect(states(undo)).toEqual(["told left", "charged undone", "reserved undone"]);
  });

  test("an undo that was killed is unknown ever after, and not made again", async () => {
    await answered(99);
    const { databaseUrl = "", dataDir } = app.config;
    const env = { TWINTRACK_DATABASE_URL: databaseUrl, TWINTRACK_DATA_DIR: dataDir };
    const args = ["rollback", "order", "--undo", "--why", "wrong prices", "--config", CONFIG];
    const killed = await document(args, { env }).catch(() => ({ code: 9, reply: undefined }));
    expect(killed).toMatchObject({ code: 9, reply: undefined });
    expect(made()).toContain("refund 99");

    const { code, reply } = await document(args, { env });
    expect(states(reply.data.undo)).toEqual(["told left", "charged unknown", "reserved left"]);
    expect(reply.warnings.join()).toContain("Of 1 nobody knows whether they are undone");
    expect(code).toBe(1);
    expect(made().filter((one) => one === "refund 99")).toHaveLength(1);
  });
});
