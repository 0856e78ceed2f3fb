/** What people get wrong, and what fails under them: the error they see, and what it must not touch. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { books } from "../../harness/store/books.ts";
import {
  command,
  document,
  getJson,
  invoke,
  MAIN,
  type ServeOptions,
  type Serving,
  startServe,
} from "../app/command.ts";
import { proxyTo, type TcpProxy } from "../app/proxy.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const BAD_TOOLS = fileURLToPath(new URL("../app/bad-tools.ts", import.meta.url));
const HARNESS = new URL("../../harness/index.ts", import.meta.url).href;
const CORE = new URL("../../core/index.ts", import.meta.url).href;
const APP = ["--config", CONFIG_FILE];
/** Longer than a lease: a trial whose claim was cut off on its way comes back after 30 s. */
const SOON = { timeout: 50_000, interval: 25 };

let folder: string;
let fresh: TestDatabase;
const running: Serving[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-bad-"));
  fresh = await freshDatabase("postgres");
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.end("SIGKILL");
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** What a command or server gets told: a folder of its own, and this test's database unless told otherwise. */
function env(url: string | undefined = fresh.url): Record<string, string> {
  const own = { TWINTRACK_DATA_DIR: folder, TWINTRACK_SINK: join(folder, "sink.ndjson") };
  return { ...own, TWINTRACK_DATABASE_URL: url ?? "" };
}

/** The embedded database in the folder. */
const embedded = () => ({ ...env(), TWINTRACK_DATABASE_URL: "" });

async function serving(options: Partial<ServeOptions> = {}): Promise<Serving> {
  const server = await startServe({ env: env(), ...options });
  running.push(server);
  return server;
}

function sink(): { cents: number; role: string }[] {
  const text = readFileSync(join(folder, "sink.ndjson"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** A configuration file of the test's own; `text` may use defineConfig, python and http. */
function configFile(text: string): string {
  const file = join(folder, "twintrack.config.ts");
  writeFileSync(file, `import { defineConfig, http, python } from "${HARNESS}";\n${text}`);
  return file;
}

describe("a request that no flow can take", () => {
  test("for an unknown flow names the flow and those that there are", async () => {
    const { code, error } = await document([...APP, "run", "adds", "--input", "{}"], {
      env: env(),
    });
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "FLOW_UNKNOWN",
      message: 'No flow is called "adds"',
      hint: expect.stringContaining("add, pay"),
    });
    const { url } = await serving();
    expect(await invoke(url, "adds", {})).toMatchObject({
      status: 404,
      body: { code: "FLOW_UNKNOWN", detail: 'No flow is called "adds"' },
    });
  });

  test("with an input that does not fit names the field, and is no trial", async () => {
    const { code, error } = await document([...APP, "run", "add", "--input", '{"n":"one"}'], {
      env: env(),
    });
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "INPUT_INVALID", message: expect.stringContaining("/n ") });
    const { url } = await serving();
    expect(await invoke(url, "add", { n: "one" })).toMatchObject({
      status: 422,
      body: { code: "INPUT_INVALID", detail: expect.stringContaining("/n ") },
    });
    expect((await getJson(`${url}/readyz`)).body).toMatchObject({ answered: 0, refused: 1 });
  });

  test("with an input that is not JSON says how to quote it", async () => {
    const { code, error } = await document([...APP, "run", "add", "--input", "{n:1}"], {
      env: env(),
    });
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "USAGE", hint: expect.stringContaining("--input '") });
  });
});

