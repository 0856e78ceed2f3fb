/** What people get wrong, and what fails under them: the error they see, and what it must not touch. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import pg from "pg";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  type TestContext,
  test,
  vi,
} from "vitest";
import { books } from "../../harness/store/books.ts";
import type { Database } from "../../harness/store/database.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import {
  command,
  document,
  getJson,
  invoke,
  MAIN,
  readiness,
  type ServeOptions,
  type Serving,
  startServe,
} from "../app/command.ts";
import { proxyTo } from "../app/proxy.ts";
import { CONFIG_FILE } from "../app/start.ts";
import {
  type Backend,
  freshDatabase,
  freshPlace,
  type TestDatabase,
  type TestPlace,
} from "../database.ts";

const BAD_TOOLS = fileURLToPath(new URL("../app/bad-tools.ts", import.meta.url));
const TROUBLES = fileURLToPath(new URL("../app/troubles.config.ts", import.meta.url));
const CONFIG_MODULE = new URL("../../harness/config.ts", import.meta.url).href;
const APP = ["--config", CONFIG_FILE];
/** Longer than a lease: a trial whose claim was cut off on its way comes back after 30 s. */
const SOON = { timeout: 50_000, interval: 100 };

/** What a command or server gets told. */
function envOf({ url, dataDir }: Pick<TestPlace, "url" | "dataDir">): Record<string, string> {
  const own = { TWINTRACK_DATA_DIR: dataDir, TWINTRACK_SINK: join(dataDir, "sink.ndjson") };
  return { ...own, TWINTRACK_DATABASE_URL: url ?? "" };
}

interface Place extends TestPlace {
  env: Record<string, string>;
  serving(options?: Partial<ServeOptions>): Promise<Serving>;
}

/** A database, a folder and servers for one test. */
async function placeFor({ onTestFinished }: TestContext, backend: Backend): Promise<Place> {
  const place = await freshPlace(backend);
  onTestFinished(place.drop);
  const env = envOf(place);
  return {
    ...place,
    env,
    async serving(options = {}) {
      const server = await startServe({ env, ...options });
      onTestFinished(async () => void (await server.end("SIGKILL")));
      return server;
    },
  };
}

/** The same database past whatever is in between. */
function databaseOf({ url }: Place, { onTestFinished }: TestContext): Database {
  const db = openPostgres({ url: String(url) });
  onTestFinished(db.close);
  return db;
}

/** So many triggers were answered, and all are judged equal. */
const settled = (db: Database, answered: number) =>
  vi.waitFor(async () => {
    const verdicts = { match: answered };
    expect(await books(db)).toEqual({ answered, verdicts, open: 0, gaps: {}, unexplained: 0 });
  }, SOON);

