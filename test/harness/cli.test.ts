/** Every command as a script sees it: its exit code and its one JSON document. */
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, document, MAIN, ROOT } from "../app/command.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { createDatabase, freshDatabase, type TestDatabase } from "../database.ts";

let fresh: TestDatabase;
let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  folder = mkdtempSync(join(tmpdir(), "twintrack-cli-"));
  env = {
    TWINTRACK_DATABASE_URL: fresh.url ?? "",
    TWINTRACK_DATA_DIR: fresh.dataDir,
    TWINTRACK_SINK: join(folder, "sink.ndjson"),
  };
});
afterAll(async () => {
  await fresh.drop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => document([...args, "--config", CONFIG_FILE], { env });

function file(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

test("a project whose package.json has no type is loaded without a word of Node about it", async () => {
  const project = mkdtempSync(join(tmpdir(), "twintrack-typeless-"));
  symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
  writeFileSync(join(project, "package.json"), "{}");
  writeFileSync(
    join(project, "tools.ts"),
    `import { tool } from "@langchain/core/tools";
     process.emitWarning("of its own");
     export const tools = [tool(() => "", { name: "one", description: "One.", schema: {} })];`,
  );
  const listed = await command(["tools", "list", "--module", "./tools.ts"], { cwd: project });
  rmSync(project, { recursive: true, force: true });
  expect(listed.stdout).toContain("one");
  expect(listed.stderr).not.toContain("TYPELESS");
  expect(listed.stderr).toContain("of its own");
});

test("an import that ends in .js and means a .ts says what takes such imports", async () => {
  const project = mkdtempSync(join(tmpdir(), "twintrack-endings-"));
  writeFileSync(join(project, "parts.ts"), "export const parts = [];");
  writeFileSync(join(project, "tools.ts"), 'export { parts as tools } from "./parts.js";');
  const listed = await command(["tools", "list", "--module", "./tools.ts"], { cwd: project });
  rmSync(project, { recursive: true, force: true });
  expect(listed.code).toBe(2);
  expect(listed.stderr).toContain('NODE_OPTIONS="--import tsx"');
});

describe("diff", () => {
  test("exits 0 for equal files, whatever the order of keys", async () => {
    const { code, reply } = await document([
      "diff",
      file("a.json", { a: 1, b: 2 }),
      file("b.json", { b: 2.0, a: 1 }),
    ]);
    expect(code).toBe(0);
    expect(reply).toEqual({
      schema: "twintrack/diff@1",
      ok: true,
      data: { verdict: "match", truncated: false, differences: [] },
      warnings: [],
      next: [],
    });
  });

  test("exits 3 for a difference and names its place and both values", async () => {
    const { code, reply } = await document([
      "diff",
      file("a.json", { a: { b: 1 } }),
      file("b.json", { a: { b: "1" } }),
    ]);
    expect(code).toBe(3);
    expect(reply).toMatchObject({
      ok: false,
      data: {
        verdict: "mismatch",
        differences: [{ kind: "type", path: "/a/b", legacy: 1, candidate: "1" }],
      },
    });
  });

  test("B8, B9: keeps numbers apart that JavaScript would round, and warns of repeated keys", async () => {
    const [a, b] = [join(folder, "text-a.json"), join(folder, "text-b.json")];
    writeFileSync(a, '{"id":9007199254740993,"x":1,"x":2}');
    writeFileSync(b, '{"id":9007199254740992,"x":2}');
    const { code, reply } = await document(["diff", a, b]);
    expect(code).toBe(3);
    expect(reply.data.differences).toMatchObject([{ path: "/id" }]);
    expect(reply.warnings).toEqual([expect.stringContaining("text-a.json: /x")]);
  });

  test("exits 0 when a rule explains the difference, and warns of a rule it cannot use", async () => {
    const rules = file("rules.json", [
      { path: "/id", as: "uuid", reason: "made anew" },
      { path: "/x", matches: ["(a+)+$"] },
    ]);
    const a = file("a.json", { id: "5f0f7a1e-4f0c-4f6e-9a43-0f5f6f0f7a1e" });
    const b = file("b.json", { id: "0b9a8c7d-1e2f-4a3b-8c4d-5e6f7a8b9c0d" });
    const { code, reply } = await document(["diff", a, b, "--rules", rules]);
    expect(code).toBe(0);
    expect(reply).toMatchObject({
      data: { verdict: "ignored" },
      warnings: [expect.stringContaining("(a+)+$")],
    });
  });

  test("exits 2 for a file that is not JSON, naming it", async () => {
    const path = join(folder, "broken.json");
    writeFileSync(path, "{");
    const { code, error } = await document(["diff", path, path]);
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "USAGE", message: expect.stringContaining(path) });
  });
});

describe("gate on numbers alone", () => {
  const clean = {
    trials: 2_000,
    mismatches: 0,
    ignored: 0,
    candidateErrors: 0,
    bothFailed: 0,
    effectDifferences: 0,
    contractViolations: 0,
    openBugs: 0,
    answered: 2_000,
    notRun: 0,
    days: 8,
    noise: { trials: 100, mismatches: 0 },
    latencyMs: { legacyP95: 100, candidateP95: 90 },
  };
  const policy = () => file("policy.json", { minTrials: 300, minDays: 7, maxMismatchRate: 0.01 });

  test.each([
    ["open", 0, {}],
    ["closed", 3, { mismatches: 200 }],
    ["closed", 3, { effectDifferences: 1 }],
    ["undecided", 4, { trials: 20, answered: 20 }],
    ["undecided", 4, { trials: 0, answered: 0, days: 0 }],
  ])("is %s with exit %i for %j", async (decision, code, change) => {
    const evidence = file("evidence.json", { ...clean, ...change });
    const ended = await document(["gate", "--evidence", evidence, "--policy", policy()]);
    expect(ended.code).toBe(code);
    expect(ended.reply).toMatchObject({
      schema: "twintrack/gate@1",
      ok: code === 0,
      data: { decision },
    });
    expect(ended.reply.data.reasons[0]).toEqual(
      expect.objectContaining({
        criterion: expect.any(String),
        status: expect.any(String),
        detail: expect.any(String),
      }),
    );
  });

  test("with --simulate says how many more triggers it needs", async () => {
    const evidence = file("evidence.json", { ...clean, trials: 100, answered: 100 });
    const args = ["gate", "--simulate", "--evidence", evidence, "--policy", policy()];
    const { reply } = await document(args);
    expect(reply.data.forecast.spotless.triggers).toBeGreaterThan(150);
    expect((await command(args)).stdout).toContain(
      `if nothing differs any more: about ${reply.data.forecast.spotless.triggers} more triggers`,
    );
  });
});

describe("a flow, from stage to stage", () => {
  test("runs as a caller would get it", async () => {
    const { code, reply } = await run("run", "add", "--input", '{"n":1}');
    expect(code).toBe(0);
    expect(reply).toMatchObject({
      schema: "twintrack/run@1",
      data: { output: { sum: 2 }, metadata: { side: "legacy" } },
    });
  });

  test("shows its stage, goes into the shadow and out of it", async () => {
    const on = await run("shadow", "on", "add");
    expect(on.error).toMatchObject({ code: "STAGE_REFUSED" }); // The configuration has it there already.
    const off = await run("shadow", "off", "add", "--why", "tested");
    expect(off.reply).toMatchObject({
      data: { flows: [{ flow: "add", from: "shadow", to: "legacy" }] },
    });
    expect((await run("stage", "add")).reply).toMatchObject({
      data: { flows: [{ flow: "add", stage: "legacy" }] },
    });
    expect((await run("shadow", "on", "add")).code).toBe(0);
  });

  test("is not cut over while its gate is not open, unless somebody answers for it", async () => {
    const refused = await run("cutover", "add", "--why", "hope");
    expect(refused).toMatchObject({
      code: 6,
      error: { code: "STAGE_REFUSED", hint: expect.stringContaining("--override") },
    });
    const canary = await run(
      "cutover",
      "add",
      "--to",
      "5%",
      "--why",
      "hope",
      "--override",
      "--who",
      "ada",
    );
    expect(canary.reply).toMatchObject({
      data: { from: "shadow", to: "canary", canaryPercent: 5 },
    });
    const rows = await fresh.db.query(
      "select who, why, to_stage from twintrack.stage_changes order by id desc limit 1",
    );
    expect(rows).toEqual([{ who: "ada", why: "hope", to_stage: "canary" }]);
    const back = await run("rollback", "add", "--why", "done", "--to", "shadow");
    expect(back.reply).toMatchObject({
      data: { to: "shadow", effects: { writes: [], truncated: false } },
      warnings: [],
    });
  });

  test("cannot be retired before it is cut over", async () => {
    expect(await run("retire", "add", "--why", "no")).toMatchObject({
      code: 6,
      error: { code: "STAGE_REFUSED" },
    });
  });

  test("is reported as text, JSON, Markdown and one HTML file", async () => {
    await run("run", "paysTwice", "--input", '{"n":7}');
    const html = join(folder, "report.html");
    const { code, reply } = await run("report", "paysTwice", "--html", html);
    expect(code).toBe(0);
    expect(reply.data.schema).toBe("twintrack/report@1");
    expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>/i);
    const report = ["report", "paysTwice", "--config", CONFIG_FILE];
    const markdown = await command([...report, "--markdown"], { env });
    expect(markdown.stdout).toMatch(/\|.*paysTwice/);
    const text = await command(report, { env });
    expect(text.stdout).toContain("paysTwice");
    expect(text.stdout).not.toContain("\u001b[");
  });

  test("has divergences that a person decides on", async () => {
    const { reply } = await run("report", "paysTwice");
    const [divergence] = reply.data.flows[0].divergences;
    expect(divergence).toMatchObject({ kind: "effect", blocking: true });
    const decided = await run(
      "triage",
      "paysTwice",
      divergence.fingerprint,
      "--as",
      "intended",
      "--why",
      "asked for",
    );
    expect(decided.code).toBe(0);
    const after = await run("report", "paysTwice");
    expect(after.reply.data.flows[0].divergences[0]).toMatchObject({
      blocking: false,
      decision: { decision: "intended" },
    });
    const unknown = await run(
      "triage",
      "paysTwice",
      "v1:0000000000000000",
      "--as",
      "noise",
      "--why",
      "x",
    );
    expect(unknown).toMatchObject({
      code: 2,
      error: { hint: expect.stringContaining(divergence.fingerprint) },
    });
  });

  test("has a gate that is undecided with exit 4 after one trial", async () => {
    const { code, reply } = await run("gate", "add");
    expect(code).toBe(4);
    expect(reply).toMatchObject({ ok: false, data: { decision: "undecided" } });
  });
});