describe("a Python that is not there", () => {
  test.each([
    ["an interpreter that does not exist", "/nowhere/bin/python", /"\/nowhere\/bin\/python"/],
    ["an interpreter that is no Python", "/bin/false", /exit(ed)?.* 1/],
  ])("%s is named with its path, and another flow is still answered", async (_, path, said) => {
    const config = configFile(`export default defineConfig({ flows: {
      py: { legacy: python("app.chain:chain", { interpreter: "${path}" }) },
      js: { legacy: () => ({ n }) => n + 1 },
    } });`);
    const args = ["--config", config, "run", "py", "--input", '{"n":1}'];
    const { code, error } = await document(args, { env: env() });
    expect(code).toBe(5);
    expect(error).toMatchObject({
      code: "PYTHON_UNAVAILABLE",
      message: expect.stringMatching(said),
      hint: expect.any(String),
    });
    const { url } = await serving({ config });
    expect(await invoke(url, "py", { n: 1 })).toMatchObject({
      status: 502,
      body: { code: "PYTHON_UNAVAILABLE" },
    });
    expect(await invoke(url, "js", { n: 1 })).toMatchObject({ status: 200, body: { output: 2 } });
  });

  test("a module that cannot be imported is named with Python's own words", async () => {
    const args = ["tools", "list", "--python", "no_such_package.tools:TOOLS"];
    const { code, error } = await document(args);
    expect(code).toBe(5);
    expect(error).toMatchObject({
      code: "PYTHON_UNAVAILABLE",
      message: expect.stringContaining("No module named 'no_such_package'"),
      hint: expect.stringContaining("cwd"),
    });
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

describe("a candidate that", () => {
  test("throws or never ends costs a verdict; the caller gets legacy's answer", async () => {
    const { url } = await serving();
    for (const flow of ["throws", "hangs"]) {
      expect(await invoke(url, flow, { n: 1 })).toMatchObject({
        status: 200,
        body: { output: { sum: 2 }, metadata: { side: "legacy" } },
      });
    }
    await vi.waitFor(async () => {
      const { body } = await getJson(`${url}/api/report`);
      expect(body.books).toMatchObject({
        answered: 2,
        open: 0,
        gaps: 0,
        verdicts: { candidate_error: 1, candidate_timeout: 1 },
      });
    }, SOON);
  });

  test("does not load leaves legacy's answer as it is", async () => {
    const config = configFile(`export default defineConfig({ flows: { add: {
      legacy: () => ({ n }) => n + 1, stage: "shadow",
      candidate: async () => { throw new Error("no such flow file"); },
    } } });`);
    const { url } = await serving({ config });
    expect(await invoke(url, "add", { n: 1 })).toMatchObject({ status: 200, body: { output: 2 } });
    await vi.waitFor(async () => {
      const { body } = await getJson(`${url}/api/report`);
      expect(body.books).toMatchObject({ answered: 1, open: 0, gaps: 0 });
    }, SOON);
  });
});

test("A7: a candidate that returns 100 MB is judged, and its megabytes stay where they are", async () => {
  const config = configFile(`import { flow } from "${CORE}";
    import { z } from "${import.meta.resolve("zod")}";
    const schemas = { version: "1", input: z.object({ n: z.number() }), output: z.unknown() };
    const candidate = flow("big", schemas)
      .step("big", { run: () => "x".repeat(100_000_000) })
      .returns(({ big }) => big);
    export default defineConfig({ flows: {
      big: { legacy: () => () => "small", candidate, stage: "shadow" },
    } });`);
  const { url } = await serving({ config });
  expect(await invoke(url, "big", { n: 1 })).toMatchObject({ body: { output: "small" } });
  await vi.waitFor(async () => {
    expect(await books(fresh.db)).toMatchObject({ open: 0, verdicts: { incomparable: 1 } });
  }, SOON);
  const [kept] = await fresh.db.query<{ bytes: number; difference: string; reason: string }>(
    `select length(r.payload) as bytes, d.difference, t.reason from twintrack.trials t
     join twintrack.runs r on r.trial_id = t.id and r.side = 'candidate'
     join twintrack.differences d on d.trial_id = t.id`,
  );
  expect(kept?.bytes).toBeLessThan(1_000);
  expect(kept?.reason).toMatch(/^oversize: 1000000\d\d characters$/);
  expect(JSON.parse(String(kept?.difference))).toMatchObject({
    legacy: "small",
    candidate: expect.stringMatching(/1000000\d\d bytes, not kept/),
  });
});

describe("a configuration that", () => {
  test.each([
    ["does not parse", "export default defineConfig({ flows: {", /node --check/],
    [
      "has no default export",
      "export const config = defineConfig({ flows: {} });",
      /export default/,
    ],
    ["has a wrong key", "export default defineConfig({ flow: {} });", /README/],
    [
      "has a wrong key in a flow",
      "export default defineConfig({ flows: { add: { legaci: () => 1 } } });",
      /README/,
    ],
    [
      "needs more than types stripped",
      "enum A { B }\nexport default defineConfig({ flows: {} });",
      /enum/,
    ],
    ["imports without a file ending", 'import "./tools";\nexport default {};', /file ending/],
  ])("%s is refused with its path and a remedy", async (_, text, remedy) => {
    const config = configFile(text);
    const { code, error } = await document(["--config", config, "stage"]);
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(config),
      hint: expect.stringMatching(remedy),
    });
  });

  test("has a wrong key names the key", async () => {
    const config = configFile(
      "export default defineConfig({ flows: { add: { legaci: () => 1 } } });",
    );
    const { error } = await document(["--config", config, "stage"]);
    expect(error.message).toContain("flows.add");
    expect(error.message).toContain("legaci");
  });

  test("is not there says where it was looked for", async () => {
    const { code, error } = await document(["stage"], { cwd: folder });
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(join(folder, "twintrack.config.ts")),
      hint: expect.stringContaining("--config"),
    });
  });
});