describe("a server", () => {
  const config = ["--config", TROUBLES];
  let fresh: TestDatabase;
  let server: Serving;
  let env: Record<string, string>;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
    env = envOf(fresh);
    server = await startServe({ env, config: TROUBLES });
  });
  afterAll(async () => {
    await server.end("SIGKILL");
    await fresh.drop();
  });
  /** Whatever was wrong: every answer is accounted for. */
  afterEach(() =>
    vi.waitFor(async () => {
      expect(await books(fresh.db)).toMatchObject({ open: 0, unexplained: 0, gaps: {} });
    }, SOON),
  );

  const run = (flow: string, input: string) =>
    document([...config, "run", flow, "--input", input], { env });

  /** What a trial was judged, and why. */
  const judged = (trial: string) =>
    vi.waitUntil(async () => {
      const [row] = await fresh.db.query<{ verdict: string | null; reason: string | null }>(
        "select verdict, reason from twintrack.trials where id = $1",
        [trial],
      );
      return row?.verdict ? row : undefined;
    }, SOON);

  /** The caller gets legacy's answer. Returns its trial. */
  async function answered(flow: string, output: unknown): Promise<string> {
    const { status, body } = await invoke(server.url, flow, { n: 1 });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { output, metadata: { side: "legacy" } },
    });
    return body.metadata.trial;
  }

  test("that is asked for an unknown flow names the flow and those that there are", async () => {
    const { code, error } = await run("adds", "{}");
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "FLOW_UNKNOWN",
      message: 'No flow is called "adds"',
      hint: expect.stringContaining("add, throws"),
    });
    expect(await invoke(server.url, "adds", {})).toMatchObject({
      status: 404,
      body: { code: "FLOW_UNKNOWN", detail: 'No flow is called "adds"' },
    });
  });

  test("that gets an input that does not fit names the field, and that is no trial", async () => {
    const { code, error } = await run("add", '{"n":"one"}');
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "INPUT_INVALID", message: expect.stringContaining("/n ") });
    const counts = async () => {
      const { answered, refused } = (await getJson(`${server.url}/readyz`)).body;
      return { answered, refused };
    };
    const { answered, refused } = await counts();
    expect(await invoke(server.url, "add", { n: "one" })).toMatchObject({
      status: 422,
      body: { code: "INPUT_INVALID", detail: expect.stringContaining("/n ") },
    });
    expect(await counts()).toEqual({ answered, refused: refused + 1 });
  });

  test("that gets an input that is not JSON says how to quote it", async () => {
    const { code, error } = await run("add", "{n:1}");
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "USAGE", hint: expect.stringContaining("--input '") });
  });

  test.each([
    ["is not there", "missing", /"\/nowhere\/bin\/python"/],
    ["is no Python", "broken", /exit(ed)?.* 1/],
  ])("whose interpreter %s names it, and answers another flow", async (_, flow, said) => {
    const { code, error } = await run(flow, '{"n":1}');
    expect(code).toBe(5);
    expect(error).toMatchObject({
      code: "PYTHON_UNAVAILABLE",
      message: expect.stringMatching(said),
      hint: expect.any(String),
    });
    expect(await invoke(server.url, flow, { n: 1 })).toMatchObject({
      status: 502,
      body: { code: "PYTHON_UNAVAILABLE" },
    });
    await answered("add", { sum: 2 });
  });

  test.each([
    ["throws", "throws", "candidate_error"],
    ["never ends", "hangs", "candidate_timeout"],
    ["does not load", "unloadable", "incomparable"],
  ])("whose candidate %s gives legacy's answer; it costs a verdict", async (_, flow, verdict) => {
    expect(await judged(await answered(flow, { sum: 2 }))).toMatchObject({ verdict });
  });

  test("A7: a candidate that returns 100 MB is judged, and its megabytes stay where they are", async () => {
    const trial = await answered("big", "small");
    const { verdict, reason } = await judged(trial);
    expect(verdict).toBe("incomparable");
    expect(reason).toMatch(/^oversize: 1000000\d\d characters$/);
    const [kept] = await fresh.db.query<{ bytes: number; difference: string }>(
      `select length(r.payload) as bytes, d.difference from twintrack.runs r
       join twintrack.differences d using (trial_id)
       where r.trial_id = $1 and r.side = 'candidate'`,
      [trial],
    );
    expect(kept?.bytes).toBeLessThan(1_000);
    expect(JSON.parse(String(kept?.difference))).toMatchObject({
      legacy: "small",
      candidate: expect.stringMatching(/1000000\d\d bytes, not kept/),
    });
  });
});

test("a Python module that cannot be imported is named with Python's own words", async () => {
  const args = ["tools", "list", "--python", "no_such_package.tools:TOOLS"];
  const { code, error } = await document(args);
  expect(code).toBe(5);
  expect(error).toMatchObject({
    code: "PYTHON_UNAVAILABLE",
    message: expect.stringContaining("No module named 'no_such_package'"),
    hint: expect.stringContaining("cwd"),
  });
});

