/** What `serve` starts ahead of the first trigger. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { interpreter } from "../adapter/python-process.ts";
import { getJson, invoke, ROOT, type Serving, startServe } from "../app/command.ts";

const MARKED = `
import os, pathlib
from langchain_core.runnables import RunnableLambda
chain = RunnableLambda(lambda value: value)
pathlib.Path(os.environ["TWINTRACK_TEST_MARK"]).write_text("loaded")
`;

let folder: string;
let mark: string;
let server: Serving;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-warm-up-"));
  mark = join(folder, "mark");
  writeFileSync(join(folder, "marked.py"), MARKED);
  writeFileSync(join(folder, "broken.py"), 'raise RuntimeError("no tables")\n');
  writeFileSync(
    join(folder, "twintrack.config.ts"),
    `import { defineConfig, python } from "${join(ROOT, "harness/config.ts")}";
     const options = { interpreter: "${interpreter}", cwd: "${folder}" };
     export default defineConfig({
       flows: {
         marked: { legacy: python("marked:chain", options) },
         broken: { legacy: python("broken:chain", options) },
       },
     });`,
  );
  const env = { TWINTRACK_DATA_DIR: join(folder, "data"), TWINTRACK_TEST_MARK: mark };
  server = await startServe({ config: join(folder, "twintrack.config.ts"), env });
});
afterAll(async () => {
  await server.end();
  rmSync(folder, { recursive: true, force: true });
});

test("a Python chain is loaded though no trigger has come, and one that does not load stops nothing", async () => {
  await vi.waitFor(() => expect(existsSync(mark)).toBe(true), { timeout: 30_000, interval: 100 });
  expect((await getJson(`${server.url}/healthz`)).status).toBe(200);
  expect(await invoke(server.url, "marked", { n: 1 })).toMatchObject({
    status: 200,
    body: { output: { n: 1 } },
  });
  const { status, body } = await invoke(server.url, "broken", {});
  expect(status).toBe(502);
  expect(JSON.stringify(body)).toContain("no tables");
});

test("a server that is told to end does not wait for a chain that is still loading", async () => {
  const slow = mkdtempSync(join(folder, "slow-"));
  const begun = join(slow, "mark");
  writeFileSync(join(slow, "slow.py"), `${MARKED}\nimport time\ntime.sleep(600)\n`);
  writeFileSync(
    join(slow, "twintrack.config.ts"),
    `import { defineConfig, python } from "${join(ROOT, "harness/config.ts")}";
     const legacy = python("slow:chain", { interpreter: "${interpreter}", cwd: "${slow}" });
     export default defineConfig({ flows: { slow: { legacy } } });`,
  );
  const env = { TWINTRACK_DATA_DIR: join(slow, "data"), TWINTRACK_TEST_MARK: begun };
  const loading = await startServe({ config: join(slow, "twintrack.config.ts"), env });
  await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 30_000, interval: 100 });
  expect(await loading.end()).toBe(0);
}, 60_000);
