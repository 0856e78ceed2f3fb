/**
 * G9, G10: the live path with shadow on against the same Fastify route that calls legacy directly.
 *
 * Three servers, each a process of its own: the direct one twice (the A/A pair), and Twintrack in
 * stage `shadow` with its spool, shipper, Postgres and shadow process. The direct ones never load
 * or patch anything of ours. Two flows: `waits`, whose legacy waits 5 ms and adds one, and
 * `refunds`, a `createAgent` agent of four model and three or four tool calls.
 *
 * Latency is measured open loop at a modest rate with random gaps, the same gaps for every case of
 * a round. Three more flows have candidates that are slow, throw, or hang (G10). CPU is the main thread's per request, from the first request until the books balance:
 * shipping, claiming and storing the verdicts of these requests is in it, the candidate is not
 * (it runs in the shadow process; that is what the process is for). Throughput is closed loop,
 * without the wait; there the shadow process, Postgres, server and load generator share the cores.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ORDERS } from "../../fixtures/refunds/data.ts";
import { RefundInput } from "../../fixtures/refunds/schema.ts";
import { seeded } from "../../fixtures/seeded.ts";
import { books } from "../../harness/store/books.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { startPostgres } from "../postgres.ts";
import type { FromServer } from "./live-server.ts";
import type { Load, LoadResult } from "./load.ts";
import { type Comparison, type Goal, interleave } from "./measure.ts";

const ROUNDS = 7;
const BOOKS_POLL_MS = 20;
const SETTLED_WITHIN_MS = 60_000;

interface Traffic {
  flow: string;
  name: string;
  /** For the open loop, and for the closed one. */
  bodies: string[];
  fastBodies: string[];
  perSecond: number;
  requests: number;
  closedRequests: number;
  closedAtOnce: number;
  /** Of p50; default 1.02. */
  p50Goal?: number;
  cpuGoal?: number;
  /** Candidates that fail: what is judged of them is not what is measured. */
  bad?: boolean;
}

const waits = (waitMs: number) =>
  Array.from({ length: 50 }, (_, n) => JSON.stringify({ input: { n, waitMs } }));

const refunds = readFileSync(
  fileURLToPath(new URL("../../fixtures/refunds/triggers.ndjson", import.meta.url)),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "" && isKnown(JSON.parse(line) as { input: unknown }));

/** Legacy throws for the others, or they are refused; neither is what this measures. */
function isKnown({ input }: { input: unknown }): boolean {
  const { data } = RefundInput.safeParse(input);
  return data !== undefined && ORDERS.has(data.orderId);
}

const TRAFFIC: readonly Traffic[] = [
  {
    flow: "waits",
    name: "trivial",
    bodies: waits(5),
    fastBodies: waits(0),
    perSecond: 500,
    requests: 800,
    closedRequests: 2_000,
    closedAtOnce: 32,
    cpuGoal: 1.35,
  },
  {
    flow: "refunds",
    name: "agent",
    bodies: refunds,
    fastBodies: refunds,
    perSecond: 50,
    requests: 100,
    closedRequests: 80,
    closedAtOnce: 16,
    cpuGoal: 1.05,
  },
  ...["slow", "throwing", "hanging"].map(
    (flow): Traffic => ({
      flow,
      name: `candidate ${flow}`,
      bodies: waits(5),
      fastBodies: waits(0),
      perSecond: 200,
      requests: 300,
      closedRequests: 300,
      closedAtOnce: 16,
      p50Goal: 1.05,
      bad: true,
    }),
  ),
];

const CASES = ["direct", "again", "shadow"] as const;
type Case = (typeof CASES)[number];

interface Stand {
  servers: Record<Case, ServerProcess>;
  load(load: Load): Promise<LoadResult>;
  /** Waits until every trigger that was ever sent to the shadow case has its verdict. */
  settled(triggers: number): Promise<void>;
}

interface ServerProcess {
  port: number;
  cpuUs(): Promise<number>;
  /** Requests sent to it so far. */
  sent: number;
}

interface Cost {
  p50Ms: number;
  p99Ms: number;
  cpuUs: number;
  perSecond: number;
}

async function costOf(stand: Stand, name: Case, traffic: Traffic, round: number): Promise<Cost> {
  const { perSecond, requests, closedRequests, closedAtOnce } = traffic;
  const server = stand.servers[name];
  const path = `/flows/${traffic.flow}/invoke`;
  const loaded = async (bodies: string[], plan: Load["plan"]) => {
    const result = await stand.load({ port: server.port, path, bodies, plan });
    server.sent += result.requests;
    if (result.failed > 0) throw new Error(`${result.failed} requests to ${name} ${path} failed`);
    return result;
  };
  const settle = async () => (name === "shadow" ? stand.settled(server.sent) : undefined);
  const cpuBeforeUs = await server.cpuUs();
  const dueMs = randomTimes(requests, perSecond, round);
  const { p50Ms, p99Ms } = await loaded(traffic.bodies, { kind: "open", dueMs });
  await settle();
  const cpuUs = ((await server.cpuUs()) - cpuBeforeUs) / requests;
  const plan = { kind: "closed" as const, requests: closedRequests, atOnce: closedAtOnce };
  const { durationMs } = await loaded(traffic.fastBodies, plan);
  await settle();
  return { p50Ms, p99Ms, cpuUs, perSecond: (closedRequests * 1_000) / durationMs };
}

