/** Exports of other tools, read as recordings: from LangChain's own tracer, and from OTLP JSON. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { BaseTracer, type Run } from "@langchain/core/tracers/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { parseLongIntegers } from "../../core/long-integer.ts";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import { readLangSmith } from "../../harness/import/langsmith.ts";
import { readOtel } from "../../harness/import/otel.ts";
import { pythonLiteral } from "../../harness/import/python-literal.ts";
import type { Recording } from "../../harness/recording.ts";
import { ROOT } from "../app/command.ts";

/** Keeps the runs that LangSmith would be sent. */
class KeepingTracer extends BaseTracer {
  name = "keeping";
  readonly roots: Run[] = [];
  protected override async persistRun(run: Run): Promise<void> {
    this.roots.push(run);
  }
}

/** A root and all below it, each alone and without its children, as `list_runs` gives them. */
function flat({ child_runs, ...run }: Run): object[] {
  return [run, ...child_runs.flatMap(flat)];
}

async function tracedRefund() {
  const tracer = new KeepingTracer();
  const input = {
    orderId: "A-10001",
    email: "elif.fischer.1@example.com",
    message: "The parcel arrived and one item is broken.",
  };
  const output: unknown = await refundAgent.invoke(input, { callbacks: [tracer] });
  const [root] = tracer.roots;
  if (!root) throw new Error("nothing was traced");
  return { input, output, root };
}

const only = ({ recordings }: { recordings: Recording[] }) => {
  expect(recordings).toHaveLength(1);
  return recordings[0] as Recording;
};

describe("an export of LangSmith", () => {
  test.each<[string, (root: Run) => string]>([
    [
      "one run in each line",
      (root) =>
        flat(root)
          .map((run) => JSON.stringify(run))
          .join("\n"),
    ],
    ["an array of runs", (root) => JSON.stringify(flat(root))],
    ["a tree of runs", (root) => JSON.stringify({ runs: [root] })],
  ])("as %s gives the trigger, its answer, its tool calls and its questions", async (_, told) => {
    const { input, output, root } = await tracedRefund();
    const { triggerId, payload } = only(readLangSmith(told(root)));
    expect(triggerId).toBe(root.id);
    expect(payload).toMatchObject({ input, outcome: { status: "returned" }, lossy: false });
    expect((payload.outcome as { value: JsonValue }).value).toEqual(
      JSON.parse(JSON.stringify(output)),
    );
    const calls = payload.calls.map(({ tool, args, lossy }) => [tool, args, lossy]);
    expect(calls).toContainEqual(["find_order", { orderId: "A-10001" }, undefined]);
    expect(payload.calls.map(({ tool }) => tool)).toEqual([
      "find_order",
      "lookup_customer",
      "send_mail",
    ]);
    expect(payload.calls[0]?.outcome).toMatchObject({ value: { id: "A-10001" } });
    expect(payload.modelCalls?.length).toBeGreaterThan(0);
    expect(payload.modelCalls?.[0]?.request.messages.at(0)?.content).toEqual(expect.any(String));
  });

  const run = (fields: object) => ({
    ...{ id: "r", run_type: "chain", name: "chain", inputs: { n: 1 }, outputs: { sum: 2 } },
    ...{ start_time: "2026-05-01T10:00:00.000000", ...fields },
  });
  const tool = (fields: object) =>
    run({
      id: "t",
      parent_run_id: "r",
      run_type: "tool",
      name: "add",
      inputs: { input: '{"n":1}' },
      outputs: { output: "2" },
      ...fields,
    });
  const read = (...runs: object[]) => readLangSmith(JSON.stringify(runs));
  const callOf = (fields: object) => only(read(run({}), tool(fields))).payload.calls[0];

  test("marks what it lacks as lossy", () => {
    expect(callOf({})?.lossy).toBeUndefined();
    expect(callOf({ inputs: {} })?.lossy).toBe(true);
    expect(callOf({ inputs: { input: '{"text":"cut off he' } })?.lossy).toBe(true);
    expect(callOf({ outputs: undefined })?.lossy).toBe(true);
    expect(only(read(run({ outputs: undefined }))).payload.lossy).toBe(true);
  });

  test("tells failures by class and message, of JavaScript and of Python", () => {
    const failed = (error: string) => only(read(run({ error, outputs: undefined }))).payload;
    expect(failed("TypeError: no such order\n    at find (x.js:1)")).toMatchObject({
      lossy: false,
      outcome: { status: "threw", error: { name: "TypeError", message: "no such order" } },
    });
    expect(
      failed("ValueError('bad amount')Traceback (most recent call last):\n …").outcome,
    ).toEqual({
      status: "threw",
      error: { name: "ValueError", message: "bad amount" },
    });
  });

  test("leaves serialised constructors as data, wherever they stand", () => {
    const secret = { lc: 1, type: "secret", id: ["OPENAI_API_KEY"] };
    const evil = {
      lc: 1,
      type: "constructor",
      id: ["child_process", "exec"],
      kwargs: { command: "id" },
    };
    const { payload } = only(read(run({ inputs: { n: 1, evil, secret }, outputs: { evil } })));
    expect(payload.input).toEqual({ n: 1, evil, secret });
    expect(payload.outcome).toEqual({ status: "returned", value: { evil } });
  });

  test("says which runs cannot be used, and takes the others", () => {
    const { recordings, problems } = read(
      run({}),
      run({ id: "hidden", inputs: {} }),
      run({ id: "orphan", parent_run_id: "elsewhere" }),
    );
    expect(recordings.map(({ item }) => item)).toEqual(["run r"]);
    expect(problems).toEqual([
      { item: "run hidden", problem: "its inputs are hidden or empty" },
      { item: "run orphan", problem: "its parent elsewhere is not in the export" },
    ]);
    expect(readLangSmith(`${JSON.stringify(run({}))}\n{`).problems).toEqual([
      { item: "line 2", problem: "is no JSON" },
    ]);
  });

  test("counts what runs inside a tool as the tool's own doing", () => {
    const inner = run({ id: "inner", parent_run_id: "t", run_type: "tool", name: "helper" });
    expect(only(read(run({}), tool({}), inner)).payload.calls.map((call) => call.tool)).toEqual([
      "add",
    ]);
  });
});

