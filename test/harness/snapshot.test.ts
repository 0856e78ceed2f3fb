/** Reads that the other side did not make, answered from the world as it was. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveConfig } from "../../harness/config.ts";
import { type App, startApp } from "../app/start.ts";

const CONFIG = fileURLToPath(new URL("../app/snapshot.config.ts", import.meta.url));

let app: App;
const server = createServer((socket) => socket.destroy());
let visitors = 0;
beforeAll(async () => {
  server.on("connection", () => visitors++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env.STRAY_PORT = String((server.address() as AddressInfo).port);
  app = await startApp("postgres", CONFIG);
});
afterAll(async () => {
  await app.close();
  server.close();
});

interface Judged extends Record<string, unknown> {
  verdict: string;
  reason: string | null;
  noise: string | null;
  at: Date;
}

async function judged(flow: string, n = 2) {
  const { trialId } = await app.harness.live.answer(flow, { n });
  await app.harness.settle();
  return judgementOf(trialId);
}

async function judgementOf(trialId: string | undefined) {
  const db = await app.harness.database();
  const [trial] = await db.query<Judged>(
    `select verdict, reason, noise_verdict as noise, received_at as at
     from twintrack.trials where id = $1`,
    [trialId],
  );
  const rows = await db.query<{ difference: string }>(
    "select difference from twintrack.differences where trial_id = $1 order by ordinal",
    [trialId],
  );
  const differences = rows.map(({ difference }) => JSON.parse(difference));
  return { ...trial, differences };
}

test("a read that legacy did not make is answered with tool, arguments and the trigger's own time", async () => {
  const { verdict, at, differences } = await judged("told");
  expect(verdict).toBe("mismatch");
  const told = Object.fromEntries(
    differences.map(({ path, candidate }: { path: string; candidate: unknown }) => [
      path,
      candidate,
    ]),
  );
  expect(told).toMatchObject({
    "/tool": "shop.quote",
    "/args": { n: 3 },
    "/at": new Date(at ?? 0).toISOString(),
  });
});

test("a write is refused whatever the snapshot would say", async () => {
  const { verdict, differences } = await judged("writes");
  expect(verdict).toBe("mismatch");
  expect(differences).toMatchObject([{ kind: "effect", path: "/effects/shop.charge" }]);
  expect(app.effects()).toEqual([]);
});

test("a read that the snapshot does not hold is an unrecorded one", async () => {
  const { verdict, differences } = await judged("unknown");
  expect(verdict).toBe("candidate_error");
  expect(JSON.stringify(differences)).toContain("does not hold this read of shop.quote");
});

test.each([
  ["throws an error", "throws", "snapshot_failed: shop.quote: no such year"],
  [
    "reaches past its guard",
    "strays",
    "snapshot_failed: shop.quote: A shadow run tried to connect 127.0.0.1:",
  ],
  [
    "answers with what JSON cannot hold",
    "lossy",
    "snapshot_failed: shop.quote: it answered with a value that JSON cannot hold",
  ],
  ["hangs", "hangs", "snapshot_failed: shop.quote: it did not answer"],
])("a snapshot that %s says nothing of the candidate", async (_, flow, reason) => {
  const trial = await judged(flow);
  expect(trial).toMatchObject({ verdict: "incomparable" });
  expect(trial.reason).toContain(reason);
  expect(visitors).toBe(0);
});

test("legacy reads from the snapshot, too, where it runs a second time", async () => {
  const { noise, differences } = await judged("moody");
  expect(noise).toBe("mismatch");
  expect(differences).toContainEqual({ kind: "extra", path: "/args", candidate: { n: 3 } });
});

const inPython = ["inPython", "inPythonAsync"];

test.each(inPython)("a chain in Python is answered alike after the cutover: %s", async (flow) => {
  const { verdict, at, differences } = await judged(flow);
  const args = flow === "inPython" ? { n: 3, currency: "EUR" } : { n: 3 };
  const tool = flow === "inPython" ? "desk.price" : "desk.weight";
  expect(verdict).toBe("mismatch");
  const missing = (path: string, legacy: unknown) => ({ kind: "missing", path, legacy });
  expect(differences).toContainEqual(missing("/tool", tool));
  expect(differences).toContainEqual(missing("/args", args));
  expect(differences).toContainEqual(missing("/at", new Date(at ?? 0).toISOString()));
});

test("a chain in Python reads from the snapshot, too, where it runs a second time for noise", async () => {
  const { noise, differences } = await judged("noiseInPython");
  expect(noise).toBe("mismatch");
  const args = { n: 3, currency: "EUR" };
  expect(differences).toContainEqual({ kind: "extra", path: "/args", candidate: args });
});

test("trials that are judged at once get the answers to their own questions", async () => {
  const counts = Array.from({ length: 12 }, (_, index) => index + 20);
  const answers = counts.map((n) => app.harness.live.answer(inPython[n % 2] ?? "", { n }));
  const trials = (await Promise.all(answers)).map(({ trialId }) => trialId);
  await app.harness.settle();
  const read = [];
  for (const trialId of trials) {
    const { differences } = await judgementOf(trialId);
    read.push(differences.find(({ path }: { path: string }) => path === "/args").legacy.n);
  }
  expect(read).toEqual(counts.map((n) => n + 1));
});

test("a write of a chain in Python is refused whatever the snapshot would say", async () => {
  const { verdict, differences } = await judged("writesInPython");
  expect(verdict).toBe("mismatch");
  const effect = { kind: "effect", path: "/effects/desk.pay", detail: "changed" };
  expect(differences).toContainEqual(expect.objectContaining(effect));
});

test.each(inPython)("what the snapshot does not hold is unrecorded in Python: %s", async (flow) => {
  const { verdict, differences } = await judged(flow, 3);
  expect(verdict).toBe("mismatch");
  expect(JSON.stringify(differences)).toContain("The snapshot does not hold this read of desk.");
});

const failures = [
  [4, "no such year"],
  [5, "A shadow run tried to connect 127.0.0.1:"],
  [6, "it answered with a value that JSON cannot hold"],
] as const;
test.each(inPython.flatMap((flow) => failures.map((failure) => [flow, ...failure] as const)))(
  "a snapshot that fails says nothing of a chain in Python: %s, %i, %s",
  async (flow, n, reason) => {
    const trial = await judged(flow, n);
    expect(trial.verdict).toBe("incomparable");
    expect(trial.reason).toMatch(/^snapshot_failed: desk\.(price|weight): /);
    expect(trial.reason).toContain(reason);
    expect(visitors).toBe(0);
  },
);

test("a snapshot that hangs says nothing of a chain in Python", async () => {
  // The limit is not for the start of Python.
  const verdict = async () => (await judged("hangsInPython")).verdict;
  await expect.poll(verdict, { timeout: 30_000 }).toBe("mismatch");
  const trial = await judged("hangsInPython", 7);
  expect(trial).toMatchObject({
    verdict: "incomparable",
    reason: "snapshot_failed: desk.price: it did not answer",
  });
});

test("a snapshot that is no function is told where the configuration is read", () => {
  const flows = { f: { shadow: { reads: "snapshot" } } } as never;
  expect(() => resolveConfig({ flows })).toThrow(
    'must be "recorded", "live", or { snapshot: (tool, args, at) => … }',
  );
  const named = { f: { shadow: { reads: { snapshot: "./prices.ts" } } } } as never;
  expect(() => resolveConfig({ flows: named })).toThrow(/snapshot.*must be a function/s);
});