/** Arrivals of independent callers: exponential gaps, the same for every case of a round. */
function randomTimes(count: number, perSecond: number, round: number): number[] {
  const random = seeded(round + 1);
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond;
    return atMs;
  });
}

async function measureTraffic(stand: Stand, traffic: Traffic): Promise<Comparison[]> {
  const cases = {
    direct: (round: number) => costOf(stand, "direct", traffic, round),
    again: (round: number) => costOf(stand, "again", traffic, round),
    shadow: (round: number) => costOf(stand, "shadow", traffic, round),
  };
  await interleave(cases, 1); // Warm-up.
  const { direct, again, shadow } = await interleave(cases, ROUNDS);
  const compared = (metric: string, of: (cost: Cost) => number, goal?: number): Comparison => ({
    metric: `${traffic.name}: ${metric}`,
    base: { name: "direct", rounds: direct.map(of), again: again.map(of) },
    ours: { name: "shadow on", rounds: shadow.map(of) },
    ...(goal === undefined ? {} : { goal: { kind: "atMost", ratio: goal } satisfies Goal }),
  });
  const p50 = compared("p50, ms", (cost) => cost.p50Ms, traffic.p50Goal ?? 1.02);
  if (traffic.bad) return [p50];
  return [
    p50,
    { ...compared("p99, ms", (cost) => cost.p99Ms, 1.15), against: "worse" },
    compared("CPU, µs per request", (cost) => cost.cpuUs, traffic.cpuGoal),
    { ...compared("closed loop, per second", (cost) => cost.perSecond), moreIsBetter: true },
  ];
}

export async function live(): Promise<Comparison[]> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "twintrack-bench-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres();
  stack.defer(postgres.stop);
  const start = (module: string, ...args: string[]) =>
    startProcess(stack, module, args, {
      TWINTRACK_DATABASE_URL: postgres.url,
      TWINTRACK_DATA_DIR: folder,
      TWINTRACK_SINK: join(folder, "effects.ndjson"),
    });
  const servers = {
    direct: await startServer(start("live-server.ts", "direct")),
    again: await startServer(start("live-server.ts", "direct")),
    shadow: await startServer(start("live-server.ts", "shadow")),
  };
  const generator = start("load.ts");
  const db = openPostgres({ url: postgres.url, maxConnections: 1 });
  stack.defer(() => db.close());
  const stand: Stand = {
    servers,
    load: (load) => ask<LoadResult>(generator, load),
    async settled(triggers) {
      const deadlineMs = performance.now() + SETTLED_WITHIN_MS;
      for (;;) {
        const { answered, open } = await books(db);
        if (answered === triggers && open === 0) return;
        if (performance.now() > deadlineMs) {
          throw new Error(`${triggers} triggers were sent, ${answered} arrived, ${open} are open`);
        }
        await pause(BOOKS_POLL_MS);
      }
    },
  };
  const results: Comparison[] = [];
  for (const traffic of TRAFFIC) results.push(...(await measureTraffic(stand, traffic)));
  const [unmatched] = await db.query(
    "select 1 from twintrack.trials where flow in ('waits', 'refunds') and verdict <> 'match' limit 1",
  );
  const { verdicts } = await books(db);
  if (unmatched) throw new Error(`Not every trial matched: ${JSON.stringify(verdicts)}`);
  return results;
}

function startProcess(
  stack: AsyncDisposableStack,
  module: string,
  args: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
    env: { ...process.env, ...env },
  });
  stack.defer(async () => {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode !== null) return;
    child.disconnect();
    await exited;
  });
  return child;
}

async function startServer(child: ChildProcess): Promise<ServerProcess> {
  const first = await reply<FromServer>(child);
  if (first.kind !== "listening") throw new Error("The server did not say where it listens");
  return {
    port: Number(new URL(first.url).port),
    sent: 0,
    async cpuUs() {
      const answer = await ask<FromServer>(child, { kind: "cpu" });
      return answer.kind === "cpu" ? answer.mainThreadUs : Number.NaN;
    },
  };
}

function ask<Answer>(child: ChildProcess, question: object): Promise<Answer> {
  const answer = reply<Answer>(child);
  child.send(question);
  return answer;
}

function reply<Answer>(child: ChildProcess): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const ended = () => reject(new Error("A process of the benchmark ended too early"));
  child.once("exit", ended);
  child.once("message", (message: Answer) => {
    child.off("exit", ended);
    resolve(message);
  });
  return promise;
}
