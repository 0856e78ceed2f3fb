/** A shadow process that has judged many trials, and is no longer young. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { loadConfig } from "../../../harness/config.ts";
import { openShadowHost } from "../../../harness/shadow-host.ts";
import { CONFIG_FILE } from "../../app/start.ts";
import { openTrial } from "../../app/trial.ts";

test("a process that has judged a thousand trials in a minute is replaced, and no trial is lost", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-tired-"));
  const config = { ...(await loadConfig(CONFIG_FILE)), dataDir };
  const host = openShadowHost(config);
  onTestFinished(async () => {
    await host.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  let trials = 0;
  const judge = async () => {
    const told = { id: `tired.${++trials}`, flow: "add", input: { n: 1 }, value: { sum: 2 } };
    expect(await host.judge(openTrial(config, told), 60_000)).toMatchObject({ verdict: "match" });
    return host.pid();
  };
  const first = await judge();
  while (trials < 1_000) expect(await judge()).toBe(first);
  await vi.waitUntil(async () => (await judge()) !== first, { timeout: 90_000, interval: 500 });
});