describe("an export of OpenTelemetry", () => {
  const text = (key: string, value: unknown) => ({
    key,
    value: { stringValue: typeof value === "string" ? value : JSON.stringify(value) },
  });
  const span = (
    spanId: string,
    parentSpanId: string | undefined,
    attributes: object[],
    more: object = {},
  ) => ({
    ...{ traceId: "4f1c", spanId, parentSpanId, name: spanId, attributes },
    ...{ startTimeUnixNano: "1000000000", endTimeUnixNano: "1002000000", ...more },
  });
  const otlp = (...spans: object[]) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  const operation = (name: string) => text("gen_ai.operation.name", name);
  const root = span("root", undefined, [
    operation("invoke_agent"),
    text("input.value", { n: 1 }),
    text("output.value", { sum: 2 }),
  ]);
  const add = (...attributes: object[]) =>
    span("execute_tool add", "root", [operation("execute_tool"), ...attributes]);
  const args = text("gen_ai.tool.call.arguments", { n: 1 });
  const result = text("gen_ai.tool.call.result", { sum: 2 });
  const read = (...spans: object[]) => readOtel(JSON.stringify(otlp(...spans)));

  test("gives the trigger, its answer, its tool calls and its questions", () => {
    const asked = [{ role: "user", parts: [{ type: "text", content: "one and one?" }] }];
    const answered = [
      {
        role: "assistant",
        parts: [{ type: "tool_call", id: "c", name: "add", arguments: { n: 1 } }],
      },
    ];
    const chat = span("chat", "root", [
      operation("chat"),
      text("gen_ai.request.model", "gpt-5"),
      text("gen_ai.input.messages", asked),
      text("gen_ai.output.messages", answered),
    ]);
    const { triggerId, payload } = only(
      read(root, chat, add(text("gen_ai.tool.name", "add"), args, result)),
    );
    expect(triggerId).toBe("4f1c");
    expect(payload).toMatchObject({
      input: { n: 1 },
      lossy: false,
      outcome: { status: "returned", value: { sum: 2 } },
      calls: [{ tool: "add", args: { n: 1 }, outcome: { value: { sum: 2 } }, durationMs: 2 }],
      modelCalls: [
        {
          request: { model: "gpt-5", messages: [{ role: "user", content: "one and one?" }] },
          outcome: { value: { toolCalls: [{ name: "add", args: { n: 1 } }] } },
        },
      ],
    });
    expect(payload.calls[0]?.lossy).toBeUndefined();
    expect(payload.modelCalls?.[0]?.lossy).toBeUndefined();
  });

  test.each<[string, object]>([
    [
      "Traceloop",
      span("add", "root", [
        text("traceloop.span.kind", "tool"),
        text("traceloop.entity.name", "add"),
        text("traceloop.entity.input", { inputs: { n: 1 } }),
        text("traceloop.entity.output", { sum: 2 }),
      ]),
    ],
    [
      "OpenInference",
      span("add", "root", [
        text("openinference.span.kind", "TOOL"),
        text("tool.name", "add"),
        text("input.value", { n: 1 }),
        text("output.value", { sum: 2 }),
      ]),
    ],
  ])("is read under the names of %s as well", (_, tool) => {
    expect(only(read(root, tool)).payload.calls).toMatchObject([
      { tool: "add", args: { n: 1 }, outcome: { value: { sum: 2 } } },
    ]);
  });

  test("takes values of every kind that OTLP has", () => {
    const value = {
      kvlistValue: {
        values: [
          { key: "n", value: { intValue: "7" } },
          { key: "on", value: { boolValue: true } },
          { key: "list", value: { arrayValue: { values: [{ doubleValue: 0.5 }] } } },
        ],
      },
    };
    const call = add({ key: "gen_ai.tool.call.arguments", value }, result);
    expect(only(read(root, call)).payload.calls[0]).toMatchObject({
      tool: "add",
      args: { n: 7, on: true, list: [0.5] },
    });
  });

  test.each<[string, object]>([
    ["whose content is not captured", add()],
    [
      "whose arguments were cut",
      add(text("gen_ai.tool.call.arguments", '{"text":"cut off he'), result),
    ],
    ["of a span that dropped attributes", { ...add(args, result), droppedAttributesCount: 2 }],
  ])("marks a call %s as lossy", (_, call) => {
    expect(only(read(root, call)).payload.calls[0]?.lossy).toBe(true);
  });

  test("tells failures by the exception that was recorded", () => {
    const events = [
      { attributes: [text("exception.type", "ValueError"), text("exception.message", "bad")] },
    ];
    const failed = { ...add(args), status: { code: 2, message: "failed" }, events };
    expect(only(read(root, failed)).payload.calls[0]).toMatchObject({
      outcome: { status: "threw", error: { name: "ValueError", message: "bad" } },
    });
  });

  test("in several lines is one export; a trace without its root, or without an input, is told", () => {
    const lines = [
      otlp(root),
      otlp(add(args, result)),
      otlp(
        { ...root, traceId: "b", parentSpanId: "x" },
        { ...root, traceId: "b", spanId: "y", parentSpanId: "x" },
      ),
      otlp({ ...root, traceId: "c", attributes: [] }),
    ];
    const { recordings, problems } = readOtel(lines.map((line) => JSON.stringify(line)).join("\n"));
    expect(recordings).toMatchObject([
      { item: "trace 4f1c", payload: { calls: [{ tool: "add" }] } },
    ]);
    expect(problems).toEqual([
      { item: "trace b", problem: "its root span is not in the export" },
      { item: "trace c", problem: 'its root span "root" does not tell its whole input' },
    ]);
  });
});

