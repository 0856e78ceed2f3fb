/** Faults F of the catalogue: what the machine can do, and a poison message among good ones. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { books } from "../../harness/store/books.ts";
import { openDatabase } from "../../harness/store/open.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { getJson, invoke, type Serving, startServe } from "../app/command.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const SOON = { timeout: 60_000, interval: 50 };

let fresh: TestDatabase;
let server: Serving | undefined;
beforeEach(async () => {
  fresh = await freshDatabase("postgres");
});
afterEach(async () => {
  await server?.end("SIGKILL");
  server = undefined;
  await fresh.drop();
});

async function serving(before?: string, env: Record<string, string> = {}): Promise<Serving> {
  server = await startServe({
    env: {
      TWINTRACK_DATA_DIR: fresh.dataDir,
      TWINTRACK_DATABASE_URL: String(fresh.url),
      TWINTRACK_SINK: `${fresh.dataDir}/sink`,
      ...env,
    },
    ...(before === undefined ? {} : { before }),
  });
  return server;
}

const allBooked = (answered: number) =>
  vi.waitFor(async () => {
    const seen = await books(fresh.db);
    expect(seen).toMatchObject({ answered, open: 0, unexplained: 0 });
    return seen;
  }, SOON);

test("F2: a disk that is slow to sync holds up no answer: it is synced in another thread", async () => {
  const script = fileURLToPath(new URL("../app/slow-sync.ts", import.meta.url));
  const { stdout } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  const { frames, syncsBeforeLastAppend, syncs } = JSON.parse(stdout);
  expect({ frames, syncsBeforeLastAppend }).toEqual({ frames: 100, syncsBeforeLastAppend: 0 });
  expect(syncs).toBeGreaterThan(0);
});

test("F4: a server that may hold few files answers, and books what it answered", async () => {
  const { url } = await serving("ulimit -n 128");
  expect((await invoke(url, "add", { n: 0 })).status).toBe(200);
  await allBooked(1);
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, n) => invoke(url, "add", { n }).catch(() => undefined)),
  );
  const good = answers.filter((answer) => answer?.status === 200).length;
  expect(good).toBeGreaterThan(0);
  await vi.waitFor(async () => expect((await invoke(url, "add", { n: 1 })).status).toBe(200), SOON);
  await allBooked(good + 2);
});

test("F5: a process that is short of memory sheds comparisons, not answers", () => {
  const script = fileURLToPath(new URL("../app/short-of-memory.ts", import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, ["--max-old-space-size=128", script], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({ before: false, short: true });
});

/** How far a process, or one of its threads, yields to others. */
const niceness = (stat: string) =>
  Number(readFileSync(stat, "utf8").split(") ")[1]?.split(" ")[16]);

test("F6: the shadow process and the thread that feeds it yield the processor to those who answer", async () => {
  const { url, pid } = await serving();
  await invoke(url, "add", { n: 1 });
  await allBooked(1);
  const { body } = await getJson(`${url}/readyz`);
  expect(niceness(`/proc/${body.shadow.pid}/stat`)).toBeGreaterThan(0);
  const threads = readdirSync(`/proc/${pid}/task`);
  const yielding = threads.filter((id) => niceness(`/proc/${pid}/task/${id}/stat`) > 0);
  const names = yielding.map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, "utf8").trim());
  expect(names).toEqual(["WorkerThread"]);
  expect(threads.length).toBeGreaterThan(4);
});

test("F7: a database whose name cannot be resolved is told as one that is away", async () => {
  const nowhere = openPostgres({ url: "postgres://nobody@no-such-host.invalid/none" });
  await expect(nowhere.query("select 1")).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("no-such-host.invalid"),
  });
  await nowhere.close();
  const place = {
    databaseUrl: "postgres://nobody@no-such-host.invalid/none",
    dataDir: fresh.dataDir,
  };
  await expect(openDatabase(place)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("G4: one poison message among many gets its verdict, and the others theirs", async () => {
  const { url } = await serving();
  for (let n = 0; n < 50; n++) {
    expect((await invoke(url, n === 25 ? "exits" : "add", { n })).status).toBe(200);
  }
  const { verdicts } = await allBooked(50);
  expect(verdicts).toEqual({ match: 49, candidate_error: 1 });
});