describe("a Postgres that", () => {
  let proxy: TcpProxy;
  let through: string;
  beforeEach(async () => {
    const url = new URL(String(fresh.url));
    proxy = await proxyTo(url.hostname, Number(url.port));
    url.host = `127.0.0.1:${proxy.port}`;
    through = url.href;
  });
  afterEach(() => proxy.close());

  const settled = (answered: number) =>
    vi.waitFor(async () => {
      expect(await books(fresh.db)).toEqual({
        answered,
        verdicts: { match: answered },
        open: 0,
        gaps: {},
        unexplained: 0,
      });
    }, SOON);
  const readiness = (url: string, status: number) =>
    vi.waitFor(async () => {
      const ready = await getJson(`${url}/readyz`);
      expect(ready.status).toBe(status);
      return ready.body;
    }, SOON);

  test("is down at the start delays the report and no answer, and nothing is lost", async () => {
    const { url } = await serving({ env: env(through) });
    const first = await getJson(`${url}/readyz`);
    expect(first.status).toBe(503);
    for (let n = 1; n <= 20; n++) {
      expect(await invoke(url, "pay", { n })).toMatchObject({
        status: 200,
        body: { output: { receipt: `R-${n}00-EUR` } },
      });
    }
    const { database } = await readiness(url, 503);
    expect(database.problem).toContain(`127.0.0.1:${proxy.port}`);
    expect(await getJson(`${url}/api/report`)).toMatchObject({
      status: 503,
      body: { code: "STORE_UNAVAILABLE", hint: expect.stringContaining("TWINTRACK_DATABASE_URL") },
    });
    expect(await document([...APP, "stage"], { env: env(through) })).toMatchObject({
      code: 5,
      error: { code: "STORE_UNAVAILABLE", hint: expect.any(String) },
    });
    expect(proxy.passed()).toBe(0);
    await proxy.open();
    await readiness(url, 200);
    await settled(20);
    expect(sink()).toHaveLength(20);
  });

  test("goes away during traffic changes no answer, and nothing is lost", async () => {
    await proxy.open();
    const { url } = await serving({ env: env(through) });
    await readiness(url, 200);
    const statuses: number[] = [];
    const answer = async (from: number, to: number) => {
      for (let n = from; n <= to; n++) statuses.push((await invoke(url, "pay", { n })).status);
    };
    const before = Promise.all([answer(1, 40), answer(41, 80)]);
    await vi.waitFor(() => expect(statuses.length).toBeGreaterThan(10), SOON);
    await proxy.close();
    expect(proxy.cut()).toBeGreaterThan(0);
    await before;
    await readiness(url, 503);
    await answer(81, 100);
    await proxy.open();
    await settled(100);
    expect(statuses).toEqual(Array.from({ length: 100 }, () => 200));
    expect(new Set(sink().map((line) => line.cents)).size).toBe(100);
    expect(sink().filter((line) => line.role !== "live")).toEqual([]);
    await readiness(url, 200);
  });

  test("ends a connection in the middle of a transaction ends no server", async () => {
    const server = await serving();
    await readiness(server.url, 200);
    const rival = new pg.Client({ connectionString: fresh.url });
    await rival.connect();
    try {
      await rival.query("begin; lock table twintrack.trials in access exclusive mode");
      for (let n = 1; n <= 5; n++) await invoke(server.url, "pay", { n });
      await vi.waitFor(async () => {
        // Not through the rival: its transaction would see the first look for ever.
        const rows = await fresh.db.query(
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
    await settled(5);
    expect(server.process.exitCode).toBeNull();
    expect(await invoke(server.url, "add", { n: 1 })).toMatchObject({ status: 200 });
  });
});

describe("a spool folder that", () => {
  const settled = (url: string, answered: number) =>
    vi.waitFor(async () => {
      const { body } = await getJson(`${url}/api/report`);
      expect(body.books).toMatchObject({
        answered,
        open: 0,
        gaps: 0,
        verdicts: { match: answered },
      });
    }, SOON);

  test("cannot be made is told by readyz, and the records go to the store from memory", async () => {
    writeFileSync(join(folder, "spool"), "a file where the folder should be");
    const { url } = await serving();
    for (let n = 1; n <= 5; n++) expect((await invoke(url, "pay", { n })).status).toBe(200);
    expect(await getJson(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: { spool: { problem: expect.stringMatching(/EEXIST|ENOTDIR/) } },
    });
    await settled(url, 5);
    rmSync(join(folder, "spool"));
    await vi.waitFor(async () => {
      expect((await getJson(`${url}/readyz`)).status).toBe(200);
    }, SOON);
    expect((await invoke(url, "pay", { n: 6 })).status).toBe(200);
    await settled(url, 6);
  });

  test("is on a full disk loses nothing while the store takes the records", async () => {
    // Two blocks are 1,024 bytes: the small files fit, a record with a large input does not.
    const { url } = await serving({ before: "ulimit -f 2" });
    const large = { n: 1, text: "x".repeat(4_000) };
    expect(await invoke(url, "add", large)).toMatchObject({
      status: 200,
      body: { output: { sum: 2 } },
    });
    expect((await getJson(`${url}/readyz`)).body.spool.problem).toMatch(/EFBIG/);
    expect((await invoke(url, "add", { n: 1 })).status).toBe(200);
    await settled(url, 2);
  });

  test("is removed under a running server loses nothing that is answered afterwards", async () => {
    const { url } = await serving({ env: env("postgres://postgres@127.0.0.1:1/none") });
    expect((await invoke(url, "add", { n: 1 })).status).toBe(200);
    expect(readdirSync(join(folder, "spool"))).toHaveLength(1);
    rmSync(join(folder, "spool"), { recursive: true });
    expect((await invoke(url, "add", { n: 2 })).status).toBe(200);
    await vi.waitFor(() => expect(existsSync(join(folder, "spool"))).toBe(true), SOON);
    for (const server of running.splice(0)) await server.end("SIGKILL");
    const next = await serving();
    await settled(next.url, 2);
  });
});

describe("an embedded folder that", () => {
  test("a server has open is not opened again: the error names the process and a remedy", async () => {
    const server = await serving({ env: embedded() });
    await vi.waitFor(async () => {
      expect((await getJson(`${server.url}/readyz`)).status).toBe(200);
    }, SOON);
    const args = [...APP, "run", "add", "--input", '{"n":1}'];
    expect(await document(args, { env: embedded() })).toMatchObject({
      code: 6,
      error: {
        code: "STORE_LOCKED",
        message: expect.stringContaining(`process ${server.pid}`),
        hint: expect.stringContaining(`kill ${server.pid}`),
      },
    });
    // A command that needs only the store is done by the server that has it.
    const off = ["shadow", "off", "add", "--why", "a test", "--who", "tester"];
    expect(await document([...APP, ...off], { env: embedded() })).toMatchObject({
      code: 0,
      reply: { data: { flows: [{ flow: "add", from: "shadow", to: "legacy" }] } },
    });
    await invoke(server.url, "add", { n: 1 });
    await vi.waitFor(async () => {
      const { reply } = await document([...APP, "report"], { env: embedded() });
      expect(reply.data.books).toMatchObject({ gaps: 0 });
    }, SOON);
    expect(await document([...APP, "gate", "adds"], { env: embedded() })).toMatchObject({
      code: 2,
      error: { code: "FLOW_UNKNOWN" },
    });
  });

  test("a server has open is refused to a second one, and commands still find the first", async () => {
    const first = await serving({ env: embedded() });
    await expect(serving({ env: embedded() })).rejects.toThrow(
      new RegExp(`STORE_LOCKED.*process ${first.pid}.*kill ${first.pid}`, "s"),
    );
    const stage = () => document([...APP, "stage", "add"], { env: embedded() });
    expect(await stage()).toMatchObject({ code: 0 });
    expect(await invoke(first.url, "add", { n: 1 })).toMatchObject({ status: 200 });
    // A server that was killed holds nothing: its lock and its note are stale.
    await first.end("SIGKILL");
    expect(await stage()).toMatchObject({ code: 0 });
  });
});
