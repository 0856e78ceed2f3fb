/** A killed server leaves no process behind, whatever its shadow was doing. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { isAlive } from "../../harness/store/lock.ts";
import { startServe } from "../app/command.ts";

test("the shadow process ends with its killed server, even while a candidate loops for ever", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-orphan-"));
  const mark = join(dataDir, "mark");
  const server = await startServe({ env: { TWINTRACK_DATA_DIR: dataDir, TWINTRACK_MARK: mark } });
  await fetch(`${server.url}/flows/loops/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"input":{"n":1}}',
  });
  const shadowPid = await vi.waitUntil(
    async () => {
      const ready = (await (await fetch(`${server.url}/readyz`)).json()) as {
        shadow: { pid?: number };
      };
      return ready.shadow.pid;
    },
    { timeout: 20_000 },
  );
  await vi.waitUntil(() => existsSync(mark), { timeout: 20_000 });
  expect(isAlive(shadowPid)).toBe(true);
  await server.end("SIGKILL");
  await vi.waitUntil(() => !isAlive(shadowPid), { timeout: 10_000 });
  rmSync(dataDir, { recursive: true, force: true });
});
