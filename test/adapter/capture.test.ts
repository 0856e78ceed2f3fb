import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RunnableLambda } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { chain } from "../../adapter/capture.ts";
import type { ChainOptions } from "../../adapter/chain.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { invoiceChain } from "../../fixtures/invoices/chain.ts";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import { CUSTOMERS, ORDERS } from "../../fixtures/refunds/data.ts";
import { decide } from "../../fixtures/refunds/rules.ts";

const READS = { find_order: "read", lookup_customer: "read", lookup_vendor: "read" } as const;
const LIVE: ChainOptions = { tools: { mode: "live" }, effects: READS };

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-capture-"));
  process.env.TWINTRACK_SINK = join(folder, "effects.ndjson");
});

afterEach(() => {
  delete process.env.TWINTRACK_SINK;
  rmSync(folder, { recursive: true });
});

/** The writes that really happened, in order. */
function written(): string[] {
  const file = process.env.TWINTRACK_SINK ?? "";
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { tool: string }).tool);
}

function recorded(
  recording: readonly ToolCall[],
  reads: "live" | "recorded" = "recorded",
): ChainOptions {
  return { tools: { mode: "recorded", recording, reads }, effects: READS };
}

const requests = [...ORDERS.values()].map(({ id, email }) => ({
  orderId: id,
  email,
  message: "It arrived broken.",
}));

function refundable() {
  const found = requests.find((request) => {
    const order = ORDERS.get(request.orderId);
    return order && decide(request, order, CUSTOMERS.get(order.email)).decision === "refunded";
  });
  if (!found) throw new Error("the fixture has no refundable order");
  return found;
}

test("a live agent run tells every tool call with parsed arguments and raw results", async () => {
  const request = refundable();
  const run = await chain(refundAgent).invoke(request, LIVE);

  expect(run.outcome).toMatchObject({ status: "returned", value: { decision: "refunded" } });
  expect(run.calls.map(({ tool: name, effect, served }) => [name, effect, served])).toEqual([
    ["find_order", "read", "live"],
    ["lookup_customer", "read", "live"],
    ["refund", "write", "live"],
    ["send_mail", "write", "live"],
  ]);
  expect(run.calls[0]?.outcome).toEqual({ status: "returned", value: ORDERS.get(request.orderId) });
  expect(run.calls[2]?.args).toMatchObject({ orderId: request.orderId, currency: "EUR" });
  expect(written()).toEqual(["refund", "send_mail"]);
});

test("a recorded run gives the same answer and never executes a write", async () => {
  const live = await chain(refundAgent).invoke(refundable(), LIVE);
  const before = written();
  const again = await chain(refundAgent).invoke(refundable(), recorded(live.calls));

  expect(again.outcome).toEqual(live.outcome);
  expect(again.calls.map(({ served }) => served)).toEqual([
    "recorded",
    "recorded",
    "recorded",
    "recorded",
  ]);
  expect(written()).toEqual(before);
});

test("a write without a record is refused, and is not executed", async () => {
  const live = await chain(refundAgent).invoke(refundable(), LIVE);
  const before = written();
  const readsOnly = live.calls.filter(({ effect }) => effect === "read");
  const run = await chain(refundAgent).invoke(refundable(), recorded(readsOnly));

  const refund = run.calls.find(({ tool: name }) => name === "refund");
  expect(refund).toMatchObject({
    served: "refused",
    outcome: { status: "threw", error: { code: "EFFECT_REFUSED" } },
  });
  expect(written()).toEqual(before);
});

test("a read without a record runs only when reads are live", async () => {
  const find = (reads: "live" | "recorded") =>
    chain(refundAgent).invoke(refundable(), recorded([], reads));
  const refused = await find("recorded");
  const live = await find("live");

  expect(refused.calls[0]).toMatchObject({
    tool: "find_order",
    served: "refused",
    outcome: { error: { code: "READ_UNRECORDED" } },
  });
  expect(live.calls[0]).toMatchObject({
    tool: "find_order",
    served: "live",
    outcome: { status: "returned" },
  });
  expect(written()).toEqual([]);
});

test("a recorded failure fails again with the same name and message", async () => {
  const request = { orderId: "A-99999", email: "nobody@example.com", message: "?" };
  const live = await chain(refundAgent).invoke(request, LIVE);
  const again = await chain(refundAgent).invoke(request, recorded(live.calls));

  expect(live.outcome).toEqual({
    status: "threw",
    error: { name: "Error", message: "No order A-99999" },
  });
  expect(again.outcome).toEqual(live.outcome);
  expect(again.calls[0]?.outcome).toEqual(live.calls[0]?.outcome);
});

