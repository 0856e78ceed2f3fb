/**
 * G4 and G5: the Python bridge against the least that a Python child could do, and against the
 * official `mcp` package's low-level server with the same tools. One client and the same frames
 * for all; children are compared side by side in rounds.
 *
 * A bare echo answers `ping`, which is the wire path and nothing else. A tool call is compared
 * with a child that reads a line, parses it, calls `tool.invoke` and writes the text: what the
 * call of a LangChain tool costs by itself is not ours to lower. A start is compared without the
 * user's imports: with a chain that is a plain function.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Comparison, type Goal, interleave, quantile } from "./measure.ts";
import { PythonBenchChild } from "./python-child.ts";

const ROUNDS = 9;
const CALLS_PER_ROUND = 400;
const PIPELINED_PER_ROUND = 1_500;
const IN_FLIGHT = 64;
const SLEEPERS = 20;
const SLEEP_MS = 100;
const MEMORY_CALLS = 100_000;
const MEMORY_BASE_CALLS = 10_000;

const BRIDGE = ["-m", "twintrack_bridge", "tools:ALL"];
const QUOTE = { name: "quote", arguments: { order_id: "A-10001", quantity: 3, note: "ring" } };

const atMost = (ratio: number): Goal => ({ kind: "atMost", ratio });
const atLeast = (ratio: number): Goal => ({ kind: "atLeast", ratio });

interface Cost {
  p50Us: number;
  perSecond: number;
}

type Ask = (child: PythonBenchChild) => Promise<unknown>;

const ping: Ask = (child) => child.ask("ping");
const quote: Ask = (child) => child.ask("tools/call", QUOTE);

async function costOf(child: PythonBenchChild, ask: Ask): Promise<Cost> {
  const durationsUs: number[] = [];
  for (let n = 0; n < CALLS_PER_ROUND; n++) {
    const startedMs = performance.now();
    await ask(child);
    durationsUs.push((performance.now() - startedMs) * 1_000);
  }
  return { p50Us: quantile(durationsUs, 0.5), perSecond: await throughput(child, ask) };
}

async function throughput(child: PythonBenchChild, ask: Ask, calls = PIPELINED_PER_ROUND) {
  let left = calls;
  const startedMs = performance.now();
  const lane = async () => {
    while (left-- > 0) await ask(child);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return calls / ((performance.now() - startedMs) / 1_000);
}

/** One kind of request, to ours, to the base and to the base once more. */
async function compareCalls(
  what: string,
  ask: Ask,
  base: { name: string; args: readonly string[]; initialize?: boolean },
  goals: { p50: Goal; perSecond?: Goal },
  pycache: string,
): Promise<Comparison[]> {
  const start = async (args: readonly string[], initialize = false) => {
    const child = new PythonBenchChild(args, pycache);
    if (initialize) await child.initialize();
    await costOf(child, ask);
    return child;
  };
  const children = {
    ours: await start(BRIDGE, true),
    base: await start(base.args, base.initialize),
    again: await start(base.args, base.initialize),
  };
  const costs = await interleave(
    {
      ours: () => costOf(children.ours, ask),
      base: () => costOf(children.base, ask),
      again: () => costOf(children.again, ask),
    },
    ROUNDS,
  );
  for (const child of Object.values(children)) child.kill();
  const compared = (metric: string, of: (cost: Cost) => number, goal: Goal): Comparison => ({
    metric: `${what}: ${metric}`,
    base: { name: base.name, rounds: costs.base.map(of), again: costs.again.map(of) },
    ours: { name: "the bridge", rounds: costs.ours.map(of) },
    moreIsBetter: goal.kind === "atLeast",
    ...goalOf(goal),
  });
  const rows = [compared("p50, µs", (cost) => cost.p50Us, goals.p50)];
  if (goals.perSecond) {
    rows.push(compared(`per second, ${IN_FLIGHT} at once`, (c) => c.perSecond, goals.perSecond));
  }
  return rows;
}

async function startMs(args: readonly string[], ask: Ask, pycache: string): Promise<number> {
  const startedMs = performance.now();
  const child = new PythonBenchChild(args, pycache);
  await ask(child);
  const tookMs = performance.now() - startedMs;
  child.kill();
  return tookMs;
}