test("where only a part of the answers was compared, gate, report and cutover say that callers get the whole", async () => {
  const config = join(folder, "extract.config.ts");
  writeFileSync(
    config,
    `import app from ${JSON.stringify(CONFIG_FILE)};
     const { legacy, candidate } = app.flows.add;
     const whole = { legacy, candidate, stage: "shadow" };
     export default { flows: { part: { ...whole, extract: { legacy: ({ sum }) => sum } }, whole } };`,
  );
  const on = (...args: string[]) => document([...args, "--config", config], { env });
  const told = [expect.stringContaining("callers get the whole")];
  const report = await command(["report", "part", "--config", config], { env });
  const meant = ["--why", "hope", "--override"];

  expect((await on("gate", "part")).reply.warnings).toEqual(told);
  expect((await on("report", "part")).reply.data.flows[0].notes).toEqual(told);
  expect(report.stdout).toMatch(/! Only what extract takes/);
  expect((await on("cutover", "part", ...meant)).reply.warnings).toEqual(told);
  expect((await on("gate", "whole")).reply.warnings).toEqual([]);
  expect((await on("cutover", "whole", ...meant)).reply.warnings).toEqual([]);
});

test("migrate status only looks; migrate brings the schema up to date", async () => {
  const url = await createDatabase(`cli_${process.pid}`);
  const empty = { env: { ...env, TWINTRACK_DATABASE_URL: url } };
  const words = ["migrate", "status", "--config", CONFIG_FILE];
  const versions = readdirSync(join(ROOT, "harness/store/migrations"))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
  for (let look = 0; look < 2; look++) {
    expect((await document(words, empty)).reply).toMatchObject({
      data: { applied: [], pending: versions },
    });
  }

  expect((await run("migrate")).reply).toMatchObject({ data: { applied: versions, pending: [] } });
  expect((await run("migrate", "status")).code).toBe(0);
});

