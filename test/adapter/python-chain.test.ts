/** Python chains through the bridge: captured live, replayed without a write. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import type { ChainRun, ChainStream, ChainTools, LegacyChain } from "../../adapter/chain.ts";
import type { PythonOptions } from "../../adapter/python.ts";
import type { JsonValue } from "../../core/json.ts";
import {
  effects,
  expectTriggersReplay,
  live,
  type Opened,
  recorded,
  stable,
  start,
} from "./triage.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const ticket = {
  ticketId: "T-00001",
  customer: "ada.lindqvist@example.com",
  channel: "email",
  subject: "Charged twice",
  body: "Urgent: I was charged twice, refund please.",
};

const opened: LegacyChain[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((chain) => chain.close()));
});

function open(options: Partial<PythonOptions> = {}): Opened {
  const one = start(options);
  opened.push(one.chain);
  return one;
}

/** For tests that leave the process as they found it. */
const calm = start();
/** Streams without an end. */
const endless = start({ target: "models:never_ends", cwd: join(root, "python-bridge/tests") });
afterAll(() => Promise.all([calm.chain.close(), endless.chain.close()]));

function shared(): Opened {
  const before = calm.writes().length;
  return { chain: calm.chain, writes: () => calm.writes().slice(before) };
}

const called = (run: ChainRun) => run.calls.map(({ tool, served }) => `${tool} ${served}`);

test("a live run writes, and gives its outcome with every tool call", async () => {
  const { chain, writes } = shared();

  const run = await chain.invoke(ticket, { tools: live, effects });

  expect(run.outcome).toMatchObject({
    status: "returned",
    value: {
      ticketId: "T-00001",
      queue: "billing",
      priority: "urgent",
      articles: ["refund-policy"],
    },
  });
  expect(called(run)).toEqual([
    "find_customer live",
    "search_articles live",
    "response_hours live",
    "assign_ticket live",
    "notify_team live",
  ]);
  expect(run.calls[1]?.args).toMatchObject({ queue: "billing", limit: 3 });
  expect(run.calls[3]).toMatchObject({
    effect: "write",
    args: { ticketId: "T-00001", customerId: "cus_1001" },
  });
  expect(writes()).toHaveLength(2);
});

test("a recorded run gives the same outcome and writes nothing", async () => {
  const { chain, writes } = shared();
  const first = await chain.invoke(ticket, { tools: live, effects });
  const before = writes();

  const second = await chain.invoke(ticket, { tools: recorded(first.calls), effects });

  expect(stable(second)).toEqual(stable(first));
  expect(second.calls.every(({ served }) => served === "recorded")).toBe(true);
  expect(writes()).toEqual(before);
});

test("a write that was not recorded is refused and reported, and nothing is written", async () => {
  const { chain, writes } = shared();

  const run = await chain.invoke(ticket, { tools: recorded([], "live"), effects });

  expect(run.outcome).toMatchObject({ status: "threw", error: { code: "EFFECT_REFUSED" } });
  expect(called(run).at(-1)).toBe("assign_ticket refused");
  expect(writes()).toEqual([]);
});

test("a write with other arguments than the recorded one is refused", async () => {
  const { chain, writes } = shared();
  const { calls } = await chain.invoke(ticket, { tools: live, effects });
  const changed = calls.map((call) =>
    call.tool === "assign_ticket"
      ? { ...call, args: { ...(call.args as object), queue: "access" } }
      : call,
  );

  const run = await chain.invoke(ticket, { tools: recorded(changed), effects });

  expect(run.outcome).toMatchObject({ status: "threw", error: { name: "EffectRefused" } });
  expect(writes()).toHaveLength(2);
});

test("a chain that throws is an outcome with Python's class and message", async () => {
  const { chain } = shared();
  const run = await chain.invoke(
    { ...ticket, customer: "who@example.org" },
    { tools: live, effects },
  );
  expect(run.outcome).toEqual({
    status: "threw",
    error: { name: "CustomerNotFound", message: "No customer with the address who@example.org" },
  });
});

test("concurrent live and recorded runs are not mixed up", async () => {
  const { chain, writes } = shared();
  const tickets = Array.from({ length: 20 }, (_, index) => ({
    ...ticket,
    ticketId: `T-${10_000 + index}`,
  }));

  const runs = await Promise.all(
    tickets.flatMap((input) => [
      chain.invoke(input, { tools: live, effects }),
      chain.invoke(input, { tools: recorded([], "live"), effects }),
    ]),
  );

  const assigned = runs.map(({ calls }) => calls.find(({ tool }) => tool === "assign_ticket"));
  expect(assigned.map((call) => call?.args)).toEqual(
    tickets.flatMap(({ ticketId }) => Array(2).fill(expect.objectContaining({ ticketId }))),
  );
  expect(assigned.map((call) => call?.served)).toEqual(tickets.flatMap(() => ["live", "refused"]));
  expect(writes()).toHaveLength(40);
});

