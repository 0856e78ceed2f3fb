/** LangChain's run configuration: part of a trigger, from the request to the tool, on both sides. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { encodeFrame } from "../../harness/frame.ts";
import { type Server, serve } from "../../harness/http/server.ts";
import { privacyOf } from "../../harness/privacy/privacy.ts";
import { renderHtml } from "../../harness/report/html.ts";
import type { Report } from "../../harness/report/report.ts";
import { exportPage } from "../../harness/store/export.ts";
import { createTwintrack } from "../../harness/twintrack.ts";
import { document, invoke } from "../app/command.ts";
import { type App, startApp } from "../app/start.ts";
import { freshPlace } from "../database.ts";

const CONFIG = fileURLToPath(new URL("../app/configured.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twintrack-configured-"));

let app: App;
let server: Server;
beforeAll(async () => {
  app = await startApp("postgres", CONFIG);
  server = await serve(app.harness, { port: 0 });
});
afterAll(async () => {
  await server.close();
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const post = (flow: string, body: object, headers: Record<string, string> = {}, way = "invoke") =>
  fetch(`${server.url}/flows/${flow}/${way}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const configOf = (passenger: string) => ({
  configurable: { passenger_id: passenger },
  metadata: { tenant: "north" },
  tags: ["vip"],
  recursion_limit: 7,
});

async function seated(flow: string, passenger: string) {
  const response = await post(flow, { input: { row: 3 }, config: configOf(passenger) });
  const { output } = (await response.json()) as { output: JsonObject };
  return { output, trial: response.headers.get("twintrack-trial") ?? "" };
}

interface Judged extends Record<string, unknown> {
  verdict: string;
  noise: string | null;
  subject: string | null;
}

async function judged(...trials: string[]): Promise<Judged[]> {
  await app.harness.settle();
  const db = await app.harness.database();
  return db.query<Judged>(
    "select verdict, reason, noise_verdict as noise, subject from twintrack.trials where id = any($1) order by seq",
    [trials],
  );
}

async function moved(command: "cutover" | "rollback", args: JsonObject) {
  const { config, harness } = app;
  const db = await harness.database();
  const desk = { config, db, sides: harness.sides };
  await STORE_COMMANDS[command]?.(desk, { who: "ann", why: "trying", ...args });
  await harness.stages.refresh(db);
}

/** The lines of the tool, for one passenger. */
const seatsOf = (passenger: string) =>
  app.effects().filter((line) => (line as JsonObject).passenger === passenger);

describe.each(["seating", "seatingInPython"])("a configuration of %s", (flow) => {
  const whole = (said: string) => ({ said, tenant: "north", isVip: true, limit: 7 });

  test("reaches the chain and its tool, the candidate's functions, and the second run of legacy", async () => {
    const ann = `ann-${flow}`;
    const { output, trial } = await seated(flow, ann);
    expect(output).toEqual(whole(`${ann} sits in 3`));
    expect(await judged(trial)).toMatchObject([{ verdict: "match", noise: "match" }]);
    expect(seatsOf(ann)).toMatchObject([{ role: "live" }]);
  });

  test("reaches the tool of a candidate that is live, and legacy in its reverse shadow", async () => {
    const bob = `bob-${flow}`;
    const { output, trial } = await seated(`${flow}After`, bob);
    expect(output).toEqual(whole(`${bob} sits in 3`));
    expect(await judged(trial)).toMatchObject([{ verdict: "match" }]);
    expect(seatsOf(bob)).toMatchObject([{ role: "live" }]);
  });

  test("goes along when a write is taken back", async () => {
    const cyd = `cyd-${flow}`;
    await moved("cutover", { flow, override: true });
    await seated(flow, cyd);
    await app.harness.settle();
    await moved("rollback", { flow, undo: true });
    expect(seatsOf(cyd)).toMatchObject([{ role: "live" }, { role: "live" }]);
  });

  test("is missing where the caller sent none, and the tool says so", async () => {
    const { status, body } = await invoke(server.url, `${flow}After`, { row: 3 });
    expect(status).toBe(502);
    expect(body.detail).toContain("No passenger ID configured.");
  });
});