describe("a tool that", () => {
  const call = (tool: string, ...more: string[]) =>
    document(["tools", "call", tool, "--module", BAD_TOOLS, ...more]);

  test("throws gives its own words as a result, not as a crash", async () => {
    const { code, reply } = await call("throws");
    expect(code).toBe(1);
    expect(reply).toMatchObject({
      ok: false,
      data: { isError: true, result: { content: [{ type: "text", text: "out of paper" }] } },
    });
  });

  test("hangs costs its time limit and no more, also when it keeps a timer", async () => {
    const { code, error } = await call("hangs", "--timeout", "300");
    expect(code).toBe(1);
    expect(error).toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("300 ms") });
  });

  test("prints to stdout leaves the document alone there; the print goes to stderr", async () => {
    const args = ["tools", "call", "prints", "--module", BAD_TOOLS, "--json"];
    const { code, stdout, stderr } = await command(args);
    expect(JSON.parse(stdout)).toMatchObject({
      data: { result: { content: [{ text: "quiet" }] } },
    });
    expect(stderr).toContain("a banner");
    expect(stderr).toContain("written to stdout");
    expect(code).toBe(0);
  });

  test("is not there is named with those that are", async () => {
    const { code, error } = await call("print");
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "TOOL_UNKNOWN",
      message: expect.stringContaining("print"),
    });
    expect(error.hint).toContain("prints");
  });

  test("has a limit that is no number is refused before it is called", async () => {
    const { code, error } = await call("prints", "--timeout", "soon");
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "USAGE", message: expect.stringContaining("soon") });
  });

  test("throws, hangs or prints does not disturb the other calls of an MCP client", async () => {
    const client = new Client({ name: "test", version: "1" });
    const args = [MAIN, "tools", "serve", "--module", BAD_TOOLS];
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, stderr: "ignore" }),
    );
    try {
      const hanging = client.callTool({ name: "hangs", arguments: {} }, { timeout: 500 });
      expect(await client.callTool({ name: "throws", arguments: {} })).toMatchObject({
        isError: true,
        content: [{ text: "out of paper" }],
      });
      await expect(hanging).rejects.toThrow(/timed out/i);
      expect(await client.callTool({ name: "prints", arguments: {} })).toMatchObject({
        content: [{ text: "quiet" }],
      });
    } finally {
      await client.close();
    }
  });
});

describe("a configuration that", () => {
  const freshFolder = () => {
    const folder = mkdtempSync(join(tmpdir(), "twintrack-bad-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return folder;
  };

  test.each([
    ["does not parse", "export default defineConfig({ flows: {", /config\.ts:2/],
    [
      "has no default export",
      "export const config = defineConfig({ flows: {} });",
      /export default/,
    ],
    ["has a wrong key", "export default defineConfig({ flow: {} });", /mean flows/],
    [
      "has a wrong key in a flow",
      "export default defineConfig({ flows: { add: { legaci: () => 1 } } });",
      /mean legacy/,
      /flows\.add.*legaci/,
    ],
    [
      "needs more than types stripped",
      "enum A { B }\nexport default defineConfig({ flows: {} });",
      /enum/,
    ],
    ["imports without a file ending", 'import "./tools";\nexport default {};', /file ending/],
  ])("%s is refused with its path and a remedy", async (_, text, remedy, place = /./) => {
    const config = join(freshFolder(), "twintrack.config.ts");
    writeFileSync(config, `import { defineConfig } from "${CONFIG_MODULE}";\n${text}`);
    const { code, error } = await document(["--config", config, "stage"]);
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(config),
      hint: expect.stringMatching(remedy),
    });
    expect(error.message).toMatch(place);
  });

  test("is not there says where it was looked for", async () => {
    const folder = freshFolder();
    const { code, error } = await document(["stage"], { cwd: folder });
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`No configuration in ${folder}`),
      hint: expect.stringContaining("--config"),
    });
  });
});

