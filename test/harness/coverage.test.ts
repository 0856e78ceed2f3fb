/** Which parts of a flow a trial is said to have seen. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import type { RunEvent } from "../../core/history.ts";
import type { JsonValue } from "../../core/json.ts";
import { jsonSchemaOf } from "../../core/schema.ts";
import { marksOf, type SeenTrial } from "../../harness/coverage.ts";

const input = z.object({
  kind: z.enum(["refund", "swap"]),
  note: z.string().optional(),
  urgent: z.boolean(),
  items: z.array(z.object({ sku: z.string(), gift: z.boolean().optional() })),
  pay: z.union([
    z.object({ by: z.literal("card"), last4: z.string().optional() }),
    z.object({ by: z.literal("bank") }),
  ]),
});

const typed = flow("desk", { version: "1", input, output: z.unknown() })
  .step("look", { run: () => 1 })
  .step("refund", { when: () => true, run: () => 2 })
  .returns(() => null);

const given: JsonValue = {
  kind: "refund",
  urgent: true,
  items: [{ sku: "A" }, { sku: "B", gift: false }],
  pay: { by: "bank" },
};

const trial: SeenTrial = {
  schema: jsonSchemaOf(input) ?? {},
  input: given,
  candidate: typed,
  history: [],
  legacyTools: [],
  candidateTools: [],
};

function marks(change: Partial<SeenTrial> = {}) {
  const all = marksOf({ ...trial, ...change });
  const named = (seen: boolean) => all.filter((one) => one.seen === seen).map(({ mark }) => mark);
  return { seen: named(true), unseen: named(false) };
}

describe("of the input", () => {
  test("the values of an enum are told apart", () => {
    expect(marks().seen).toContain('input /kind = "refund"');
    expect(marks().unseen).toContain('input /kind = "swap"');
  });

  test("an optional field is two marks, with it and without it", () => {
    expect(marks().seen).toContain("input /note absent");
    expect(marks().unseen).toContain("input /note present");
    const noted = marks({ input: { ...(given as object), note: "please" } });
    expect(noted.seen).toContain("input /note present");
    expect(noted.unseen).toContain("input /note absent");
  });

  test("the items of an array are seen together", () => {
    expect(marks().seen).toEqual(
      expect.arrayContaining(["input /items/*/gift present", "input /items/*/gift absent"]),
    );
    expect(marks().unseen).toContain("input /items/*/gift = true");
  });

  test("a field of one variant is not seen as absent in another", () => {
    expect(marks().seen).toContain('input /pay/by = "bank"');
    expect(marks().unseen).toEqual(
      expect.arrayContaining(["input /pay/last4 present", "input /pay/last4 absent"]),
    );
  });

  test("a schema that contains itself ends", () => {
    const schema = {
      type: "object",
      properties: { on: { type: "boolean" }, next: { $ref: "#" } },
    };
    const { seen } = marks({ schema, input: { on: true, next: { on: false } } });
    expect(seen).toEqual(expect.arrayContaining(["input /on = true", "input /next/on = false"]));
  });

  test("no value that a caller sent becomes a mark, unless the schema names it", () => {
    const told = [...marks().seen, ...marks().unseen].join();
    expect(told).not.toContain('"A"');
  });
});

test("a conditional step is seen taken and skipped, by the history", () => {
  const at = 0;
  const history: RunEvent[] = [
    { at, type: "step_returned", step: "look", attempt: 1, output: 1, durationMs: 0 },
    { at, type: "step_skipped", step: "refund" },
  ];
  const { seen, unseen } = marks({ history });
  expect(seen).toEqual(expect.arrayContaining(["step look taken", "step refund skipped"]));
  expect(unseen).toContain("step refund taken");
  expect([...seen, ...unseen]).not.toContain("step look skipped");
});

test("a tool of legacy counts as seen when the candidate calls it as well", () => {
  const { seen, unseen } = marks({
    legacyTools: ["mail.send", "crm.find"],
    candidateTools: ["crm.find"],
  });
  expect(seen).toContain("tool crm.find");
  expect(unseen).toContain("tool mail.send");
});
