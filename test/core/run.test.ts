import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Engine, inProcessEngine } from "../../core/engine.ts";
import { TwintrackError } from "../../core/error.ts";
import { flow } from "../../core/flow.ts";
import { graph } from "../../core/graph.ts";
import type { RunEvent, RunStore } from "../../core/history.ts";
import { memoryLedger } from "../../core/ledger.ts";
import { replay } from "../../core/replay.ts";
import { runFlow } from "../../core/run.ts";
import { backoffMs } from "../../core/step.ts";
import type { ToolPort, ToolResult } from "../../core/tool.ts";

const numbers = {
  version: "1",
  input: z.object({ n: z.number() }),
  output: z.object({ n: z.number() }),
};

type Answer = (args: unknown, attempt: number) => ToolResult | Promise<ToolResult>;

/** Tools that answer from a table and count their calls. */
function toolsOf(answers: Record<string, Answer>, effect: "read" | "write" = "read") {
  const calls: string[] = [];
  const port: ToolPort = {
    effectOf: () => effect,
    async callTool(name, args) {
      calls.push(name);
      const answer = answers[name];
      if (!answer) throw new TwintrackError("TOOL_UNKNOWN", name);
      return answer(args, calls.filter((call) => call === name).length);
    },
  };
  return { port, calls };
}

const json = (value: object): ToolResult => ({ content: [], structuredContent: value });
const failed: ToolResult = { content: [{ type: "text", text: "no such order" }], isError: true };

/** Timers that fire at once, and say how long they were asked to wait. */
function impatientEngine(): { engine: Engine; waits: number[] } {
  const waits: number[] = [];
  const engine: Engine = {
    ...inProcessEngine,
    random: () => 1,
    sleep: (key, ms, signal) => {
      if (!key.endsWith("/backoff")) return inProcessEngine.sleep(key, ms, signal);
      waits.push(ms);
      return Promise.resolve();
    },
  };
  return { engine, waits };
}

const addOne = flow("add", numbers)
  .step("first", {
    tool: "add",
    args: ({ input }) => ({ n: input.n }),
    output: z.object({ n: z.number() }),
    retries: 3,
  })
  .step("second", { needs: ["first"], run: ({ first }) => first.n + 1 })
  .returns(({ second }) => ({ n: second }));

describe("a run", () => {
  test("gives each step only the outputs it needs and returns the flow's answer", async () => {
    const tools = toolsOf({ add: (args) => json({ n: (args as { n: number }).n + 1 }) });
    const result = await runFlow(addOne, { n: 1 }, { tools: tools.port });
    expect(result.outcome).toEqual({ status: "returned", value: { n: 3 } });
    expect(result.calls).toMatchObject([
      { tool: "add", args: { n: 1 }, step: "first", effect: "read" },
    ]);
  });

  test("refuses an input that does not fit the schema, naming the field", async () => {
    const result = await runFlow(addOne, { n: "one" }, { tools: toolsOf({}).port });
    expect(result.outcome).toMatchObject({ status: "threw", error: { code: "INPUT_INVALID" } });
    expect(result.outcome).toMatchObject({ error: { message: expect.stringContaining("/n ") } });
  });

  test("refuses an output that does not fit the step's schema", async () => {
    const result = await runFlow(
      addOne,
      { n: 1 },
      { tools: toolsOf({ add: () => json({ m: 1 }) }).port, engine: impatientEngine().engine },
    );
    expect(result.outcome).toMatchObject({
      status: "threw",
      error: { code: "OUTPUT_INVALID", step: "first" },
    });
    expect(result.history).toContainEqual(
      expect.objectContaining({
        type: "step_failed",
        error: expect.objectContaining({ code: "OUTPUT_INVALID" }),
      }),
    );
  });

  test("starts steps that do not need each other at the same time", async () => {
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const parallel = flow("parallel", numbers)
      .step("slow", {
        run: async () => {
          order.push("slow started");
          await gate.promise; // only "fast" opens it: run one after the other, this never ends
          return 1;
        },
      })
      .step("fast", {
        run: () => {
          order.push("fast started");
          gate.resolve();
          return 2;
        },
      })
      .step("sum", { needs: ["slow", "fast"], run: ({ slow, fast }) => slow + fast })
      .returns(({ sum }) => ({ n: sum }));
    const result = await runFlow(parallel, { n: 0 }, { tools: toolsOf({}).port });
    expect(result.outcome).toEqual({ status: "returned", value: { n: 3 } });
    expect(order).toEqual(["slow started", "fast started"]);
  });

  test("keeps the flow's own errors as outcomes and stops the steps that still run", async () => {
    const seen: boolean[] = [];
    const halting = flow("halting", numbers)
      .step("waits", {
        run: (_context, { signal }) =>
          new Promise<number>((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              seen.push(true);
              reject(new Error("stopped"));
            });
          }),
      })
      .step("throws", {
        run: (): number => {
          throw new RangeError("bad number");
        },
      })
      .returns(({ waits }) => ({ n: waits }));
    const result = await runFlow(halting, { n: 0 }, { tools: toolsOf({}).port });
    expect(result.outcome).toMatchObject({
      status: "threw",
      error: { name: "RangeError", message: "bad number", step: "throws" },
    });
    expect(seen).toEqual([true]);
  });

  test("stops when the caller cancels it", async () => {
    const abort = new AbortController();
    const tools = toolsOf({
      add: () => {
        abort.abort();
        return json({ n: 1 });
      },
    });
    const result = await runFlow(addOne, { n: 1 }, { tools: tools.port, signal: abort.signal });
    expect(result.outcome).toMatchObject({
      status: "threw",
      error: { message: expect.stringContaining("cancelled") },
    });
  });
});

