/** Runs that could not have what the other side had: what is still held against whom. */
import { expect, test } from "vitest";
import type { ToolCall } from "../../core/ledger.ts";
import type { Outcome } from "../../core/outcome.ts";
import { type ComparedRun, judgeRuns, type Runs } from "../../harness/judgement.ts";
import { PRIVACY } from "../app/privacy.ts";

const returned = (value: string): Outcome => ({ status: "returned", value });
const threw: Outcome = { status: "threw", error: { name: "Error", message: "no passenger" } };
const write = (id: string): ToolCall => ({
  ...{ tool: "shop.book", args: { id }, effect: "write", occurrence: 0, served: "live" },
  ...{ outcome: returned("booked"), startedAtMs: 0, durationMs: 1 },
});
const run = (outcome: Outcome, more: Partial<ComparedRun> = {}): ComparedRun => ({
  outcome,
  calls: [write("a")],
  ...more,
});
const LOST = { what: "run", reason: "memory_unrecorded: checkpoint" } as const;

function judged(runs: Omit<Runs, "noise">) {
  const bar = { flow: "f", config: { legacy: () => undefined }, rules: [], mask: PRIVACY.mask };
  return judgeRuns(bar, { ...runs, noise: undefined });
}

test("a run without its memory proves no other write, no other error and no other way", () => {
  const legacy = run(threw, { calls: [write("b")], incomparable: LOST });
  expect(judged({ legacy, candidate: run(returned("x")) })).toMatchObject({
    verdict: "incomparable",
    reason: LOST.reason,
    effectDifferences: 0,
    differences: [],
    divergences: [],
    alignment: null,
  });
});

test("a candidate that has answered and failed has failed, whatever legacy could not read", () => {
  const legacy = run(threw, { incomparable: LOST });
  const found = judged({ legacy, candidate: run(threw) });
  expect(found).toMatchObject({ verdict: "candidate_error", reason: LOST.reason });
  expect(found.divergences).toHaveLength(1);
});

test("a candidate that was not given what legacy had has not failed", () => {
  const candidate = run(threw, { incomparable: { what: "run", reason: "recording_lossy: x" } });
  expect(judged({ legacy: run(returned("x")), candidate })).toMatchObject({
    verdict: "incomparable",
    divergences: [],
  });
});

test("of an answer that is too large the writes are compared all the same", () => {
  const incomparable = { what: "answer", reason: "oversize: 9 characters" } as const;
  const candidate = run(returned("x"), { calls: [write("b")], incomparable });
  expect(judged({ legacy: run(returned("y")), candidate })).toMatchObject({
    verdict: "incomparable",
    effectDifferences: 1,
  });
});