describe.concurrent("a Postgres that", () => {
  /** A place whose database is behind a proxy that is closed at first. */
  async function behindProxy(context: TestContext) {
    const place = await placeFor(context, "postgres");
    const db = databaseOf(place, context);
    const url = new URL(String(place.url));
    const proxy = await proxyTo(url.hostname, Number(url.port));
    context.onTestFinished(proxy.close);
    url.host = `127.0.0.1:${proxy.port}`;
    return { ...place, env: envOf({ ...place, url: url.href }), db, proxy };
  }
  const sink = ({ dataDir }: TestPlace): { cents: number; role: string }[] => {
    const text = readFileSync(join(dataDir, "sink.ndjson"), "utf8");
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  };

  test("is down at the start delays the report and no answer, and nothing is lost", async (context) => {
    const place = await behindProxy(context);
    const { proxy, env, db } = place;
    const { url } = await place.serving({ env });
    const first = await getJson(`${url}/readyz`);
    expect(first.status).toBe(503);
    for (let n = 1; n <= 20; n++) {
      expect(await invoke(url, "pay", { n })).toMatchObject({
        status: 200,
        body: { output: { receipt: `R-${n}00-EUR` } },
      });
    }
    const { database } = await readiness(url, 503, SOON);
    expect(database.problem).toContain(`127.0.0.1:${proxy.port}`);
    expect(await getJson(`${url}/api/report`)).toMatchObject({
      status: 503,
      body: { code: "STORE_UNAVAILABLE", hint: expect.stringContaining("TWINTRACK_DATABASE_URL") },
    });
    expect(await document([...APP, "stage"], { env })).toMatchObject({
      code: 5,
      error: { code: "STORE_UNAVAILABLE", hint: expect.any(String) },
    });
    expect(proxy.passed()).toBe(0);
    await proxy.open();
    await readiness(url, 200, SOON);
    await settled(db, 20);
    expect(sink(place)).toHaveLength(20);
  });

  test("goes away during traffic changes no answer, and nothing is lost", async (context) => {
    const place = await behindProxy(context);
    const { proxy, env, db } = place;
    await proxy.open();
    const { url } = await place.serving({ env });
    await readiness(url, 200, SOON);
    const statuses: number[] = [];
    const answer = async (from: number, to: number) => {
      for (let n = from; n <= to; n++) statuses.push((await invoke(url, "pay", { n })).status);
    };
    const before = Promise.all([answer(1, 40), answer(41, 80)]);
    await vi.waitFor(() => expect(statuses.length).toBeGreaterThan(10), SOON);
    await proxy.close();
    expect(proxy.cut()).toBeGreaterThan(0);
    await before;
    await readiness(url, 503, SOON);
    await answer(81, 100);
    await proxy.open();
    await settled(db, 100);
    expect(statuses).toEqual(Array.from({ length: 100 }, () => 200));
    expect(new Set(sink(place).map((line) => line.cents)).size).toBe(100);
    expect(sink(place).filter((line) => line.role !== "live")).toEqual([]);
    await readiness(url, 200, SOON);
  });

  test("ends a connection in the middle of a transaction ends no server", async (context) => {
    const { db, url: direct, serving } = await behindProxy(context);
    const server = await serving();
    await readiness(server.url, 200, SOON);
    const rival = new pg.Client({ connectionString: direct });
    await rival.connect();
    try {
      await rival.query("begin; lock table twintrack.trials in access exclusive mode");
      for (let n = 1; n <= 5; n++) await invoke(server.url, "pay", { n });
      await vi.waitFor(async () => {
        // Not through the rival: its transaction would see the first look for ever.
        const rows = await db.query(
          `select pg_terminate_backend(pid) as ended from pg_stat_activity
           where application_name = 'twintrack' and datname = current_database() and wait_event_type = 'Lock'
             and query like 'insert into twintrack.trials%'`,
        );
        expect(rows).toContainEqual({ ended: true });
      }, SOON);
      await rival.query("rollback");
    } finally {
      await rival.end();
    }
    await settled(db, 5);
    expect(server.process.exitCode).toBeNull();
    expect(await invoke(server.url, "add", { n: 1 })).toMatchObject({ status: 200 });
  });
});

