/**
 * More than can be judged: every trigger is answered, the rest is counted, and nothing grows.
 *
 * G16 sends about as much as the shadow can judge, 60 requests a second, and then ten times as much.
 * `soak` sends 50 a second for an hour, of which it can judge five. Memory is the server's resident
 * set, one sample a second.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Books } from "../../harness/store/books.ts";
import { waitingBodies } from "./live-app.ts";
import type { Comparison, Figure } from "./measure.ts";
import { openStand, randomTimes, type ServerProcess, type Stand } from "./stand.ts";

const SAMPLE_MS = 1_000;
const SETTLED_WITHIN_MS = 300_000;
/** The limit of the flow in live.config.ts, and what is shipped between two counts of it. */
const MOST_OPEN = 500;
const SLACK_OPEN = 500;

interface Phase {
  rssMiB: number[];
  mostOpen: number;
}

export async function overload(): Promise<(Comparison | Figure)[]> {
  await using stack = new AsyncDisposableStack();
  const stand = await openStand(stack);
  const server = await stand.start("shadow");
  await phase(stand, server, { flow: "slow", perSecond: 60, seconds: 60 }); // Warm-up.
  const steady = await phase(stand, server, { flow: "slow", perSecond: 60, seconds: 60 });
  const over = await phase(stand, server, { flow: "slow", perSecond: 600, seconds: 120 });
  const balance = await stand.settled(server.sent, SETTLED_WITHIN_MS);
  return [
    memory("under overload", steady.rssMiB, over.rssMiB, 1.2),
    { metric: "open trials at most", value: over.mostOpen, atMost: MOST_OPEN + SLACK_OPEN },
    { metric: "answers that the books miss", value: missing(server, balance), atMost: 0 },
  ];
}

const SOAK_S = 3_600;
const SOAK_WARM_UP_S = 600;

export async function soak(): Promise<(Comparison | Figure)[]> {
  await using stack = new AsyncDisposableStack();
  const stand = await openStand(stack);
  const server = await stand.start("shadow");
  const load = { flow: "crawling", perSecond: 50, seconds: SOAK_S };
  const { rssMiB, mostOpen } = await phase(stand, server, load);
  const balance = await stand.settled(server.sent, SETTLED_WITHIN_MS);
  const early = rssMiB.slice(SOAK_WARM_UP_S, 2 * SOAK_WARM_UP_S);
  return [
    memory("after an hour", early, rssMiB.slice(-SOAK_WARM_UP_S), 1.1),
    { metric: "open trials at most", value: mostOpen, atMost: MOST_OPEN + SLACK_OPEN },
    { metric: "answers that the books miss", value: missing(server, balance), atMost: 0 },
  ];
}

async function phase(
  stand: Stand,
  server: ServerProcess,
  { flow, perSecond, seconds }: { flow: string; perSecond: number; seconds: number },
): Promise<Phase> {
  const seen: Phase = { rssMiB: [], mostOpen: 0 };
  const ended = new AbortController();
  const watching = watch(stand, server, seen, ended.signal);
  const dueMs = randomTimes(perSecond * seconds, perSecond, 1);
  const bodies = waitingBodies(5);
  await stand.send(server, flow, { bodies, plan: { kind: "open", dueMs } });
  ended.abort();
  await watching;
  return seen;
}

async function watch(stand: Stand, server: ServerProcess, seen: Phase, ended: AbortSignal) {
  while (!ended.aborted) {
    seen.rssMiB.push((await server.usage()).rssBytes / 2 ** 20);
    const [row] = await stand.db.query<{ open: number }>(
      "select count(*)::integer as open from twintrack.trials where verdict is null",
    );
    seen.mostOpen = Math.max(seen.mostOpen, row?.open ?? 0);
    await pause(SAMPLE_MS, undefined, { signal: ended }).catch(() => undefined);
  }
}

/** Every other sample each: two measurements of the same. */
function memory(
  when: string,
  before: readonly number[],
  after: readonly number[],
  ratio: number,
): Comparison {
  return {
    metric: `server's memory ${when}, MiB`,
    base: {
      name: "steady",
      rounds: before.filter((_, n) => n % 2 === 0),
      again: before.filter((_, n) => n % 2 === 1),
    },
    ours: { name: when, rounds: after },
    goal: { kind: "atMost", ratio },
  };
}

/** Received is compared plus dropped, by cause. */
function missing({ sent }: ServerProcess, { verdicts, gaps, unexplained }: Books): number {
  const accounted = [...Object.values(verdicts), ...Object.values(gaps)];
  return sent - accounted.reduce((sum, count) => sum + count, 0) + Math.abs(unexplained);
}