describe("tools", () => {
  test("are listed with contract and effect, from a configuration and from a module alone", async () => {
    const { reply } = await run("tools", "list");
    expect(reply.data.tools).toMatchObject([
      {
        name: "shop.quote",
        language: "javascript",
        effect: "read",
        inputSchema: { type: "object" },
      },
      {
        name: "shop.charge",
        effect: "write",
        contractHash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      },
    ]);
    const adHoc = await document([
      "tools",
      "list",
      "--module",
      "test/app/tools.ts",
      "--read",
      "quote",
    ]);
    expect(adHoc.reply.data.tools).toMatchObject([
      { name: "quote", effect: "read" },
      { name: "charge", effect: "write" },
    ]);
  });

  test("are called, with the verdict on their contract", async () => {
    const { code, reply } = await run("tools", "call", "shop.quote", "--input", '{"n":2}');
    expect(code).toBe(0);
    expect(reply).toMatchObject({
      data: { isError: false, contract: "ok", result: { structuredContent: { cents: 200 } } },
    });
    const wrong = await run("tools", "call", "shop.quote", "--input", '{"n":"two"}');
    expect(wrong.code).toBe(1);
    expect(wrong.reply).toMatchObject({
      data: { isError: true, contract: [expect.stringContaining("/n")] },
    });
  });

  test("that nobody knows are refused with the nearest names", async () => {
    expect(await run("tools", "call", "shop.qoute")).toMatchObject({
      code: 2,
      error: { code: "TOOL_UNKNOWN", hint: expect.stringContaining("shop.quote") },
    });
  });

  test("have contracts that are locked in files and checked: exit 3 on drift", async () => {
    const dir = join(folder, "contracts");
    const contracts = (flag: string) => run("tools", "contracts", flag, "--dir", dir);
    expect((await contracts("--write")).code).toBe(0);
    expect((await contracts("--check")).code).toBe(0);
    const lock = join(dir, "shop.quote.json");
    const locked = readFileSync(lock, "utf8");
    const drift = async (text: string) => {
      writeFileSync(lock, text);
      const { code, reply } = await contracts("--check");
      expect(code).toBe(3);
      expect(reply.data.drift).toHaveLength(1);
      expect(reply.data.drift[0].file).toBe(lock);
      return reply.data.drift[0];
    };

    expect(await drift("torn")).toMatchObject({ drift: "unreadable" });
    expect(await drift(locked.replace("sha256:", "sha256:0"))).toMatchObject({
      drift: "unreadable",
      reason: expect.stringContaining("contractHash"),
    });
    const other = { ...JSON.parse(locked), contractHash: "sha256:0" };
    const { required: _all, ...open } = other.inputSchema;
    expect(await drift(JSON.stringify({ ...other, inputSchema: open }))).toMatchObject({
      drift: "breaking",
      changes: [{ drift: "breaking", at: "input/properties/n", what: "is required now" }],
    });
    const { properties } = open;
    const free = { ...other.inputSchema, properties: { ...properties, extra: {} } };
    expect(await drift(JSON.stringify({ ...other, inputSchema: free }))).toMatchObject({
      changes: [{ drift: "breaking", at: "input/properties/extra", what: "is gone" }],
    });
    const narrow = { ...properties, n: { ...properties.n, description: "another" } };
    expect(
      await drift(
        JSON.stringify({ ...other, inputSchema: { ...other.inputSchema, properties: narrow } }),
      ),
    ).toMatchObject({ drift: "additive" });
    writeFileSync(lock, locked);
    writeFileSync(join(dir, "shop.gone.json"), locked);
    expect((await contracts("--check")).reply.data.drift).toMatchObject([{ drift: "gone" }]);
  });

  test("have output schemas learned from recorded runs only where flows are configured", async () => {
    expect(await run("tools", "contracts", "--learn")).toMatchObject({
      code: 2,
      error: { code: "USAGE", hint: expect.stringContaining("--write --learn") },
    });
  });
});

