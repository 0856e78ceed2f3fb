/**
 * A real server on the test application, killed with SIGKILL at random instants under load.
 *
 * Callers send `pay` with a number of their own each, so every effect in the sink belongs to one
 * trigger. A request that the kill cut off is sent again only in cutover, where the ledger knows
 * what was written; legacy's own writes know no key, in the shadow stage as in life.
 */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, vi } from "vitest";
import { seeded } from "../../fixtures/seeded.ts";
import { type Books, books } from "../../harness/store/books.ts";
import type { Database } from "../../harness/store/database.ts";
import { isAlive } from "../../harness/store/lock.ts";
import { openDatabase } from "../../harness/store/open.ts";
import { command, getJson, invoke, type Serving, spawnServe, startServe } from "../app/command.ts";
import { CONFIG_FILE, startApp } from "../app/start.ts";
import { type Backend, freshPlace } from "../database.ts";

export interface KillPlan {
  backend: Backend;
  stage: "shadow" | "cutover";
  kills: number;
  seed: number;
}

export interface KillStory {
  /** Trial ids of the triggers whose caller saw a 200. */
  answered: string[];
  /** What callers were told who saw no 200. */
  refused: string[];
  /** Requests that were cut off by a kill. */
  cutOff: number;
  /** Requests that were sent again with the same key. */
  repeated: number;
  /** Kills that cut off at least one request. */
  hits: number;
  effects: Effect[];
  /** Shadow processes that were seen before a kill and are alive at the end. */
  orphans: number[];
  books: Books;
  /** Ids of all trials in the store, with their verdicts. */
  trials: Map<string, string | null>;
}

interface Effect {
  cents: number;
  role: string;
}

const CALLERS = 6;
/** After the server listens; some kills come before its database is open, some in full traffic. */
const LIFE_MS = { least: 100, most: 1_500 };
/** Every third start is killed once before it listens: while it opens or repairs its database. */
const EARLY_EVERY = 3;
const EARLY_MS = 1_500;
/** On Postgres the leases of a killed worker end after 30 s. */
const SETTLED = { timeout: 90_000, interval: 100 };

/** Kills, restarts, lets everything settle, and tells what is then in the sink and in the store. */
export async function killUnderLoad(plan: KillPlan): Promise<KillStory> {
  const fresh = await freshPlace(plan.backend);
  const sink = join(fresh.dataDir, "sink.ndjson");
  const env = {
    TWINTRACK_DATA_DIR: fresh.dataDir,
    TWINTRACK_DATABASE_URL: fresh.url ?? "",
    TWINTRACK_SINK: sink,
  };
  if (plan.stage === "cutover") await cutOver(env);
  const load = startLoad(plan.stage === "cutover");
  const seen = new Set<number>();
  let hits = 0;
  const random = seeded(plan.seed);
  for (let kill = 0; kill < plan.kills; kill++) {
    if (kill % EARLY_EVERY === EARLY_EVERY - 1) await killEarly(env, random() * EARLY_MS);
    const server = await startServe({ env });
    load.aim(server.url);
    await life(LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least));
    await noteShadow(server, seen);
    const before = load.cutOff();
    const ended = server.end("SIGKILL");
    load.aim(undefined);
    await Promise.all([ended, load.idle()]);
    if (load.cutOff() > before) hits++;
  }
  const last = await startServe({ env });
  try {
    load.aim(last.url);
    await load.finish();
    await settled(last);
    expect(await last.end()).toBe(0);
  } finally {
    await last.end("SIGKILL");
  }
  const db = await openDatabase({ dataDir: fresh.dataDir, databaseUrl: fresh.url });
  try {
    const orphans = await survivors(seen);
    return { ...load.story(), hits, effects: readSink(sink), orphans, ...(await stored(db)) };
  } finally {
    await db.close();
    await fresh.drop();
  }
}

