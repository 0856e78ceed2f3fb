/** What a candidate leaves in its process besides memory: no other trial finds it. */
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { openShadowHost, type ShadowHost } from "../../harness/shadow-host.ts";
import { LEFT } from "../app/flows.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { openTrial } from "../app/trial.ts";

const LIMIT_MS = 60_000;

let config: ResolvedConfig;
let host: ShadowHost;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-left-"));
  vi.stubEnv("TWINTRACK_MARK", join(folder, "mark"));
  vi.stubEnv("TWINTRACK_SINK", join(folder, "sink"));
  config = { ...(await loadConfig(CONFIG_FILE)), dataDir: folder };
  host = openShadowHost(config);
});
afterEach(async () => {
  await host.close();
  vi.unstubAllEnvs();
});

let trials = 0;

function judged(flow: string, n = 1): ReturnType<ShadowHost["judge"]> {
  const id = `left.${++trials}`;
  const trial = openTrial(config, { id, flow, input: { n }, value: { sum: n + 1 } });
  return host.judge(trial, LIMIT_MS);
}

test.each(LEFT)("A12: what a run leaves behind ends with its process (%i)", async (n) => {
  expect(await judged("finds")).toMatchObject({ verdict: "match" });
  const first = host.pid();
  expect(await judged("leaves", n)).toMatchObject({ verdict: "match" });
  expect(await judged("finds")).toMatchObject({ verdict: "match" });
  expect(host.pid()).not.toBe(first);
});

test("A12: a run that leaves nothing behind keeps its process", async () => {
  await judged("finds");
  const first = host.pid();
  await Promise.all([judged("finds"), judged("finds"), judged("add")]);
  await judged("finds");
  expect(host.pid()).toBe(first);
});

test("A12: runs beside one that leaves something behind are lost with it, and judged alone", async () => {
  const together = await Promise.allSettled([judged("leavesBeside"), judged("findsBeside")]);
  expect(existsSync(join(folder, "mark-found"))).toBe(true);
  for (const outcome of together)
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        code: "SHADOW_LOST",
        message: expect.stringContaining("a run changed process.env.TWINTRACK_LEFT"),
      },
    });
  expect(await judged("leavesBeside")).toMatchObject({ verdict: "match" });
  expect(await judged("findsBeside")).toMatchObject({ verdict: "match" });
});

test("A6: a process that its runs fill up is replaced before it is full, and no run is lost", async () => {
  const pids = new Set<number | undefined>();
  for (let n = 0; n < 24; n++) {
    expect(await judged("hoards")).toMatchObject({ verdict: "match" });
    pids.add(host.pid());
  }
  expect(pids.size).toBeGreaterThan(2);
});

test("a process judges more than a thousand trials while it is young: to start another costs time", async () => {
  await judged("add");
  const first = host.pid();
  for (let n = 0; n < 1_010; n += 10)
    await Promise.all(Array.from({ length: 10 }, () => judged("add")));
  expect(host.pid()).toBe(first);
});