describe.each(["thread", "threadInPython"])("a graph with a checkpointer, %s,", (flow) => {
  const turn = async (thread: string, way: string) => {
    const configurable = { thread_id: thread, passenger_id: "eve" };
    const config = { configurable, context: { desk: "A" } };
    const response = await post(flow, { input: { row: 1 }, config }, {}, way);
    return { text: await response.text(), trial: response.headers.get("twintrack-trial") ?? "" };
  };

  test("goes on with the thread of the trigger, also when legacy runs a second time", async () => {
    const turns = [await turn("t-1", "invoke"), await turn("t-1", "invoke")];
    const said = turns.map(({ text }) => JSON.parse(text).output.said);
    const first = "0 before, A: eve sits in 1";
    expect(said).toEqual([[first], [first, "1 before, A: eve sits in 1"]]);
    expect(await judged(...turns.map(({ trial }) => trial))).toMatchObject([
      { verdict: "match", noise: "match" },
      { verdict: "mismatch", noise: "match" }, // The candidate has no memory.
    ]);
    const { text } = await turn("t-2", "invoke");
    expect(JSON.parse(text).output.said).toEqual([first]);
  });

  test("streams a thread as it answers one", async () => {
    await turn("t-3", "stream");
    const { text } = await turn("t-3", "stream");
    expect(text).toContain("1 before, A: eve sits in 1");
    expect(text).toContain("event: end");
  });
});

test.each([
  ["chat", "sessionId"],
  ["chatInPython", "session_id"],
])(
  "a chat with a message history, %s, goes on with the session of the trigger",
  async (flow, key) => {
    const say = async (session: string, text: string) => {
      const config = { configurable: { [key]: session } };
      const response = await post(flow, { input: text, config });
      const { output } = (await response.json()) as JsonObject;
      return { output, trial: response.headers.get("twintrack-trial") ?? "" };
    };
    const turns = [await say("s-1", "one"), await say("s-1", "two"), await say("s-2", "three")];
    expect(turns.map(({ output }) => output)).toEqual([
      "0 before one",
      "2 before two",
      "0 before three",
    ]);
    expect(await judged(...turns.map(({ trial }) => trial))).toMatchObject([
      { verdict: "match", noise: "match" },
      { verdict: "mismatch", noise: "match" },
      { verdict: "match", noise: "match" },
    ]);
  },
);

