/**
 * G14: a five-step typed flow against a LangGraph `StateGraph` of five nodes that does the same.
 *
 * Ours validates the flow's input and output and every step's output, and writes the history. The
 * graph validates nothing but what its state annotation asks. Both chain five pure steps, so that
 * what is measured is the runner, and the answer of each is checked. Heap is what V8 allocated,
 * sampled every 4 KiB, objects that were collected included; its rounds are apart from the timed
 * ones, because sampling costs time.
 */
import { type HeapProfiler, Session } from "node:inspector/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";
import { flow, runFlow } from "../../core/index.ts";
import { type Comparison, interleave, threadCpuUs } from "./measure.ts";

const ROUNDS = 15;
const STEPS = 5;
const TIMED_MS = 60;
const WARM_UP_ROUNDS = 12;
const HEAP_ROUNDS = 7;
const HEAP_RUNS = 60;
const SAMPLING_BYTES = 4_096;

const State = z.object({ orderId: z.string(), cents: z.number() });
type State = z.infer<typeof State>;

const INPUT: State = { orderId: "A-10001", cents: 1_000 };
const ADDED_CENTS = 5;

const add = (state: State): State => ({ ...state, cents: state.cents + 1 });

const typed = flow("bench", { version: "1", input: State, output: State })
  .step("one", { run: ({ input }) => add(input), output: State })
  .step("two", { needs: ["one"], run: ({ one }) => add(one), output: State })
  .step("three", { needs: ["two"], run: ({ two }) => add(two), output: State })
  .step("four", { needs: ["three"], run: ({ three }) => add(three), output: State })
  .step("five", { needs: ["four"], run: ({ four }) => add(four), output: State })
  .returns(({ five }) => five);

const tools = { callTool: () => Promise.reject(new Error("The flow under test calls no tool")) };

async function runTyped(): Promise<void> {
  const { outcome } = await runFlow(typed, INPUT, { tools });
  check(outcome.status === "returned" ? outcome.value : undefined);
}

const Shared = Annotation.Root({ orderId: Annotation<string>, cents: Annotation<number> });

const graph = new StateGraph(Shared)
  .addNode("one", add)
  .addNode("two", add)
  .addNode("three", add)
  .addNode("four", add)
  .addNode("five", add)
  .addEdge(START, "one")
  .addEdge("one", "two")
  .addEdge("two", "three")
  .addEdge("three", "four")
  .addEdge("four", "five")
  .addEdge("five", END)
  .compile();

async function runGraph(): Promise<void> {
  check(await graph.invoke(INPUT));
}

function check(answer: unknown): void {
  const { cents } = (answer ?? {}) as Partial<State>;
  if (cents !== INPUT.cents + ADDED_CENTS) throw new Error("The flow under test went wrong");
}

interface Cost {
  wallUs: number;
  cpuUs: number;
}

/** Per step, over as many runs as fit into the time. */
async function costOf(run: () => Promise<void>): Promise<Cost> {
  const startedMs = performance.now();
  const cpuBeforeUs = threadCpuUs();
  let runs = 0;
  let elapsedMs = 0;
  for (; elapsedMs < TIMED_MS; elapsedMs = performance.now() - startedMs) {
    await run();
    runs++;
  }
  const steps = runs * STEPS;
  return { wallUs: (elapsedMs * 1_000) / steps, cpuUs: (threadCpuUs() - cpuBeforeUs) / steps };
}

/** Bytes allocated per run. */
async function heapOf(session: Session, run: () => Promise<void>): Promise<number> {
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: SAMPLING_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  for (let n = 0; n < HEAP_RUNS; n++) await run();
  const { profile } = await session.post("HeapProfiler.stopSampling");
  return allocated(profile.head) / HEAP_RUNS;
}

function allocated(node: HeapProfiler.SamplingHeapProfileNode): number {
  return node.selfSize + node.children.reduce((sum, child) => sum + allocated(child), 0);
}

async function heapRounds() {
  const session = new Session();
  session.connect();
  try {
    const cases = {
      ours: () => heapOf(session, runTyped),
      base: () => heapOf(session, runGraph),
      again: () => heapOf(session, runGraph),
    };
    return await interleave(cases, HEAP_ROUNDS);
  } finally {
    session.disconnect();
  }
}

export async function typedFlow(): Promise<Comparison[]> {
  const cases = {
    ours: () => costOf(runTyped),
    base: () => costOf(runGraph),
    again: () => costOf(runGraph),
  };
  await interleave(cases, WARM_UP_ROUNDS);
  const { ours, base, again } = await interleave(cases, ROUNDS);
  const heap = await heapRounds();
  const compared = (metric: string, of: (cost: Cost) => number): Comparison => ({
    ...between(metric, { ours: ours.map(of), base: base.map(of), again: again.map(of) }),
    goal: { kind: "atLeast", ratio: 50 },
  });
  const kib = (bytes: readonly number[]) => bytes.map((value) => value / 1_024);
  return [
    compared("time, µs per step", (cost) => cost.wallUs),
    compared("CPU, µs per step", (cost) => cost.cpuUs),
    {
      ...between("heap, KiB per run", {
        ours: kib(heap.ours),
        base: kib(heap.base),
        again: kib(heap.again),
      }),
      goal: { kind: "atLeast", ratio: 30 },
    },
  ];
}

interface Rounds {
  ours: number[];
  base: number[];
  again: number[];
}

function between(metric: string, { ours, base, again }: Rounds): Comparison {
  return {
    metric,
    base: { name: "StateGraph", rounds: base, again },
    ours: { name: "typed flow", rounds: ours },
    inverted: true,
  };
}