describe("usage", () => {
  const stages = () => fresh.db.query("select name, stage from twintrack.flows order by name");

  test("every command explains itself", async () => {
    const commands = [
      ["run"],
      ["stage"],
      ["shadow", "on"],
      ["shadow", "off"],
      ["cutover"],
      ["rollback"],
      ["retire"],
      ["diff"],
      ["gate"],
      ["report"],
      ["triage"],
      ["rejudge"],
      ["serve"],
      ["migrate"],
      ["doctor"],
      ["tools", "list"],
      ["tools", "call"],
      ["tools", "serve"],
      ["tools", "contracts"],
    ];
    await Promise.all(
      commands.map(async (words) => {
        const { code, stdout } = await command([...words, "--help"]);
        expect(code).toBe(0);
        expect(stdout).toContain(`twintrack ${words.join(" ")}`);
        expect(stdout, words.join(" ")).toMatch(/Examples?:/);
      }),
    );
  }, 120_000);

  test.each([
    ["an unknown command", ["nonsense"], /nonsense/],
    ["a missing argument", ["diff", "only-one.json"], /candidate/],
    ["a missing reason", ["cutover", "add"], /--why/],
    ["an option of another command", ["retire", "add", "--why", "x", "--to", "5%"], /--to/],
    ["a share over 100 %", ["cutover", "add", "--to", "200%", "--why", "x"], /200%/],
    // What looks like a way back must not cut over altogether.
    [
      "a stage as a share",
      ["cutover", "add", "--to", "shadow", "--why", "x", "--override"],
      /shadow/,
    ],
    ["a share as a stage", ["rollback", "add", "--to", "5%", "--why", "x"], /5%/],
    ["an unknown kind of migration", ["migrate", "down"], /down/],
    ["an input file that is not there", ["run", "add", "--input", "@/nowhere.json"], /nowhere/],
    ["a page that cannot be written", ["report", "add", "--html", "/nowhere/r.html"], /nowhere/],
    ["a port that is none", ["serve", "--port", "99999"], /99999/],
  ])("%s exits 2, changes nothing, and says what is wrong as JSON too", async (_, words, said) => {
    const before = await stages();
    const { code, error } = await run(...words);
    expect(code).toBe(2);
    expect(error).toMatchObject({
      code: "USAGE",
      message: expect.stringMatching(said),
      docs: "README.md#error-codes",
    });
    expect(await stages()).toEqual(before);
  });

  test("a decision or a date that is none exits 2 and decides nothing", async () => {
    const { reply } = await run("report", "paysTwice");
    const { fingerprint } = reply.data.flows[0].divergences[0];
    const triage = (...more: string[]) =>
      run("triage", "paysTwice", fingerprint, "--why", "x", ...more);
    const decisions = () => fresh.db.query("select id from twintrack.decisions");
    const before = await decisions();
    expect(await triage("--as", "fine")).toMatchObject({
      code: 2,
      error: { code: "USAGE", hint: expect.stringContaining("legacy_bug") },
    });
    expect(await triage("--as", "noise", "--until", "soon")).toMatchObject({
      code: 2,
      error: { code: "USAGE", message: expect.stringContaining("soon") },
    });
    expect(await decisions()).toEqual(before);
  });

  test("a reader who has seen enough ends a command without a word", async () => {
    const words = [MAIN, "report", "--json", "--config", CONFIG_FILE].map((word) => `"${word}"`);
    const script = `"${process.execPath}" ${words.join(" ")} | head -c 10; echo " \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
    expect(stdout).toMatch(/^\{"schema": \d+\n$/);
    expect(stderr).not.toMatch(/EPIPE|at /);
  });
});