describe("what a caller sends", () => {
  test.each([
    [{ callbacks: [] }, "config.callbacks cannot be carried"],
    [{ configurable: {}, store: "x" }, "config.store cannot be carried"],
    [{ tags: "vip" }, "config.tags must be a list of texts"],
    [{ recursion_limit: 0 }, "config.recursion_limit must be a whole number above 0"],
    [{ recursion_limit: 3, recursionLimit: 4 }, "config.recursionLimit is given twice"],
    [{ configurable: { __pregel_task_id: "x" } }, "config.configurable.__pregel_task_id is"],
    ["thread-1", "config must be an object"],
  ])("is refused, and no side runs, when it is %j", async (config, problem) => {
    const before = app.effects().length;
    for (const way of ["invoke", "stream"]) {
      const response = await post("seating", { input: { row: 1 }, config }, {}, way);
      expect(response.status).toBe(400);
      const { code, detail } = (await response.json()) as JsonObject;
      expect({ code, detail }).toEqual({
        code: "REQUEST_INVALID",
        detail: expect.stringContaining(problem),
      });
    }
    expect(app.effects()).toHaveLength(before);
  });

  test("is refused when it has kwargs, which LangServe gives to a runnable", async () => {
    const refused = await post("seating", { input: { row: 1 }, kwargs: { stop: ["."] } });
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("kwargs.stop cannot be carried");
    const empty = await post("seating", { input: { row: 1 }, kwargs: {}, config: configOf("kw") });
    expect(empty.status).toBe(200);
  });

  test("limits nothing when it is what LangServe's client writes down unasked", async () => {
    const ways = { run_name: "seats", run_id: "7", max_concurrency: 4 };
    const unasked = { tags: [], metadata: {}, recursion_limit: 25, configurable: {}, ...ways };
    const config = { ...unasked, configurable: { passenger_id: "dan" } };
    const response = await post("seatingAfter", { input: { row: 1 }, config, kwargs: {} });
    const said = "dan sits in 1";
    const output = { said, tenant: null, isVip: false, limit: null };
    expect(await response.json()).toMatchObject({ output });
    const key = { "idempotency-key": "unasked" };
    const [bare, full] = [{ input: { row: 1 } }, { input: { row: 1 }, config: unasked }];
    const statuses = [await post("seatingAfter", bare, key), await post("seatingAfter", full, key)];
    expect(statuses.map(({ status }) => status)).toEqual([502, 502]); // No conflict: equal.
  });

  test("is a conflict under an Idempotency-Key that came with another configuration", async () => {
    const key = { "idempotency-key": "seat-1" };
    const body = (passenger: string) => ({ input: { row: 9 }, config: configOf(passenger) });
    const first = await (await post("seating", body("fay"), key)).json();
    expect(await (await post("seating", body("fay"), key)).json()).toEqual(first);
    for (const other of [body("gus"), { input: { row: 9 } }]) {
      const refused = await post("seating", other, key);
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({ code: "TRIGGER_CONFLICT" });
    }
    expect(seatsOf("fay")).toHaveLength(1);
    expect(seatsOf("gus")).toHaveLength(0);
  });
});

describe("a configuration at rest", () => {
  const secret = "iris@mail.example";

  test("is nowhere in the open, is masked where it is shown, and names the subject", async () => {
    const { trial } = await seated("seating", secret);
    const spool = join(app.config.dataDir, "spool");
    for (const name of readdirSync(spool))
      expect(readFileSync(join(spool, name)).includes(secret)).toBe(false);
    const [row] = await judged(trial);
    expect(row?.subject).toMatch(/^\S+$/);
    const db = await app.harness.database();
    const runs = await db.query<{ payload: Uint8Array }>(
      "select payload from twintrack.runs where trial_id = $1",
      [trial],
    );
    for (const { payload } of runs) expect(Buffer.from(payload).includes(secret)).toBe(false);
    const privacy = privacyOf(app.config);
    const subjects = privacy.subjects("seating", secret);
    const page = { flow: "seating", subjects, afterId: "" };
    const [raw] = await exportPage(db, privacy, { ...page, raw: true });
    expect(raw).toMatchObject({ trial, runs: { legacy: { config: configOf(secret) } } });
    const masked = await exportPage(db, privacy, { ...page, raw: false });
    expect(masked).toHaveLength(1);
    expect(JSON.stringify(masked)).toContain('"tenant":"north"');
    expect(JSON.stringify(masked)).not.toContain(secret);
  });

  test("is shown, masked, with a sample of a divergence", async () => {
    const configurable = { thread_id: "shown", passenger_id: secret };
    for (const _ of ["match", "mismatch"])
      await judged(
        (await app.harness.live.answer("thread", { row: 1 }, { config: { configurable } })).trialId,
      );
    const db = await app.harness.database();
    const desk = { config: app.config, db, sides: app.harness.sides };
    const reply = await STORE_COMMANDS.report?.(desk, {});
    const page = renderHtml(reply?.data as unknown as Report);
    expect(page).toContain("<summary>Config</summary>");
    expect(page).toContain("thread_id");
    expect(page).not.toContain(secret);
  });

  test("costs a trigger without one not a byte", () => {
    const { vault } = privacyOf({ ...app.config, privacy: { seal: false, mask: false } } as never);
    const header = { epoch: "e", seq: 1, receivedAt: "2026-11-22" } as never;
    const run = { outcome: { status: "returned", value: 1 }, lossy: false, calls: [] } as const;
    const frame = encodeFrame(header, { input: 1, ...run, calls: [] }, vault).toString("latin1");
    expect(frame).not.toContain("config");
  });
});