test("a process with the role shadow refuses live tools", async () => {
  vi.stubEnv("TWINTRACK_ROLE", "shadow");
  const { chain, writes } = open();
  try {
    await expect(chain.invoke(ticket, { tools: live, effects })).rejects.toMatchObject({
      code: "EFFECT_REFUSED",
    });
    expect(writes()).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("what a recorded run leaves in its process besides memory ends with the process", async () => {
  const { chain } = open({
    target: "leavings:leaves",
    cwd: join(root, "python-bridge/tests"),
    env: { TWINTRACK_GIVEN: "given" },
  });
  const left = async (what: string) => {
    const { outcome } = await chain.invoke(what, { tools: recorded([]), effects: {} });
    if (outcome.status !== "returned") throw new Error(JSON.stringify(outcome));
    return outcome.value as { pid: number; before: JsonValue; after: JsonValue };
  };
  const first = await left("variable");
  expect(first.after).not.toEqual(first.before);
  const second = await left("folder");
  expect(second.after).not.toEqual(second.before);
  const [third, fourth] = [await left("tidied"), await left("nothing")];
  expect([second.before, third.before, fourth.before]).toEqual(Array(3).fill(first.before));
  expect(new Set([first.pid, second.pid, third.pid]).size).toBe(3);
  expect(fourth.pid).toBe(third.pid);
});

test("a chain past its deadline is timed out with the calls it had made", async () => {
  const { chain } = open({ target: "stubborn:hanging_chain", cwd: here, graceMs: 2_000 });
  const started = join(mkdtempSync(join(tmpdir(), "twintrack-")), "file");
  await chain.invoke("", { tools: live, effects }); // The limit is not for the start of Python.

  const run = await chain.invoke(started, { tools: live, effects, timeoutMs: 1_000 });

  expect(run.outcome).toEqual({ status: "timed_out", afterMs: 1_000 });
  expect(called(run)).toEqual(["echo live", "hang live"]);
  expect(run.calls[1]?.outcome.status).toBe("timed_out");
});

test("a chain that takes its process with it is PYTHON_LOST", async () => {
  const { chain } = open({ target: "stubborn:crashing_chain", cwd: here });
  await expect(chain.invoke(9, { tools: live, effects })).rejects.toMatchObject({
    code: "PYTHON_LOST",
  });
});

test("every eighth trigger of the fixture replays to the same outcome", async () => {
  await expectTriggersReplay(calm.chain, 8, 44);
}, 60_000);

const models = join(root, "python-bridge/tests");

async function drained(stream: ChainStream): Promise<{ chunks: JsonValue[]; run: ChainRun }> {
  const chunks: JsonValue[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, run: value };
    chunks.push(value);
  }
}

test("a stream yields chunks while the chain runs, and ends with its calls and its answer", async () => {
  const { chain } = open({ target: "models:spells", cwd: models });
  const { chunks, run } = await drained(chain.stream("abc", { tools: live, effects }));

  expect(chunks).toEqual(["A", "B", "C"]);
  expect(run.outcome).toEqual({ status: "returned", value: "ABC" });
  expect(called(run)).toEqual(["shout live", "shout live", "shout live"]);
});

test("an AgentExecutor's model calls come with the run, and a recorded run shares them", async () => {
  const { chain } = open({ target: "models:streaming_executor", cwd: models });
  const shout = { shout: "read" } as const;
  const first = await chain.invoke({ input: "hi" }, { tools: live, effects: shout });
  const tools: ChainTools = {
    mode: "recorded",
    recording: first.calls,
    reads: "recorded",
    modelRecording: first.modelCalls,
    models: "recorded",
  };
  const second = await chain.invoke({ input: "hi" }, { tools, effects: shout });

  expect(first.models).toBe("independent");
  expect(first.modelCalls.map(({ request }) => request.model)).toEqual(["rule-1", "rule-1"]);
  expect(second.models).toBe("shared");
  expect(second.outcome).toMatchObject({ value: { output: 'I say {"text": "HI"} ' } });
});

test("a reader that waits makes the Python chain wait, and leaving ends it", async () => {
  const { chain } = open({ target: "models:counts", cwd: models });
  const stream = chain.stream(2_000, { tools: live, effects });
  const first = await stream.next();
  const { chunks, run } = await drained(stream);

  expect(first.value).toEqual([0]);
  expect(chunks).toHaveLength(1_999);
  expect((run.outcome as { value: JsonValue[] }).value).toHaveLength(2_000);

  const left = endless.chain.stream("x", { tools: live, effects });
  await left.next();
  await left.return(undefined as never);
  const after = endless.chain.stream("x", { tools: live, effects, timeoutMs: 3_000 });
  expect((await after.next()).value).toBe("x");
  await after.return(undefined as never);
});

test.each(["cancel", "deadline"])("a %s ends a Python stream", async (how) => {
  const begin = async (limits: { timeoutMs?: number; signal?: AbortSignal }) => {
    const stream = endless.chain.stream("x", { tools: live, effects, ...limits });
    await stream.next();
    return stream;
  };
  await (await begin({})).return(undefined as never); // The limit is not for the start of Python.
  const stop = new AbortController();
  const stream = await begin(how === "deadline" ? { timeoutMs: 1_000 } : { signal: stop.signal });
  if (how === "cancel") {
    stop.abort();
    await expect(drained(stream)).rejects.toMatchObject({ code: "CANCELLED" });
  } else {
    const { run } = await drained(stream);
    expect(run.outcome).toEqual({ status: "timed_out", afterMs: 1_000 });
  }
});

test("a batch gives one run per input, and a failure stays alone", async () => {
  const { chain } = shared();
  const who = [ticket.customer, "who@example.org", ticket.customer];
  const runs = await chain.batch(
    who.map((customer) => ({ ...ticket, customer })),
    { tools: live, effects, maxConcurrency: 2 },
  );

  expect(runs.map(({ outcome }) => outcome.status)).toEqual(["returned", "threw", "returned"]);
});