describe("retries", () => {
  test("wait 200 ms, doubled each time, at most 2,000 ms, and randomness only shortens them", () => {
    expect([1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(attempt, 1))).toEqual([
      200, 400, 800, 1600, 2000, 2000,
    ]);
    expect(backoffMs(3, 0.5)).toBe(400);
  });

  test("stop at the first attempt that succeeds, and every attempt is in the history", async () => {
    const { engine, waits } = impatientEngine();
    const tools = toolsOf({ add: (_args, attempt) => (attempt < 3 ? failed : json({ n: 5 })) });
    const result = await runFlow(addOne, { n: 1 }, { tools: tools.port, engine });
    expect(result.outcome).toEqual({ status: "returned", value: { n: 6 } });
    expect(waits).toEqual([200, 400]);
    expect(result.history.filter((event) => event.type === "step_failed")).toHaveLength(2);
    expect(tools.calls).toHaveLength(3);
  });

  test("end after the stated number, and the run fails with the last error", async () => {
    const { engine } = impatientEngine();
    const tools = toolsOf({ add: () => failed });
    const result = await runFlow(addOne, { n: 1 }, { tools: tools.port, engine });
    expect(tools.calls).toHaveLength(4);
    expect(result.outcome).toMatchObject({
      error: { message: expect.stringContaining("no such order") },
    });
  });
});