async function killEarly(env: Record<string, string>, afterMs: number): Promise<void> {
  const { process: child, listening } = spawnServe({ env });
  listening.catch(() => undefined);
  await life(afterMs);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function cutOver(env: Record<string, string>): Promise<void> {
  const args = ["--config", CONFIG_FILE, "cutover", "pay", "--override", "--why", "a test"];
  const { code, stderr } = await command(args, { env });
  expect(stderr).toContain("rollback");
  expect(code).toBe(0);
}

/** The random instant of the kill is the point of the test: there is nothing to wait for. */
function life(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Load {
  /** Where the callers send from now on; nowhere while the server is down. */
  aim(url: string | undefined): void;
  /** Resolves when no request is in flight. */
  idle(): Promise<void>;
  /** Sends what is to be sent again and stops. */
  finish(): Promise<void>;
  cutOff(): number;
  story(): Pick<KillStory, "answered" | "refused" | "cutOff" | "repeated">;
}

function startLoad(retries: boolean): Load {
  const answered: string[] = [];
  const refused: string[] = [];
  let cutOff = 0;
  let repeated = 0;
  let next = 1;
  const again: number[] = [];
  let target = Promise.withResolvers<string>();
  let current: string | undefined;
  let stopping = false;
  const inFlight = new Set<Promise<void>>();
  const send = async (url: string, n: number) => {
    const key = { "idempotency-key": `trigger-${n}` };
    const answer = await invoke(url, "pay", { n }, key).catch((error: unknown) => {
      // Refused means that the server was dead already: nothing was in flight.
      if ((error as { cause?: { code?: string } }).cause?.code !== "ECONNREFUSED") cutOff++;
    });
    if (answer === undefined) {
      if (!retries) return;
      repeated++;
      again.push(n);
    } else if (answer.status === 200) answered.push(String(answer.body.metadata.trial));
    else refused.push(String(answer.body.detail));
  };
  const caller = async () => {
    while (!stopping || again.length > 0) {
      const url = current ?? (await target.promise);
      const n = again.shift() ?? (stopping ? undefined : next++);
      if (n === undefined) return;
      const request = send(url, n);
      inFlight.add(request);
      await request.finally(() => inFlight.delete(request));
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  return {
    aim(url) {
      current = url;
      if (url === undefined) target = Promise.withResolvers();
      else target.resolve(url);
    },
    idle: async () => void (await Promise.all(inFlight)),
    async finish() {
      stopping = true;
      await Promise.all(callers);
    },
    cutOff: () => cutOff,
    story: () => ({ answered, refused, cutOff, repeated }),
  };
}

/** Everything shipped and judged, as the server itself says. */
async function settled({ url }: Serving): Promise<void> {
  await vi.waitFor(async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(/^twintrack_trials_open 0$/m);
    expect(text).toMatch(/^twintrack_unexplained 0$/m);
    // Files of dead processes are gone once they are shipped; what is left is the server's own.
    expect((await getJson(`${url}/readyz`)).status).toBe(200);
  }, SETTLED);
}

async function noteShadow({ url }: Serving, seen: Set<number>): Promise<void> {
  const { body } = await getJson(`${url}/readyz`);
  if (typeof body.shadow.pid === "number") seen.add(body.shadow.pid);
}

async function survivors(pids: Set<number>): Promise<number[]> {
  const alive = () => [...pids].filter((pid) => isAlive(pid));
  await vi.waitFor(() => expect(alive()).toEqual([]), { timeout: 10_000 }).catch(() => undefined);
  return alive();
}

async function stored(db: Database): Promise<Pick<KillStory, "books" | "trials">> {
  const rows = await db.query<{ id: string; verdict: string | null }>(
    "select id, case when reason is null then verdict else verdict || ': ' || reason end as verdict from twintrack.trials",
  );
  return { books: await books(db), trials: new Map(rows.map((row) => [row.id, row.verdict])) };
}

function readSink(file: string): Effect[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Effect);
}

/** `TWINTRACK_SEED` repeats a run that failed. */
export function seedOfRun(): number {
  const seed = Number(process.env.TWINTRACK_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`TWINTRACK_SEED=${seed}`);
  return seed;
}

/** What must be true whenever and however often the server was killed. */
export function expectNothingLost(story: KillStory): void {
  const { answered, trials, effects, orphans } = story;
  expect(story.hits, "kills that hit a request in flight").toBeGreaterThan(0);
  expect(answered.length).toBeGreaterThan(story.hits);
  expect(answered.filter((id) => !trials.has(id))).toEqual([]);
  // A repeated write whose end nobody knows is refused, and nothing else is.
  const unknown = /its result is not known; it is not repeated/;
  expect(story.refused.filter((detail) => !unknown.test(detail))).toEqual([]);
  const cents = effects.map((effect) => effect.cents);
  expect(cents.filter((value, index) => cents.indexOf(value) !== index)).toEqual([]);
  expect(effects.filter((effect) => effect.role !== "live")).toEqual([]);
  expect(story.books).toMatchObject({ open: 0, unexplained: 0, gaps: {} });
  expect(orphans).toEqual([]);
  const { cutOff, hits, refused } = story;
  console.info(
    `${answered.length} answers, ${cutOff} cut off by ${hits} kills, ${refused.length} refused`,
  );
}

/** Answers triggers whose candidate charges a second time, which legacy did not: each must be refused. */
export async function expectNoCandidateWrites(runs: number): Promise<void> {
  const app = await startApp("postgres");
  try {
    const db = await app.harness.database();
    for (let n = 1; n <= runs; n++) {
      await app.harness.live.answer("paysTwice", { n });
      // Answers in a row leave no room for timers and sockets; between real requests there is.
      if (n % 50 === 0) await setImmediate();
    }
    await app.harness.settle();
    const judged = await db.query(
      `select verdict, effect_differences as effects, count(*)::int as trials
       from twintrack.trials group by 1, 2`,
    );
    // Every candidate did try: the refused second charge is an effect difference of its trial.
    expect(judged).toEqual([{ verdict: "mismatch", effects: 1, trials: runs }]);
    expect(app.effects().filter((effect) => effect.role !== "live")).toEqual([]);
    expect(app.effects()).toHaveLength(runs);
  } finally {
    await app.close();
  }
}