describe("a value as Python prints it", () => {
  test("is read as Python itself would write it in JSON", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 4 }), { minLength: 20, maxLength: 20 }),
        (values) => {
          const plain = JSON.parse(JSON.stringify(values)) as JsonValue[];
          const printed = printedByPython(plain);
          expect(printed.map(pythonLiteral)).toEqual(parseLongIntegers(JSON.stringify(plain)));
        },
      ),
      { numRuns: 3 },
    );
  });

  test.each([
    "",
    "{",
    "{'a': 1",
    "{'a': datetime(2026, 1, 1)}",
    "{1: 2}",
    "{'a', 'b'}",
    "<Order 1>",
    "[1, 2",
    "'\\q'",
    "[1] x",
  ])("%j is no literal", (text) => {
    expect(pythonLiteral(text)).toBeUndefined();
  });

  test("keeps every digit of a number that JavaScript would round", () => {
    const long = { $type: "bigint", value: "-12345678901234567890" };
    expect(pythonLiteral("{'id': -12345678901234567890, 'n': 7}")).toEqual({ id: long, n: 7 });
  });

  test("gives the arguments of a tool that LangChain's Python tracer told", () => {
    const tool = { input: "{'orderId': 'A-1', 'urgent': True, 'note': None}" };
    const runs = [
      { id: "r", run_type: "chain", name: "chain", inputs: { n: 1 }, outputs: { output: 1 } },
      {
        id: "t",
        parent_run_id: "r",
        run_type: "tool",
        name: "find",
        inputs: tool,
        outputs: { output: "ok" },
      },
    ];
    const { payload } = only(readLangSmith(JSON.stringify(runs)));
    expect(payload.calls).toMatchObject([{ args: { orderId: "A-1", urgent: true, note: null } }]);
    expect(payload.calls[0]?.lossy).toBeUndefined();
  });
});

function printedByPython(values: readonly JsonValue[]): string[] {
  const script = "import json,sys\nprint(json.dumps([repr(v) for v in json.load(sys.stdin)]))";
  const python = join(ROOT, ".venv", "bin", "python");
  return JSON.parse(
    execFileSync(python, ["-c", script], { input: JSON.stringify(values), encoding: "utf8" }),
  );
}