test("a pipeline of prompt, model, parser and lambdas is captured as well", async () => {
  const text =
    "Invoice IN-20001\nFrom: Nobody Ltd\nDate: 2026-05-01\n\n1 x PAPER-A4 @ 5.00\nVAT 21 %";
  const run = await chain(invoiceChain).invoke({ text }, LIVE);

  expect(run.outcome).toMatchObject({ error: { message: 'No vendor is called "Nobody Ltd"' } });
  expect(run.calls).toMatchObject([{ tool: "lookup_vendor", args: { name: "Nobody Ltd" } }]);
});

test("concurrent runs keep their calls apart", async () => {
  const agent = chain(refundAgent);
  const runs = await Promise.all(
    requests.slice(0, 20).map((request) => agent.invoke(request, LIVE)),
  );

  for (const [index, run] of runs.entries()) {
    const { orderId, email } = requests[index] ?? {};
    expect(run.calls[0]?.args).toEqual({ orderId });
    expect(run.calls[1]?.args).toEqual({ email });
    expect(run.calls.filter(({ tool: name }) => name === "find_order")).toHaveLength(1);
  }
});

const rows = tool(async () => ["2 rows", { ids: [1, 2] }], {
  name: "rows",
  description: "",
  schema: z.object({}),
  responseFormat: "content_and_artifact",
});

test("content and artifact are recorded as the pair, and come back as message and artifact", async () => {
  const ask = async () => {
    const message = await rows.invoke({ type: "tool_call", id: "1", name: "rows", args: {} });
    return { content: message.content, artifact: message.artifact as object };
  };
  const live = await chain(ask).invoke({}, LIVE);
  const again = await chain(ask).invoke({}, recorded(live.calls));

  expect(live.calls[0]?.outcome).toEqual({
    status: "returned",
    value: ["2 rows", { ids: [1, 2] }],
  });
  expect(again.outcome).toEqual(live.outcome);
});

test("a runnable made a tool is recorded and answered like any tool", async () => {
  let ran = 0;
  const echo = RunnableLambda.from(({ q }: { q: string }) => ({ q, ran: ++ran })).asTool({
    name: "echo",
    schema: z.object({ q: z.string() }),
  });
  const ask = () => echo.invoke({ type: "tool_call", id: "1", name: "echo", args: { q: "a" } });
  const live = await chain(ask).invoke({}, LIVE);
  const again = await chain(ask).invoke({}, recorded(live.calls));

  expect(live.calls).toMatchObject([{ tool: "echo", args: { q: "a" } }]);
  expect(again.outcome).toEqual(live.outcome);
  expect(ran).toBe(1);
});

test("a string tool is recorded with the arguments its schema describes", async () => {
  const shout = tool(async (text: string) => text.toUpperCase(), {
    name: "shout",
    description: "",
  });
  const run = await chain(() => shout.invoke("hi")).invoke({}, LIVE);

  expect(run.calls).toMatchObject([{ args: { input: "hi" }, outcome: { value: "HI" } }]);
});

test("what a generator tool returns is recorded", async () => {
  const steps = tool(
    async function* () {
      yield "one";
      return { done: true };
    } as unknown as () => Promise<object>,
    { name: "steps", description: "", schema: z.object({}) },
  );
  const run = await chain(() => steps.invoke({})).invoke({}, LIVE);

  expect(run.calls).toMatchObject([{ outcome: { status: "returned", value: { done: true } } }]);
});

test("a record that lost information cannot stand in for the value", async () => {
  const dated = tool(async () => ({ at: new Date(0) }), {
    name: "dated",
    description: "",
    schema: z.object({}),
  });
  const ask = async () => ({ at: (await dated.invoke({})).at.getTime() });
  const live = await chain(ask).invoke({}, LIVE);
  const again = await chain(ask).invoke({}, recorded(live.calls));

  expect(live.calls).toMatchObject([{ lossy: true }]);
  expect(again.outcome).toMatchObject({ status: "threw", error: { code: "RECORDING_LOSSY" } });
});

test("what a tool calls inside itself is part of that tool", async () => {
  const inner = tool(async () => "inner", { name: "inner", description: "", schema: z.object({}) });
  const outer = tool(async () => inner.invoke({}), {
    name: "outer",
    description: "",
    schema: z.object({}),
  });
  const run = await chain(() => outer.invoke({})).invoke({}, LIVE);

  expect(run.calls.map(({ tool: name }) => name)).toEqual(["outer"]);
});

test("a read that runs live in a shadow cannot write inside itself", async () => {
  const ran: string[] = [];
  const write = tool(async () => void ran.push("write"), {
    name: "write",
    description: "",
    schema: z.object({}),
  });
  const read = tool(async () => write.invoke({}), {
    name: "find_order",
    description: "",
    schema: z.object({}),
  });
  const run = await chain(() => read.invoke({})).invoke({}, recorded([], "live"));

  expect(run.outcome).toMatchObject({ status: "threw", error: { code: "EFFECT_REFUSED" } });
  expect(ran).toEqual([]);
});

