/** Whoever has the data folder has the key: git must not take it along. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveConfig } from "../../harness/config.ts";
import { makeDataFolder } from "../../harness/data-folder.ts";
import { openHarness } from "../../harness/twintrack.ts";

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "twintrack-data-folder-"));
  execFileSync("git", ["init", "-q"], { cwd: project });
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const untracked = () =>
  execFileSync("git", ["status", "--porcelain", "-uall"], { cwd: project, encoding: "utf8" });

test("`git add` takes neither the key nor the spool nor the database of a project that ignores nothing", async () => {
  const legacy = () => () => ({ ok: true });
  const dataDir = join(project, ".twintrack");
  const config = resolveConfig({ dataDir, flows: { plain: { legacy } } }, {});
  const harness = openHarness(config);
  await harness.live.answer("plain", {});
  await harness.settle();
  await harness.close();
  expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(["key", "pglite", "spool"]));
  expect(untracked()).toBe("");
});

test("a folder that was there before, and may hold other things, is not taken out of git", () => {
  const own = join(project, "data");
  mkdirSync(own);
  makeDataFolder(own);
  expect(existsSync(join(own, ".gitignore"))).toBe(false);
});
