/**
 * The live path while Postgres is away: 200 requests per second for a minute while it is stopped,
 * and for a minute while it is frozen, against two minutes in which it answers.
 *
 * The latency that an outage adds is counted against the worse of the two calm minutes. Every
 * request has to be answered, and afterwards every one of them has to be judged once.
 */
import { waitingBodies } from "./live-app.ts";
import type { LoadResult } from "./load.ts";
import type { Figure } from "./measure.ts";
import { openStand, randomTimes, type ServerProcess, type Stand } from "./stand.ts";

const PER_SECOND = 200;
const REQUESTS = PER_SECOND * 60;
const CALM_WITHIN_MS = 120_000;
const MOST_ADDED_P99_MS = 2;
const MOST_ADDED_MAX_MS = 25;
const MOST_DRAIN_S = 30;

export async function outage(): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const stand = await openStand(stack);
  const server = await stand.start("shadow");
  await minute(stand, server, 0); // Warm-up.
  const calm = [await minute(stand, server, 1), await minute(stand, server, 2)];
  const { postgres } = stand;
  await stand.settled(server.sent, CALM_WITHIN_MS);
  await postgres.halt();
  const stopped = await minute(stand, server, 3);
  await postgres.resume();
  const stoppedDrainS = await drainS(stand, server);
  postgres.freeze();
  const frozen = await minute(stand, server, 4);
  postgres.thaw();
  const frozenDrainS = await drainS(stand, server);
  const twice = await judgedTwice(stand);
  return [
    ...added("stopped", calm, stopped),
    { metric: "stopped: backlog drained, s", value: stoppedDrainS, atMost: MOST_DRAIN_S },
    ...added("frozen", calm, frozen),
    { metric: "frozen: backlog drained, s", value: frozenDrainS, atMost: MOST_DRAIN_S },
    { metric: "trials lost", value: server.sent - (await judged(stand)), atMost: 0 },
    { metric: "trials judged twice", value: twice, atMost: 0 },
  ];
}

function minute(stand: Stand, server: ServerProcess, seed: number): Promise<LoadResult> {
  const dueMs = randomTimes(REQUESTS, PER_SECOND, seed + 1);
  return stand.send(server, "waits", { bodies: waitingBodies(5), plan: { kind: "open", dueMs } });
}

async function drainS(stand: Stand, server: ServerProcess): Promise<number> {
  const startedMs = performance.now();
  await stand.settled(server.sent, CALM_WITHIN_MS);
  return (performance.now() - startedMs) / 1_000;
}

function added(when: string, calm: readonly LoadResult[], during: LoadResult): Figure[] {
  const above = (of: (load: LoadResult) => number) => of(during) - Math.max(...calm.map(of));
  const [p99, max] = [above(({ p99Ms }) => p99Ms), above(({ maxMs }) => maxMs)];
  return [
    { metric: `${when}: added p99, ms`, value: p99, atMost: MOST_ADDED_P99_MS },
    { metric: `${when}: added max, ms`, value: max, atMost: MOST_ADDED_MAX_MS },
  ];
}

async function judged({ db }: Stand): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    "select count(*)::integer as count from twintrack.trials where verdict = 'match'",
  );
  return row?.count ?? 0;
}

async function judgedTwice({ db }: Stand): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `select count(*)::integer as count from (select trial_id from twintrack.runs
     where side = 'candidate' group by trial_id having count(*) > 1) twice`,
  );
  return row?.count ?? 0;
}
