/**
 * G9, G10: the live path with shadow on against the same Fastify route that calls legacy directly.
 *
 * Three servers, each a process of its own: the direct one twice (the A/A pair), and Twintrack in
 * stage `shadow` with its spool, shipper, Postgres and shadow process. The direct ones never load
 * or patch anything of ours. Two flows: `waits`, whose legacy waits 5 ms and adds one, and
 * `refunds`, a `createAgent` agent of four model and three or four tool calls.
 *
 * Latency is measured open loop at a modest rate with random gaps, the same gaps for every case of
 * a round. Three more flows have candidates that are slow, throw, or hang (G10).
 *
 * CPU is the main thread's per request, from the first request until the books balance: shipping, claiming and storing the verdicts of these requests is in it, the candidate is not
 * (it runs in the shadow process; that is what the process is for). Throughput is closed loop,
 * without the wait; there the shadow process, Postgres, server and load generator share the cores.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ORDERS } from "../../fixtures/refunds/data.ts";
import { RefundInput } from "../../fixtures/refunds/schema.ts";
import { books } from "../../harness/store/books.ts";
import { waitingBodies } from "./live-app.ts";
import { type Comparison, type Goal, interleave } from "./measure.ts";
import { openStand, randomTimes, type ServerProcess, type Stand } from "./stand.ts";

const ROUNDS = 7;
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
    bodies: waitingBodies(5),
    fastBodies: waitingBodies(0),
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
      bodies: waitingBodies(5),
      fastBodies: waitingBodies(0),
      perSecond: 200,
      requests: 300,
      closedRequests: 300,
      closedAtOnce: 16,
      p50Goal: 1.05,
      bad: true,
    }),
  ),
];

type Case = "direct" | "again" | "shadow";

type Servers = Record<Case, ServerProcess>;

interface Cost {
  p50Ms: number;
  p99Ms: number;
  cpuUs: number;
  perSecond: number;
}

async function costOf(
  stand: Stand,
  servers: Servers,
  name: Case,
  traffic: Traffic,
  round: number,
): Promise<Cost> {
  const { flow, perSecond, requests, closedRequests, closedAtOnce } = traffic;
  const server = servers[name];
  const settle = async () =>
    name === "shadow" ? stand.settled(server.sent, SETTLED_WITHIN_MS) : undefined;
  const { mainThreadUs: beforeUs } = await server.usage();
  const dueMs = randomTimes(requests, perSecond, round + 1);
  const open = { bodies: traffic.bodies, plan: { kind: "open" as const, dueMs } };
  const { p50Ms, p99Ms } = await stand.send(server, flow, open);
  await settle();
  const cpuUs = ((await server.usage()).mainThreadUs - beforeUs) / requests;
  const plan = { kind: "closed" as const, requests: closedRequests, atOnce: closedAtOnce };
  const { durationMs } = await stand.send(server, flow, { bodies: traffic.fastBodies, plan });
  await settle();
  return { p50Ms, p99Ms, cpuUs, perSecond: (closedRequests * 1_000) / durationMs };
}

async function measureTraffic(
  stand: Stand,
  servers: Servers,
  traffic: Traffic,
): Promise<Comparison[]> {
  const cost = (name: Case) => (round: number) => costOf(stand, servers, name, traffic, round);
  const cases = { direct: cost("direct"), again: cost("again"), shadow: cost("shadow") };
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
  const stand = await openStand(stack);
  const servers = {
    direct: await stand.start("direct"),
    again: await stand.start("direct"),
    shadow: await stand.start("shadow"),
  };
  const results: Comparison[] = [];
  for (const traffic of TRAFFIC) results.push(...(await measureTraffic(stand, servers, traffic)));
  const [unmatched] = await stand.db.query(
    "select 1 from twintrack.trials where flow in ('waits', 'refunds') and verdict <> 'match' limit 1",
  );
  const { verdicts } = await books(stand.db);
  if (unmatched) throw new Error(`Not every trial matched: ${JSON.stringify(verdicts)}`);
  return results;
}
