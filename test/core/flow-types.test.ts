/** What the compiler must reject: each `@ts-expect-error` fails the type check when it is accepted. */
import { expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";

const Order = z.object({ id: z.string(), cents: z.number(), refundable: z.boolean() });
const schemas = {
  version: "1",
  input: z.object({ orderId: z.string() }),
  output: z.object({ cents: z.number() }),
};
const start = flow("typed", schemas).step("order", {
  tool: "billing.find_order",
  args: ({ input }) => ({ orderId: input.orderId }),
  output: Order,
});

test("a step sees the typed outputs of the steps it needs, and the last one gives the answer", () => {
  const typed = start
    .step("double", { needs: ["order"], run: ({ order }) => order.cents * 2 })
    .returns(({ double }) => ({ cents: double }));

  expect(typed.steps.map((step) => step.name)).toEqual(["order", "double"]);
});

test("the compiler rejects a step that is read but not needed", () => {
  // @ts-expect-error "order" is not in needs, so it is not visible
  const typed = start.step("double", { run: ({ order }) => order.cents * 2 });
  expect(typed).toBeDefined();
});

test("the compiler rejects an unknown need, and the definition throws", () => {
  // @ts-expect-error no step is called "person"
  const define = () => start.step("double", { needs: ["person"], run: () => 1 });
  expect(define).toThrow(/needs "person"/);
});

test("the compiler rejects a duplicate step name, and the definition throws", () => {
  // @ts-expect-error "order" exists already
  const define = () => start.step("order", { run: () => 1 });
  expect(define).toThrow(/defined twice/);
});

test("the compiler rejects a wrong final output", () => {
  // @ts-expect-error cents must be a number
  const typed = start.returns(({ order }) => ({ cents: order.id }));
  expect(typed).toBeDefined();
});

test("the compiler rejects the output of a conditional step used as if it always existed", () => {
  const maybe = start.step("bonus", {
    needs: ["order"],
    when: ({ order }) => order.refundable,
    run: ({ order }) => order.cents,
  });
  // @ts-expect-error bonus may be undefined
  expect(maybe.returns(({ bonus }) => ({ cents: bonus }))).toBeDefined();
  expect(maybe.returns(({ bonus }) => ({ cents: bonus ?? 0 }))).toBeDefined();
});

test("the compiler rejects the output of a step that may have been given up", () => {
  const maybe = start.step("bonus", {
    needs: ["order"],
    onError: "continue",
    run: ({ order }) => order.cents,
  });
  // @ts-expect-error bonus may be undefined
  expect(maybe.returns(({ bonus }) => ({ cents: bonus }))).toBeDefined();
});

test("a compensated step always has an output, and the compiler checks the compensation's type", () => {
  const sure = start.step("bonus", {
    needs: ["order"],
    onError: { compensate: () => 0 },
    run: ({ order }) => order.cents,
  });
  expect(sure.returns(({ bonus }) => ({ cents: bonus }))).toBeDefined();

  start.step("bonus", {
    needs: ["order"],
    run: ({ order }) => order.cents,
    // @ts-expect-error the compensation must give a number, like the step
    onError: { compensate: () => "none" },
  });
});

test("the compiler rejects an undo that reads what its step does not return, and one of no tool", () => {
  const undone = start.step("refund", {
    tool: "billing.refund",
    args: () => ({}),
    output: z.object({ refundId: z.string() }),
    undo: ({ output }, { call }) => call("billing.cancel", { id: output.refundId }),
  });
  start.step("refund", {
    tool: "billing.refund",
    args: () => ({}),
    output: z.object({ refundId: z.string() }),
    // @ts-expect-error the output has no "orderId"
    undo: ({ output }, { call }) => call("billing.cancel", { id: output.orderId }),
  });
  // @ts-expect-error code is not undone
  start.step("double", { run: () => 1, undo: () => undefined });
  expect(undone).toBeDefined();
});