test("a chain past its time limit is timed out, with the calls it had made", async () => {
  const gate = Promise.withResolvers<string>();
  const slow = tool(() => gate.promise, { name: "slow", description: "", schema: z.object({}) });
  const run = await chain(() => slow.invoke({})).invoke({}, { ...LIVE, timeoutMs: 20 });
  gate.resolve("");

  expect(run.outcome).toEqual({ status: "timed_out", afterMs: 20 });
  expect(run.calls).toMatchObject([{ tool: "slow", outcome: { status: "timed_out" } }]);
});

test("the caller's signal reaches the chain, and ends the run", async () => {
  const caller = new AbortController();
  const heard = Promise.withResolvers<void>();
  const run = chain((_input: unknown, config: { signal: AbortSignal }) => {
    config.signal.addEventListener("abort", () => heard.resolve());
    caller.abort();
    return new Promise(() => undefined);
  }).invoke({}, { ...LIVE, signal: caller.signal });

  expect((await run).outcome).toMatchObject({ status: "threw", error: { code: "CANCELLED" } });
  await heard.promise;
});

test("outside of any run a tool is what it was", async () => {
  await chain(() => null).invoke({}, LIVE);

  await expect(rows.invoke({})).resolves.toBe("2 rows");
});

test("in a shadow process a tool called outside of any run is refused", async () => {
  const script = fileURLToPath(import.meta.resolve("./stray-call.ts"));
  const env = { ...process.env, TWINTRACK_ROLE: "shadow" };
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env });

  expect(JSON.parse(stdout)).toEqual({
    stray: "EFFECT_REFUSED",
    throughPort: { content: [{ type: "text", text: "2 rows" }] },
  });
});

test("tools of a CommonJS copy of LangChain are captured too", async () => {
  const required = createRequire(import.meta.url)("@langchain/core/tools") as { tool: typeof tool };
  const other = required.tool(async () => "cjs", {
    name: "other",
    description: "",
    schema: z.object({}),
  });
  const run = await chain(() => other.invoke({})).invoke({}, LIVE);

  expect(run.calls).toMatchObject([{ tool: "other", outcome: { value: "cjs" } }]);
});

test("a tool of a copy that nobody could find is stopped in a recorded run", async () => {
  // A query makes Node load the module a second time: a copy that is on no path.
  const file = import.meta.resolve("@langchain/core/tools");
  const hidden = (await import(`${file}?copy`)) as { tool: typeof tool };
  const ran: string[] = [];
  const stray = hidden.tool(async () => void ran.push("stray"), {
    name: "stray",
    description: "",
    schema: z.object({}),
  });
  const call = (_input: unknown, config: object) => stray.invoke({}, config);
  const run = await chain(call).invoke({}, recorded([]));

  expect(run.outcome).toMatchObject({ status: "threw", error: { code: "EFFECT_REFUSED" } });
  // Not intercepted, so not recorded: it was the announcement that stopped it.
  expect(run.calls).toEqual([]);
  expect(ran).toEqual([]);
});

test("a chain whose tools are of a copy that nobody could find is warned of, once", async () => {
  const file = import.meta.resolve("@langchain/core/tools");
  const hidden = (await import(`${file}?bundled`)) as { tool: typeof tool };
  const schema = z.object({});
  const bundled = hidden.tool(async () => "ran", { name: "bundled", description: "", schema });
  const call = (_input: unknown, config: object) => bundled.invoke({}, config);
  const warnings: (Error & { code?: string })[] = [];
  const listener = (warning: Error) => void warnings.push(warning);
  process.on("warning", listener);
  try {
    const escaping = chain(call);
    for (let run = 0; run < 3; run++) await escaping.invoke({}, LIVE);
    await chain((_input: unknown, config: object) => rows.invoke({}, config)).invoke({}, LIVE);
    await new Promise(setImmediate);
  } finally {
    process.off("warning", listener);
  }

  expect(warnings.map(({ code }) => code)).toEqual(["TWINTRACK_UNRECORDED"]);
  expect(warnings[0]?.message).toContain("calls its tools through a copy of @langchain/core");
});

test("something that is no chain is refused when it is configured", () => {
  expect(() => chain({ run: 1 })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});

test("the chain gets a copy of the input", async () => {
  const input = { items: ["a"] };
  await chain((given: typeof input) => given.items.push("b")).invoke(input, LIVE);

  expect(input).toEqual({ items: ["a"] });
});
