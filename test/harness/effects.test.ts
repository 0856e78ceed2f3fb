import { describe, expect, test } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import type { Outcome } from "../../core/outcome.ts";
import { compareEffects } from "../../harness/compare/effects.ts";
import { judge, type Observation } from "../../harness/compare/judge.ts";

function call(tool: string, args: JsonValue = {}, effect: "read" | "write" = "write"): ToolCall {
  const outcome: Outcome = { status: "returned", value: null };
  return {
    tool,
    args,
    effect,
    occurrence: 0,
    outcome,
    startedAtMs: 0,
    durationMs: 1,
    served: "live",
  };
}

const refund = (cents: number) => call("billing.refund", { cents });
const mail = call("mail.send", { to: "ann" });

describe("writes", () => {
  test.each([
    ["equal writes are no difference", [refund(1), mail], [refund(1), mail], []],
    ["a write that candidate leaves out is missing", [refund(1), mail], [refund(1)], ["missing"]],
    ["a write that only candidate makes is extra", [mail], [mail, refund(1)], ["extra"]],
    ["a write with other arguments is changed", [refund(1)], [refund(2)], ["changed"]],
    [
      "the same writes in another order are reordered",
      [refund(1), mail],
      [mail, refund(1)],
      ["reordered"],
    ],
    ["a write made twice is duplicated", [refund(1)], [refund(1), refund(1)], ["duplicated"]],
    ["reads do not count", [call("crm.find", {}, "read")], [], []],
    [
      "key order in arguments does not matter",
      [call("t", { a: 1, b: 2 })],
      [call("t", { b: 2, a: 1 })],
      [],
    ],
  ])("%s", (_, legacy, candidate, details) => {
    expect(compareEffects(legacy, candidate).map(({ detail }) => detail)).toEqual(details);
  });

  test("a difference names the tool in its path and shows both calls", () => {
    expect(compareEffects([call("a/b", { n: 1 })], [call("a/b", { n: 2 })])).toEqual([
      {
        kind: "effect",
        path: "/effects/a~1b",
        detail: "changed",
        legacy: { tool: "a/b", args: { n: 1 } },
        candidate: { tool: "a/b", args: { n: 2 } },
      },
    ]);
  });
});

const answered = (value: JsonValue): Outcome => ({ status: "returned", value });
const failed = (name: string, message: string): Outcome => ({
  status: "threw",
  error: { name, message },
});
const late: Outcome = { status: "timed_out", afterMs: 10 };

function judged(legacy: Outcome, candidate: Outcome, more: Partial<Observation> = {}) {
  return judge({ legacy, candidate, legacyCalls: [], candidateCalls: [], rules: [], ...more });
}

describe("the verdict on a trial", () => {
  test.each([
    ["equal answers match", answered({ a: 1 }), answered({ a: 1 }), "match"],
    ["different answers are a mismatch", answered(1), answered(2), "mismatch"],
    [
      "a candidate that throws is a candidate error",
      answered(1),
      failed("TypeError", "x"),
      "candidate_error",
    ],
    ["a candidate that is late is a timeout", answered(1), late, "candidate_timeout"],
    [
      "a legacy error that candidate does not make is a mismatch",
      failed("E", "x"),
      answered(1),
      "mismatch",
    ],
    [
      "the same error on both sides is the same failure",
      failed("E", "x"),
      failed("E", "x"),
      "both_failed_same",
    ],
    [
      "another class is another failure",
      failed("E", "x"),
      failed("F", "x"),
      "both_failed_different",
    ],
    [
      "another message is another failure",
      failed("E", "x"),
      failed("E", "y"),
      "both_failed_different",
    ],
    [
      "two timeouts are the same failure",
      late,
      { status: "timed_out", afterMs: 99 },
      "both_failed_same",
    ],
    [
      "an error against a timeout is another failure",
      failed("E", "x"),
      late,
      "both_failed_different",
    ],
  ] as [string, Outcome, Outcome, string][])("%s", (_, legacy, candidate, verdict) => {
    expect(judged(legacy, candidate).verdict).toBe(verdict);
  });

  test("equal answers with other writes are a mismatch", () => {
    const found = judged(answered(1), answered(1), { candidateCalls: [mail] });

    expect(found).toMatchObject({
      verdict: "mismatch",
      differences: [{ kind: "effect", detail: "extra" }],
    });
  });

  test("equal answers after other reads still match", () => {
    const candidateCalls = [call("crm.find", {}, "read")];

    expect(judged(answered(1), answered(1), { candidateCalls }).verdict).toBe("match");
  });

  test("a legacy failure shows as an error of legacy", () => {
    expect(judged(failed("E", "x"), answered(1)).differences).toEqual([
      {
        kind: "error",
        path: "",
        legacy: { name: "E", message: "x" },
        detail: "only legacy failed",
      },
    ]);
  });

  test("rules reach error messages and writes", () => {
    const rules = [
      { path: "/error/message", ignore: true },
      { path: "/effects/mail.send", ignore: true },
    ];

    expect(judged(failed("E", "x"), failed("E", "y"), { rules }).verdict).toBe("both_failed_same");
    expect(judged(answered(1), answered(1), { rules, candidateCalls: [mail] }).verdict).toBe(
      "ignored",
    );
  });

  test("an extract that throws makes the trial incomparable", () => {
    const extract = () => {
      throw new Error("no messages");
    };

    expect(judged(answered(1), answered(1), { extract })).toMatchObject({
      verdict: "incomparable",
      reason: "extract failed: no messages",
    });
  });
});