describe("a step that fails for good", () => {
  const broken = { tool: "broken", args: () => ({}), output: z.number() };

  test("leaves its output undefined when its policy is continue", async () => {
    const tolerant = flow("tolerant", numbers)
      .step("maybe", { ...broken, onError: "continue" })
      .returns(({ maybe, input }) => ({ n: maybe ?? input.n }));
    const result = await runFlow(
      tolerant,
      { n: 7 },
      { tools: toolsOf({ broken: () => failed }).port },
    );
    expect(result.outcome).toEqual({ status: "returned", value: { n: 7 } });
  });

  test("gives the compensation's value, which sees the context and the error", async () => {
    const messages: string[] = [];
    const compensated = flow("compensated", numbers)
      .step("sure", {
        ...broken,
        onError: {
          compensate: ({ input }, error) => {
            messages.push(error.message);
            return input.n * 10;
          },
        },
      })
      .returns(({ sure }) => ({ n: sure }));
    const result = await runFlow(
      compensated,
      { n: 7 },
      { tools: toolsOf({ broken: () => failed }).port },
    );
    expect(result.outcome).toEqual({ status: "returned", value: { n: 70 } });
    expect(messages).toEqual([expect.stringContaining("no such order")]);
  });

  test("is skipped when its condition is false, and its tool is not called", async () => {
    const conditional = flow("conditional", numbers)
      .step("maybe", { ...broken, when: ({ input }) => input.n > 100 })
      .returns(({ maybe }) => ({ n: maybe ?? -1 }));
    const tools = toolsOf({ broken: () => failed });
    const result = await runFlow(conditional, { n: 7 }, { tools: tools.port });
    expect(result.outcome).toEqual({ status: "returned", value: { n: -1 } });
    expect(tools.calls).toEqual([]);
  });

  test("is a timeout when it does not finish within its limit", async () => {
    const slow = flow("slow", numbers)
      .step("hangs", { run: () => new Promise<number>(() => undefined), timeoutMs: 5 })
      .returns(({ hangs }) => ({ n: hangs }));
    const result = await runFlow(slow, { n: 0 }, { tools: toolsOf({}).port });
    expect(result.history).toContainEqual(
      expect.objectContaining({
        type: "step_failed",
        error: expect.objectContaining({ code: "TIMEOUT" }),
      }),
    );
  });
});

/** A store that keeps histories as the text a database would keep. */
function textStore(): RunStore & { lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    load: async () => lines.map((line) => JSON.parse(line) as RunEvent),
    append: async (_runId, seq, event) => {
      expect(seq).toBe(lines.length);
      lines.push(JSON.stringify(event));
    },
  };
}

describe("a history", () => {
  test("replays to the same result without calling a tool", async () => {
    const tools = toolsOf({ add: () => json({ n: 5 }) });
    const first = await runFlow(addOne, { n: 1 }, { tools: tools.port });
    const again = await replay(addOne, JSON.parse(JSON.stringify(first.history)) as RunEvent[]);
    expect(again.outcome).toEqual(first.outcome);
    expect(tools.calls).toHaveLength(1);
  });

  test("that the code no longer fits is a typed error naming the step", async () => {
    const { history } = await runFlow(
      addOne,
      { n: 1 },
      { tools: toolsOf({ add: () => json({ n: 5 }) }).port },
    );
    const renamed = flow("add", numbers)
      .step("other", { run: () => 1 })
      .returns(({ other }) => ({ n: other }));
    const otherArgs = flow("add", numbers)
      .step("first", {
        tool: "add",
        args: ({ input }) => ({ n: input.n + 1 }),
        output: z.object({ n: z.number() }),
      })
      .step("second", { needs: ["first"], run: ({ first }) => first.n + 1 })
      .returns(({ second }) => ({ n: second }));
    await expect(replay(renamed, history)).rejects.toMatchObject({
      code: "HISTORY_MISMATCH",
      message: expect.stringContaining('"first"'),
    });
    await expect(replay(otherArgs, history)).rejects.toMatchObject({
      code: "HISTORY_MISMATCH",
      message: expect.stringContaining('"first"'),
    });
  });

  test("cut off by a crash goes on after its last finished step", async () => {
    const store = textStore();
    const tools = toolsOf({ add: () => json({ n: 5 }) });
    await runFlow(addOne, { n: 1 }, { tools: tools.port, store, runId: "r1" });
    store.lines.splice(store.lines.findIndex((line) => line.includes('"second"')));
    const resumed = await runFlow(addOne, { n: 1 }, { tools: tools.port, store, runId: "r1" });
    expect(resumed.outcome).toEqual({ status: "returned", value: { n: 6 } });
    expect(tools.calls).toHaveLength(1);
  });

  test("of a run that has ended is not run again", async () => {
    const store = textStore();
    const tools = toolsOf({ add: () => json({ n: 5 }) });
    const first = await runFlow(addOne, { n: 1 }, { tools: tools.port, store, runId: "r1" });
    const lines = store.lines.length;
    const second = await runFlow(addOne, { n: 1 }, { tools: tools.port, store, runId: "r1" });
    expect(second.outcome).toEqual(first.outcome);
    expect(store.lines).toHaveLength(lines);
  });
});