async function compareStarts(
  what: string,
  ask: Ask,
  ours: readonly string[],
  base: { name: string; args: readonly string[] },
  ratio: number,
  pycache: string,
): Promise<Comparison> {
  const cases = {
    ours: () => startMs(ours, ask, pycache),
    base: () => startMs(base.args, ask, pycache),
    again: () => startMs(base.args, ask, pycache),
  };
  await interleave(cases, 2);
  const rounds = await interleave(cases, ROUNDS);
  return {
    metric: `${what}, ms`,
    base: { name: base.name, rounds: rounds.base, again: rounds.again },
    ours: { name: "the bridge", rounds: rounds.ours },
    ...goalOf(atMost(ratio)),
  };
}

/** Well under the base is said as a speed-up: 0.5 of the time is at least 2 times faster. */
function goalOf(goal: Goal): Pick<Comparison, "goal" | "inverted"> {
  if (goal.kind === "atLeast" || goal.ratio >= 1) return { goal };
  return { inverted: true, goal: atLeast(Number((1 / goal.ratio).toFixed(2))) };
}

/** Sync tools that sleep side by side, against one that sleeps alone. */
async function compareSleepers(pycache: string): Promise<Comparison> {
  const child = new PythonBenchChild(BRIDGE, pycache);
  await child.initialize();
  const doze = { name: "doze", arguments: { milliseconds: SLEEP_MS } };
  const timed = async (many: number) => {
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: many }, () => child.ask("tools/call", doze)));
    return performance.now() - startedMs;
  };
  await timed(SLEEPERS);
  const rounds = await interleave(
    { ours: () => timed(SLEEPERS), base: () => timed(1), again: () => timed(1) },
    ROUNDS,
  );
  child.kill();
  return {
    metric: `sleeping ${SLEEP_MS} ms, ms`,
    base: { name: "one alone", rounds: rounds.base, again: rounds.again },
    ours: { name: `${SLEEPERS} at once`, rounds: rounds.ours },
    goal: { kind: "atMost", ratio: 1.5 },
  };
}

async function compareMemory(pycache: string): Promise<Comparison> {
  const child = new PythonBenchChild(BRIDGE, pycache);
  await child.initialize();
  const sizes: number[] = [];
  for (const calls of [MEMORY_BASE_CALLS, MEMORY_BASE_CALLS, MEMORY_CALLS]) {
    await throughput(child, quote, calls);
    sizes.push(child.residentBytes() / 1_048_576);
  }
  child.kill();
  const [base = Number.NaN, again = Number.NaN, ours = Number.NaN] = sizes;
  return {
    metric: "resident memory, MiB",
    base: { name: `after ${MEMORY_BASE_CALLS} calls`, rounds: [base], again: [again] },
    ours: { name: `after ${MEMORY_CALLS} more`, rounds: [ours] },
    goal: { kind: "atMost", ratio: 1.05 },
  };
}

export async function pythonBridge(): Promise<Comparison[]> {
  const pycache = mkdtempSync(join(tmpdir(), "twintrack-pycache-"));
  const bare = { p50: atMost(1.4), perSecond: atLeast(0.6) };
  const echo = { name: "bare echo", args: ["echo.py"] };
  const invoke = { name: "echo + invoke", args: ["invoke.py"] };
  const official = { name: "mcp server", args: ["official.py"], initialize: true };
  const listed: Ask = async (child) => {
    await child.initialize();
    return child.ask("tools/list");
  };
  const chain = ["-m", "twintrack_bridge", "--chain", "plain:chain"];
  try {
    return [
      ...(await compareCalls("ping", ping, echo, bare, pycache)),
      ...(await compareCalls("tool call", quote, invoke, bare, pycache)),
      ...(await compareCalls("tool call", quote, official, { p50: atMost(0.5) }, pycache)),
      await compareStarts("first answer", ping, chain, echo, 1.5, pycache),
      await compareStarts("cold start to tools/list", listed, BRIDGE, official, 0.6, pycache),
      await compareSleepers(pycache),
      await compareMemory(pycache),
    ];
  } finally {
    rmSync(pycache, { recursive: true, force: true });
  }
}
