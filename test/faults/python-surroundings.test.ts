/** What a legacy chain leaves in its Python process besides memory: no other trial finds it. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { openShadowHost, type ShadowHost } from "../../harness/shadow-host.ts";
import { openTrial } from "../app/trial.ts";

const CONFIG_FILE = fileURLToPath(new URL("../app/leavings.config.ts", import.meta.url));
const LIMIT_MS = 60_000;

let config: ResolvedConfig;
let host: ShadowHost;
let mark: string;
beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-left-"));
  mark = join(folder, "mark");
  vi.stubEnv("TWINTRACK_MARK", mark);
  config = { ...(await loadConfig(CONFIG_FILE)), dataDir: folder };
  host = openShadowHost(config);
});
afterEach(async () => {
  await host.close();
  vi.unstubAllEnvs();
});

function judged(what: "leaves" | "finds"): ReturnType<ShadowHost["judge"]> {
  const trial = openTrial(config, {
    ...{ id: `python.${what}`, flow: "inPython", stage: "cutover", authoritative: "candidate" },
    ...{ input: what, value: what === "leaves" ? "done" : "nothing" },
  });
  return host.judge(trial, LIMIT_MS);
}

test("A12: trials beside one that leaves something in Python are lost with it, and judged alone", async () => {
  const together = await Promise.allSettled([judged("leaves"), judged("finds")]);
  expect(readFileSync(mark, "utf8")).toBe("something");
  for (const outcome of together)
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        code: "SHADOW_LOST",
        message: expect.stringContaining("a run changed os.environ['TWINTRACK_LEFT']"),
      },
    });
  expect(await judged("leaves")).toMatchObject({ verdict: "match" });
  const shadow = host.pid();
  expect(await judged("finds")).toMatchObject({ verdict: "match" });
  expect(host.pid()).toBe(shadow);
});