describe("a write", () => {
  const writing = flow("writing", numbers)
    .step("pay", {
      tool: "pay",
      args: ({ input }) => ({ n: input.n }),
      output: z.object({ n: z.number() }),
      retries: 2,
    })
    .returns(({ pay }) => pay);

  test("whose result is unknown is not repeated, neither by a retry nor by a second run", async () => {
    const { engine } = impatientEngine();
    const ledger = memoryLedger();
    const tools = toolsOf(
      {
        pay: () => {
          throw new TwintrackError("PYTHON_LOST", "the process died");
        },
      },
      "write",
    );
    const options = { tools: tools.port, ledger, engine, triggerId: "t1" };
    const first = await runFlow(writing, { n: 1 }, options);
    const second = await runFlow(writing, { n: 1 }, options);
    expect(tools.calls).toHaveLength(1);
    expect(first.outcome).toMatchObject({ status: "threw" });
    expect(second.history).toContainEqual(
      expect.objectContaining({ error: expect.objectContaining({ code: "EFFECT_UNKNOWN" }) }),
    );
  });

  test("that the tool itself refused may be retried", async () => {
    const { engine } = impatientEngine();
    const tools = toolsOf(
      { pay: (_args, attempt) => (attempt === 1 ? failed : json({ n: 9 })) },
      "write",
    );
    const result = await runFlow(writing, { n: 1 }, { tools: tools.port, engine });
    expect(result.outcome).toEqual({ status: "returned", value: { n: 9 } });
  });

  test("made by an earlier run of the same trigger gives its recorded result", async () => {
    const ledger = memoryLedger();
    const tools = toolsOf({ pay: () => json({ n: 9 }) }, "write");
    const options = { tools: tools.port, ledger, triggerId: "t1" };
    await runFlow(writing, { n: 1 }, options);
    const again = await runFlow(writing, { n: 1 }, options);
    expect(again.outcome).toEqual({ status: "returned", value: { n: 9 } });
    expect(tools.calls).toHaveLength(1);
  });
});

test("the graph of a flow lists its steps, what they need, and which may be missing", () => {
  expect(graph(addOne)).toMatchObject({
    nodes: [
      { name: "first", kind: "tool", tool: "add", optional: false },
      { name: "second", kind: "run" },
    ],
    edges: [{ from: "first", to: "second" }],
  });
});

describe("a step that reads what it does not need, which only the compiler would refuse", () => {
  const reading = (field: "run" | "when") =>
    flow("add", numbers)
      .step("intent", { run: () => ({ n: 1 }) })
      .step("reply", {
        run: () => ({ n: 2 }),
        [field]: (({ intent }: { intent: { n: number } }) => intent) as never,
        retries: 2,
      } as never)
      .returns(({ input }) => input);

  test.each(["run", "when"] as const)(
    "fails by name in %s, and says what to add",
    async (field) => {
      const { engine, waits } = impatientEngine();
      const result = await runFlow(reading(field), { n: 1 }, { tools: toolsOf({}).port, engine });
      expect(result.outcome).toMatchObject({
        status: "threw",
        error: {
          code: "FLOW_INVALID",
          step: "reply",
          message: 'Step "reply" reads "intent", which it does not need: say needs: ["intent"]',
        },
      });
      expect(waits).toEqual([]);
    },
  );

  test("is no step that hands its context on, or looks whether something is there", async () => {
    const copying = flow("copy", numbers)
      .step("other", { run: () => ({ n: 5 }) })
      .step("copy", { run: (context) => JSON.parse(JSON.stringify({ ...context })) })
      .returns(({ copy }) => copy.input);
    const { outcome } = await runFlow(copying, { n: 7 }, { tools: toolsOf({}).port });
    expect(outcome).toEqual({ status: "returned", value: { n: 7 } });
  });
});
