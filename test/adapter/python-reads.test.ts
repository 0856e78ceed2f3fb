/** Reads of Python chains that nobody recorded, answered by a function of ours. */
import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { tool } from "@langchain/core/tools";
import { afterAll, afterEach, expect, test } from "vitest";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import type { AnswerRead, ChainOptions, ChainRun, LegacyChain } from "../../adapter/chain.ts";
import { pythonChain } from "../../adapter/python-chain.ts";
import { TwintrackError } from "../../core/error.ts";
import { interpreter, root } from "./python-process.ts";

const cwd = join(root, "python-bridge/tests");
const start = () => pythonChain({ target: "asking:chosen", cwd, interpreter });
const shared = start();
const opened: LegacyChain[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
afterAll(() => shared.close());

function answeredBy(reads: AnswerRead, more: Partial<ChainOptions> = {}): ChainOptions {
  const effects = { price: "read", weight: "read" } as const;
  return { tools: { mode: "recorded", recording: [], reads }, effects, ...more };
}

/** What of the calls is compared and kept. */
const kept = ({ calls }: ChainRun) =>
  calls.map(({ startedAtMs: _, durationMs: _ms, ...call }) => call);

const price = tool(async () => ({ cents: 1 }), {
  name: "price",
  description: "The price of n pieces.",
  schema: z.object({ n: z.number(), currency: z.string().default("EUR") }),
});
const inJavaScript = chain(({ with: n }: { with: number }) => price.invoke({ n }), { from: root });

test("an answered read is recorded alike in JavaScript and in Python", async () => {
  const asked: unknown[] = [];
  const options = answeredBy(async (...question) => {
    asked.push(question);
    return { cents: 700, net: 588.24, notes: null };
  });
  const input = { chain: "in_thread", with: 7 };
  const runs = [await inJavaScript.invoke(input, options), await shared.invoke(input, options)];

  const args = { n: 7, currency: "EUR" };
  expect(asked).toEqual(Array(2).fill(["price", args]));
  expect(runs[1]?.outcome).toEqual(runs[0]?.outcome);
  expect(runs.map(kept)).toEqual(
    Array(2).fill([
      {
        ...{ tool: "price", args, effect: "read", occurrence: 0, served: "snapshot" },
        outcome: { status: "returned", value: { cents: 700, net: 588.24, notes: null } },
      },
    ]),
  );
});

test("a read that is refused is recorded alike in JavaScript and in Python", async () => {
  const options = answeredBy(async () => {
    throw new TwintrackError("READ_UNRECORDED", "nobody knows");
  });
  const input = { chain: "in_thread", with: 7 };
  const runs = [await inJavaScript.invoke(input, options), await shared.invoke(input, options)];

  const error = { name: expect.any(String), message: "nobody knows", code: "READ_UNRECORDED" };
  for (const run of runs) {
    expect(run.outcome).toEqual({ status: "threw", error });
    expect(run.calls).toMatchObject([{ served: "snapshot", outcome: { status: "threw", error } }]);
  }
});

test.each(["in_thread", "on_loop"])("runs at once get their own answers: %s", async (name) => {
  const second = Promise.withResolvers<void>();
  const run = (answer: AnswerRead) => shared.invoke({ chain: name, with: 1 }, answeredBy(answer));
  const [first, last] = await Promise.all([
    run(() => second.promise.then(() => "the first")),
    run(async () => {
      second.resolve();
      return "the last";
    }),
  ]);

  expect(first.outcome).toEqual({ status: "returned", value: "the first" });
  expect(last.outcome).toEqual({ status: "returned", value: "the last" });
});

test("a streamed chain is answered, too", async () => {
  const stream = shared.stream(
    { chain: "on_loop", with: 1 },
    answeredBy(async () => "streamed"),
  );
  expect((await stream.next()).value).toBe("streamed");
  expect(await stream.next()).toMatchObject({
    done: true,
    value: { outcome: { value: "streamed" } },
  });
});

test("the answer is given in the context of the run, not of the process", async () => {
  const context = new AsyncLocalStorage<string>();
  const options = answeredBy(async () => context.getStore() ?? "nobody's");
  const run = (name: string) =>
    context.run(name, () => shared.invoke({ chain: "in_thread", with: 1 }, options));
  const runs = await Promise.all([run("ada"), run("bo")]);
  expect(runs.map(({ outcome }) => outcome)).toMatchObject([{ value: "ada" }, { value: "bo" }]);
});

test.each(["in_thread", "on_loop", "blocking_the_loop"])(
  "a run that is cancelled while it waits for an answer does not hold up the next: %s",
  async (name) => {
    const stop = new AbortController();
    const hangs: AnswerRead = () => {
      stop.abort();
      return new Promise(() => undefined);
    };
    const pid = () => shared.invoke({ chain: "pid", with: 0 }, answeredBy(hangs));
    const before = await pid();
    const cancelled = shared.invoke(
      { chain: name, with: 1 },
      answeredBy(hangs, { signal: stop.signal }),
    );
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await pid()).outcome).toEqual(before.outcome);
  },
);

test("a run whose time is over before the answer is timed out with its call", async () => {
  await shared.invoke(
    { chain: "pid", with: 0 },
    answeredBy(async () => null),
  ); // Python is there.
  const limits = answeredBy(() => new Promise(() => undefined), { timeoutMs: 300 });
  const run = await shared.invoke({ chain: "in_thread", with: 1 }, limits);
  expect(run.outcome).toEqual({ status: "timed_out", afterMs: 300 });
  expect(run.calls).toMatchObject([{ served: "snapshot", outcome: { status: "timed_out" } }]);
});

test("a process that ends while it waits for an answer is PYTHON_LOST, and the answer goes nowhere", async () => {
  const own = start();
  opened.push(own);
  const { outcome } = await own.invoke(
    { chain: "pid", with: 0 },
    answeredBy(async () => null),
  );
  const pid = Number((outcome as { value?: unknown }).value);
  const late = Promise.withResolvers<string>();
  const asked = own.invoke(
    { chain: "in_thread", with: 1 },
    answeredBy(() => {
      process.kill(pid, "SIGKILL");
      return late.promise;
    }),
  );
  await expect(asked).rejects.toMatchObject({ code: "PYTHON_LOST" });
  late.resolve("too late");
  const next = await own.invoke(
    { chain: "in_thread", with: 1 },
    answeredBy(async () => "in time"),
  );
  expect(next.outcome).toEqual({ status: "returned", value: "in time" });
});

test("an answer that is too large for the pipe fails the run, although the chain swallows it", async () => {
  const large = answeredBy(async () => "x".repeat(5_000_000));
  const run = shared.invoke({ chain: "swallows", with: 1 }, large);
  await expect(run).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
});