describe("a replay", () => {
  const replay = async (args: JsonObject) => {
    const db = await app.harness.database();
    const reply = await STORE_COMMANDS.replay?.(
      { config: app.config, db, sides: app.harness.sides },
      args,
    );
    return reply?.data as unknown as {
      total: number;
      verdicts: JsonObject;
      problems: { item: string; problem: string }[];
    };
  };

  test("of stored triggers gives them their configuration again", async () => {
    const { trial } = await seated("seatingInPython", "joe");
    await judged(trial);
    const report = await replay({ flow: "seatingInPython" });
    expect(report.total).toBeGreaterThan(0);
    expect(report.verdicts).toEqual({ match: report.total });
  });

  test("of a file takes it from each line, and names a line whose configuration it cannot carry", async () => {
    const call = { tool: "seat", args: { row: 2 }, result: "kim sits in 2" };
    const output = { said: "kim sits in 2", tenant: "north", isVip: true, limit: 7 };
    const line = { input: { row: 2 }, output, calls: [call] };
    const lines = [
      { ...line, config: configOf("kim") },
      { ...line, config: { callbacks: ["x"] } },
    ];
    const file = join(folder, "lines.ndjson");
    writeFileSync(file, lines.map((one) => JSON.stringify(one)).join("\n"));
    const report = await replay({ flow: "seating", file, format: "lines" });
    expect(report).toMatchObject({ total: 1, verdicts: { match: 1 } });
    expect(report.problems).toEqual([
      { item: "line 2", problem: "config.callbacks cannot be carried" },
    ]);
  });
});

test("a program of the user's gives it to run, in JavaScript's spelling", async () => {
  const { url, dataDir, drop } = await freshPlace("postgres");
  const told = { legacy: () => (_: unknown, config: object) => config };
  const twintrack = createTwintrack({ flows: { told }, dataDir, database: { url: String(url) } });
  const config = { configurable: { thread_id: "t" }, recursionLimit: 9, context: { desk: "A" } };
  const { output } = await twintrack.run("told", null, { config });
  expect(output).toMatchObject(config);
  const wrong = { config: { callbacks: [] } as object };
  await expect(twintrack.run("told", null, wrong)).rejects.toMatchObject({
    code: "REQUEST_INVALID",
  });
  await twintrack.close();
  await drop();
});

describe("on the command line", () => {
  const env = { TWINTRACK_DATA_DIR: join(folder, "data"), TWINTRACK_SINK: join(folder, "sink") };
  const told = JSON.stringify(configOf("lea"));

  test("run answers a trigger with its configuration, given as JSON or in a file", async () => {
    const file = join(folder, "config.json");
    writeFileSync(file, told);
    const args = ["run", "seating", "--config", CONFIG, "--input", '{"row":4}', "--run-config"];
    const { code, reply } = await document([...args, `@${file}`], { env });
    expect(code).toBe(0);
    expect(reply.data).toMatchObject({ output: { said: "lea sits in 4" }, verdict: "match" });
    const refused = await document([...args, '{"callbacks":[1]}'], { env });
    expect(refused).toMatchObject({ code: 2, error: { code: "REQUEST_INVALID" } });
    const broken = await document([...args, "{"], { env });
    expect(broken.error).toMatchObject({ code: "USAGE" });
    expect(broken.error.message).toContain("--run-config is not JSON");
  });

  test.each(["desk.seat", "pydesk.seat"])("tools call gives it to one call of %s", async (name) => {
    const args = ["tools", "call", name, "--config", CONFIG, "--input", '{"row":5}'];
    const { code, reply } = await document([...args, "--run-config", told], { env });
    expect(code).toBe(0);
    expect(reply.data.result.content[0].text).toBe("lea sits in 5");
    const without = await document(args, { env });
    expect(without.reply.data.result.content[0].text).toContain("No passenger ID configured.");
    expect(existsSync(env.TWINTRACK_SINK)).toBe(true);
  });
});
