/** A Postgres that freezes: connections stay open and nothing is answered. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { MIGRATION_LOCK } from "../../../harness/store/migrate.ts";
import { openPostgres } from "../../../harness/store/postgres.ts";
import { getJson, invoke, readiness, type Serving, startServe } from "../../app/command.ts";
import { type PostgresServer, startPostgres } from "../../postgres.ts";

const SOON = { timeout: 30_000, interval: 50 };

let folder: string;
let postgres: PostgresServer;
const running: Serving[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-freeze-"));
  postgres = await startPostgres();
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.end("SIGKILL");
  postgres.thaw();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function serving(): Promise<Serving> {
  const env = {
    TWINTRACK_DATA_DIR: folder,
    TWINTRACK_DATABASE_URL: postgres.url,
    TWINTRACK_SINK: join(folder, "sink.ndjson"),
  };
  const server = await startServe({ env });
  running.push(server);
  return server;
}

const settled = (url: string, answered: number) =>
  vi.waitFor(async () => {
    const { body } = await getJson(`${url}/api/report`);
    const verdicts = { match: answered };
    expect(body.books).toMatchObject({ answered, open: 0, gaps: 0, verdicts });
  }, SOON);

test("that freezes holds up no answer, is told by readyz, and gets everything once it thaws", async () => {
  const { url } = await serving();
  await readiness(url, 200, SOON);
  postgres.freeze();
  const slowest = await answer(url, 1, 200);
  expect(slowest).toBeLessThan(1_000);
  expect((await readiness(url, 503, SOON)).database.problem).toContain("does not answer");
  postgres.thaw();
  await readiness(url, 200, SOON);
  await settled(url, 200);
});

test("that is frozen does not hold up the end of the server; the next one ships what it left", async () => {
  const first = await serving();
  await readiness(first.url, 200, SOON);
  postgres.freeze();
  await answer(first.url, 1, 20);
  const stoppedAt = performance.now();
  expect(await first.end("SIGTERM")).toBe(0);
  expect(performance.now() - stoppedAt).toBeLessThan(10_000);
  postgres.thaw();
  const next = await serving();
  await settled(next.url, 20);
});

test("that somebody else is migrating holds up neither the start of a server nor its answers", async () => {
  const rival = openPostgres({ url: postgres.url });
  onTestFinished(() => rival.close());
  const { url } = await rival.transaction(async (query) => {
    await query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const busy = setInterval(() => void query("select 1"), 1_000); // Who is idle loses the lock.
    onTestFinished(() => clearInterval(busy));
    const server = await serving();
    expect(await answer(server.url, 1, 20)).toBeLessThan(10_000); // The first one loads LangChain.
    await readiness(server.url, 503, SOON);
    clearInterval(busy);
    return server;
  });
  await readiness(url, 200, SOON);
  await settled(url, 20);
});

/** Returns how long the slowest answer took, in ms. */
async function answer(url: string, from: number, to: number): Promise<number> {
  let slowest = 0;
  for (let n = from; n <= to; n++) {
    const startedAt = performance.now();
    expect((await invoke(url, "pay", { n })).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - startedAt);
  }
  return slowest;
}
