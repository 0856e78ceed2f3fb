/** `triage` and `rules propose` as a script sees them. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { command, document } from "../app/command.ts";
import { type App, startApp } from "../app/start.ts";

const FILE = fileURLToPath(new URL("../app/rejudge.config.ts", import.meta.url));

let app: App;
let env: Record<string, string>;
beforeAll(async () => {
  vi.stubEnv("TWINTRACK_TEST_RULES", "[]");
  app = await startApp("postgres", FILE);
  for (let n = 1; n <= 6; n++) await app.harness.live.answer("drifting", { n });
  await app.harness.settle();
  env = {
    TWINTRACK_TEST_RULES: "[]",
    TWINTRACK_DATABASE_URL: app.config.databaseUrl ?? "",
    TWINTRACK_DATA_DIR: app.config.dataDir,
  };
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await app.close();
});

const run = (...args: string[]) => document([...args, "--config", FILE], { env });
const told = async (...args: string[]) =>
  (await command([...args, "--config", FILE], { env })).stdout;

test("triage merges, decides, splits back and tells its history, one thing at a time", async () => {
  const { reply } = await run("report", "drifting");
  const [a, b] = reply.data.flows[0].divergences.map(
    ({ fingerprint }: { fingerprint: string }) => fingerprint,
  );

  const merged = await run("triage", "drifting", "--merge", `${a},${b}`, "--why", "one cause");
  const decided = await run("triage", "drifting", a, "--as", "intended", "--why", "ok");
  const restored = await run("triage", "drifting", "--restore", a, "--why", "two after all");
  const split = await told("triage", "drifting", "--split", a, "--by", "path", "--why", "places");
  const history = await told("triage", "drifting", "--history");

  expect(merged).toMatchObject({ code: 0, reply: { data: { fingerprint: a, merged: [a, b] } } });
  expect(decided).toMatchObject({ code: 0, reply: { data: { decision: "intended" } } });
  expect(restored.code).toBe(0);
  expect(split).toContain(`${a}#`);
  for (const what of [`merge into ${a}`, "intended until", "restore", "split by place"])
    expect(history).toContain(what);
  const twice = await run("triage", "drifting", a, "--as", "noise", "--split", a, "--why", "x");
  expect(twice).toMatchObject({ code: 2, error: { code: "USAGE" } });
  const nothing = await run("triage", "drifting", "--as", "noise", "--why", "x");
  expect(nothing).toMatchObject({ code: 2, error: { code: "USAGE" } });
});

test("triage of a flow lists its open divergences, whose fingerprints the report shows whole", async () => {
  const { reply } = await run("report", "drifting");
  const open = reply.data.flows[0].divergences.filter(
    ({ blocking }: { blocking: boolean }) => blocking,
  );
  const listed = await run("triage", "drifting");

  expect(open.length).toBeGreaterThan(0);
  expect(listed.code).toBe(0);
  const prints = (rows: { fingerprint: string }[]) => rows.map(({ fingerprint }) => fingerprint);
  expect(prints(listed.reply.data.divergences)).toEqual(prints(open));
  for (const fingerprint of prints(open)) {
    for (const words of [["triage"], ["report"], ["report", "--markdown"]])
      expect(await told(words[0] ?? "", "drifting", ...words.slice(1))).toContain(fingerprint);
  }
});

test("rules propose says of a flow that never differs from itself that there is nothing to propose", async () => {
  const { code, reply } = await run("rules", "propose", "drifting");

  expect(code).toBe(0);
  expect(reply.data).toMatchObject({ flow: "drifting", trials: 6, paths: [] });
  expect(await told("rules", "propose", "drifting")).toContain("it never differed from itself");
});