describe.concurrent("a spool folder that", () => {
  test("cannot be made is told by readyz, and the records go to the store from memory", async (context) => {
    const place = await placeFor(context, "postgres");
    const [db, folder] = [databaseOf(place, context), join(place.dataDir, "spool")];
    writeFileSync(folder, "a file where the folder should be");
    const { url } = await place.serving();
    for (let n = 1; n <= 5; n++) expect((await invoke(url, "pay", { n })).status).toBe(200);
    expect(await getJson(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: { spool: { problem: expect.stringMatching(/EEXIST|ENOTDIR/) } },
    });
    await settled(db, 5);
    rmSync(folder);
    await readiness(url, 200, SOON);
    expect((await invoke(url, "pay", { n: 6 })).status).toBe(200);
    await settled(db, 6);
  });

  test("is on a full disk loses nothing while the store takes the records", async (context) => {
    const place = await placeFor(context, "postgres");
    // Two blocks are 1,024 bytes: the small files fit, a record with a large input does not.
    const { url } = await place.serving({ before: "ulimit -f 2" });
    const large = { n: 1, text: "x".repeat(4_000) };
    expect(await invoke(url, "add", large)).toMatchObject({
      status: 200,
      body: { output: { sum: 2 } },
    });
    expect((await getJson(`${url}/readyz`)).body.spool.problem).toMatch(/EFBIG/);
    expect((await invoke(url, "add", { n: 1 })).status).toBe(200);
    await settled(databaseOf(place, context), 2);
  });

  test("is removed under a running server loses nothing that is answered afterwards", async (context) => {
    const place = await placeFor(context, "postgres");
    const folder = join(place.dataDir, "spool");
    const nowhere = envOf({ ...place, url: "postgres://postgres@127.0.0.1:1/none" });
    const first = await place.serving({ env: nowhere });
    expect((await invoke(first.url, "add", { n: 1 })).status).toBe(200);
    expect(readdirSync(folder)).toHaveLength(1);
    rmSync(folder, { recursive: true });
    expect((await invoke(first.url, "add", { n: 2 })).status).toBe(200);
    await vi.waitFor(() => expect(existsSync(folder)).toBe(true), SOON);
    await first.end("SIGKILL");
    await place.serving();
    await settled(databaseOf(place, context), 2);
  });
});

describe.concurrent("an embedded folder that", () => {
  test("a server has open is not opened again: the error names the process and a remedy", async (context) => {
    const { env, serving } = await placeFor(context, "pglite");
    const server = await serving();
    await readiness(server.url, 200, SOON);
    const args = [...APP, "run", "add", "--input", '{"n":1}'];
    expect(await document(args, { env })).toMatchObject({
      code: 6,
      error: {
        code: "STORE_LOCKED",
        message: expect.stringContaining(`process ${server.pid}`),
        hint: expect.stringContaining(`kill ${server.pid}`),
      },
    });
    // A command that needs only the store is done by the server that has it.
    const off = ["shadow", "off", "add", "--why", "a test", "--who", "tester"];
    expect(await document([...APP, ...off], { env })).toMatchObject({
      code: 0,
      reply: { data: { flows: [{ flow: "add", from: "shadow", to: "legacy" }] } },
    });
    await invoke(server.url, "add", { n: 1 });
    await vi.waitFor(async () => {
      const { reply } = await document([...APP, "report", "add"], { env });
      expect(reply.data.books).toMatchObject({ gaps: 0 });
    }, SOON);
    expect(await document([...APP, "gate", "adds"], { env })).toMatchObject({
      code: 2,
      error: { code: "FLOW_UNKNOWN" },
    });
  });

  test("a server has open is refused to a second one, and commands still find the first", async (context) => {
    const { env, serving } = await placeFor(context, "pglite");
    const first = await serving();
    await expect(serving()).rejects.toThrow(
      new RegExp(`STORE_LOCKED.*process ${first.pid}.*kill ${first.pid}`, "s"),
    );
    const stage = () => document([...APP, "stage", "add"], { env });
    expect(await stage()).toMatchObject({ code: 0 });
    expect(await invoke(first.url, "add", { n: 1 })).toMatchObject({ status: 200 });
    // A server that was killed holds nothing: its lock and its note are stale.
    await first.end("SIGKILL");
    expect(await stage()).toMatchObject({ code: 0 });
  });
});
