/** Recorded triggers against the candidate as it is now: from the store, and from a file. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import type { ReplayReport } from "../../harness/cli/replay-desk.ts";
import type { Watch } from "../../harness/replay.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS } from "../database.ts";

const DRIFTING = fileURLToPath(new URL("../app/rejudge.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twintrack-replay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const EXPLAINED = [
  { path: "/tags", as: "set" },
  { path: "/rounded", tolerance: { absolute: 0.01 } },
];

interface Given {
  /** Instead of the rules in the configuration. */
  rules?: readonly unknown[];
  watch?: Watch;
  /** In a shadow process, as the command does it; it takes a second to start. */
  isApart?: boolean;
}

async function replay(
  { harness, config }: App,
  args: JsonObject,
  { rules, watch, isApart = false }: Given = {},
) {
  const flows = Object.entries(config.flows).map(([name, flow]) => [
    name,
    rules ? { ...flow, compare: { rules } } : flow,
  ]);
  const used = {
    ...config,
    flows: Object.fromEntries(flows) as typeof config.flows,
    file: isApart ? config.file : undefined,
  };
  const db = await harness.database();
  const desk = { config: used, db, sides: harness.sides, ...(watch && { watch }) };
  const reply = await STORE_COMMANDS.replay?.(desk, args);
  if (!reply) throw new Error("there is no command replay");
  return { ...reply, report: reply.data as unknown as ReplayReport };
}

/** Everything that a gate or a report of trials reads. */
async function books({ harness }: App) {
  const db = await harness.database();
  const counts = ["trials", "runs", "differences", "divergences", "legacy_tools"].map(
    (table) =>
      `select '${table}' as name, count(*)::bigint as rows, null::bigint as trials from twintrack.${table}`,
  );
  return db.query(
    `${counts.join(" union all ")} union all
     select 'coverage', count(*)::bigint, sum(trials)::bigint from twintrack.coverage order by 1`,
  );
}

describe.each(BACKENDS)("a replay of stored trials on %s", (backend) => {
  const flow = "drifting";
  let app: App;
  beforeAll(async () => {
    app = await startApp(backend, DRIFTING);
    for (let n = 1; n <= 12; n++)
      await app.harness.live.answer(flow, { n }, { triggerId: `n-${n}` });
    await app.harness.settle();
  });
  afterAll(() => app.close());

  test("says what is the same, new and gone, and leaves the books of live trials alone", async () => {
    const before = await books(app);
    const written = app.effects().length;
    const same = await replay(app, { flow }, { isApart: true });
    expect(same).toMatchObject({ exitCode: 3, report: { total: 12, done: 12, changed: [] } });
    expect(new Set(same.report.divergences.map(({ state }) => state))).toEqual(new Set(["same"]));
    const { report } = await replay(app, { flow }, { rules: EXPLAINED });
    expect(report.changed.map(({ live }) => live)).toEqual(["mismatch"]);
    expect(report.divergences.map(({ state }) => state)).toContain("gone");
    expect(await books(app)).toEqual(before);
    expect(app.effects()).toHaveLength(written);
  });

  test("gives the same verdicts when it is run again", async () => {
    const [first, second] = [await replay(app, { flow }), await replay(app, { flow })];
    expect(second.report.id).not.toBe(first.report.id);
    expect(second.report.verdicts).toEqual(first.report.verdicts);
    expect(second.report.divergences).toEqual(first.report.divergences);
  });

  test("that is ended keeps what was judged, and goes on where it ended", async () => {
    const stop = new AbortController();
    const onProgress = (done: number) => {
      if (done === 3) stop.abort();
    };
    const watch = { signal: stop.signal, onProgress };
    const ended = await replay(app, { flow }, { watch });
    expect(ended.exitCode).toBe(130);
    expect(ended.report).toMatchObject({ complete: false, total: 12 });
    expect(ended.report.done).toBeGreaterThanOrEqual(3);
    expect(ended.report.done).toBeLessThan(12);
    expect(ended.next).toEqual([`twintrack replay --resume ${ended.report.id}`]);
    const told: number[] = [];
    const onRest = (done: number) => told.push(done);
    const rest = await replay(
      app,
      { resume: ended.report.id },
      { watch: { signal: new AbortController().signal, onProgress: onRest } },
    );
    expect(told[0]).toBe(ended.report.done);
    expect(rest.report).toMatchObject({ id: ended.report.id, complete: true, done: 12, total: 12 });
  });

  test("exits 0 once a person has explained what differs", async () => {
    const db = await app.harness.database();
    const tags = { rules: EXPLAINED.slice(0, 1) };
    const some = { flow, limit: 4 };
    const { exitCode, report } = await replay(app, some, tags);
    expect(exitCode).toBe(3);
    for (const { fingerprint } of report.divergences)
      await db.query(
        `insert into twintrack.decisions (flow, fingerprint, decision, who, why)
         values ($1, $2, 'intended', 'ann', 'a test')`,
        [flow, fingerprint],
      );
    expect((await replay(app, some, tags)).exitCode).toBe(0);
    await db.query("truncate twintrack.decisions");
  });

  test("does a part at a time for whoever cannot look on, until all is done", async () => {
    const part = { signal: new AbortController().signal, onProgress: () => undefined, sliceMs: 0 };
    const first = await replay(app, { flow }, { watch: part });
    expect(first.report).toMatchObject({ complete: false, done: 0, total: 12 });
    const { id } = first.report;
    const rest = await replay(app, { resume: id }, { watch: { ...part, sliceMs: 60_000 } });
    expect(rest.report).toMatchObject({ id, complete: true, done: 12 });
  });

  test("takes the newest of a time", async () => {
    const db = await app.harness.database();
    await db.query(
      "update twintrack.trials set received_at = '2026-01-01T00:00:00Z' where seq <= 2",
    );
    const total = async (args: JsonObject) => (await replay(app, { flow, ...args })).report.total;
    expect(await total({ since: "2026-01-02T00:00:00.000Z" })).toBe(10);
    expect(await total({ until: "2026-01-02T00:00:00.000Z" })).toBe(2);
    expect(await total({ limit: 3 })).toBe(3);
  });

  test("passes over trials whose payload retention has emptied", async () => {
    const db = await app.harness.database();
    await db.query(
      "update twintrack.runs r set payload = ''::bytea from twintrack.trials t where t.id = r.trial_id and t.seq > 9",
    );
    const { report } = await replay(app, { flow });
    expect(report).toMatchObject({ complete: true, total: 9, done: 9 });
    expect(report.verdicts.incomparable).toBeUndefined();
  });

  test("of no trials is no proof", async () => {
    const none = await replay(app, { flow, until: "2020-01-01T00:00:00.000Z" });
    expect(none).toMatchObject({ exitCode: 4, report: { total: 0 } });
    await expect(replay(app, { resume: "nobody" })).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("a replay of a file", () => {
  const quote = { tool: "quote", args: { n: 2 }, result: { cents: 200 } };
  const charge = {
    tool: "charge",
    args: { cents: 200, currency: "EUR" },
    result: { receipt: "R-200-EUR" },
  };
  const sale = { input: { n: 2 }, output: { receipt: "R-200-EUR" }, calls: [quote, charge] };

  let app: App;
  beforeAll(async () => {
    app = await startApp("postgres");
  });
  afterAll(() => app.close());

  async function ofLines(...lines: (object | string)[]) {
    const file = join(folder, `${Math.random()}.ndjson`);
    writeFileSync(
      file,
      lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
    );
    const result = await replay(app, { flow: "pay", file, format: "lines" });
    expect(app.effects()).toEqual([]);
    return { file, ...result };
  }

  test("answers the candidate's tools from the record, and writes nothing", async () => {
    expect(await ofLines(sale, sale)).toMatchObject({
      exitCode: 0,
      report: { total: 2, done: 2, verdicts: { match: 2 } },
    });
  });

  test("names wrong lines with their number and reason; the others go on", async () => {
    const { report, warnings } = await ofLines(
      sale,
      "{",
      { output: 1 },
      { ...sale, extra: 1 },
      { ...sale, input: {} },
      sale,
    );
    expect(report.verdicts).toEqual({ match: 2 });
    expect(report.problems).toMatchObject([
      { item: "line 2", problem: expect.stringContaining("is no JSON") },
      { item: "line 3", problem: expect.stringContaining("input") },
      { item: "line 4", problem: expect.stringContaining("extra") },
      { item: "line 5", problem: "does not fit the flow's input" },
    ]);
    expect(warnings).toHaveLength(4);
  });

  test.each<[string, object]>([
    ["without an answer", { ...sale, output: undefined }],
    [
      "with a call whose result is missing",
      { ...sale, calls: [quote, { ...charge, result: undefined }] },
    ],
    ["with a call that says it is lossy", { ...sale, calls: [{ ...quote, lossy: true }, charge] }],
  ])("never takes a recording %s for equal, and compares nothing else", async (_, line) => {
    expect(await ofLines(line)).toMatchObject({
      exitCode: 4,
      report: { verdicts: { incomparable: 1 }, divergences: [] },
    });
  });

  test("tells an answer and a write that differ apart from those that are equal", async () => {
    const other = { ...sale, output: { receipt: "R-1" } };
    const { exitCode, report } = await ofLines(sale, other);
    expect(exitCode).toBe(3);
    expect(report.verdicts).toEqual({ match: 1, mismatch: 1 });
    expect(report.divergences).toMatchObject([{ state: "new", now: 1, live: 0 }]);
  });

  test("is not resumed from a file that has changed", async () => {
    const { file, report } = await ofLines(sale);
    writeFileSync(file, "");
    await expect(replay(app, { resume: report.id })).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("has changed"),
    });
  });
});
