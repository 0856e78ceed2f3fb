import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { forecast, type Need } from "../../harness/forecast.ts";
import { type Evidence, evaluateGate } from "../../harness/gate.ts";

const policy = { minTrials: 300, minDays: 7, maxMismatchRate: 0.01 };

const clean: Evidence = {
  trials: 100,
  mismatches: 0,
  ignored: 0,
  candidateErrors: 0,
  bothFailed: 0,
  effectDifferences: 0,
  contractViolations: 0,
  openBugs: 0,
  answered: 100,
  notRun: 0,
  days: 1,
  latencyMs: { legacyP95: 100, candidateP95: 90 },
};

function triggersOf(need: Need): number {
  if ("blocked" in need) throw new Error(`blocked by ${need.blocked.join()}`);
  return need.triggers;
}

test("a gate that is open needs no more triggers", () => {
  const enough = { ...clean, trials: 2_000, answered: 2_000, days: 30 };
  expect(forecast(enough, policy)).toEqual({
    asBefore: { triggers: 0, days: 0 },
    spotless: { triggers: 0, days: 0 },
  });
});

test("a flow without a trial yet needs what the policy asks of a spotless one", () => {
  const { latencyMs: _unmeasured, ...rest } = clean;
  const { asBefore, spotless } = forecast({ ...rest, trials: 0, answered: 0, days: 0 }, policy);
  expect(spotless).toEqual({ triggers: expect.any(Number), days: null });
  expect(triggersOf(spotless)).toBeGreaterThan(300);
  expect(asBefore).toEqual(spotless);
});

test("days count at the pace so far", () => {
  const { spotless } = forecast(clean, { ...policy, minTrials: 1, maxMismatchRate: 0.5 });
  expect(spotless).toMatchObject({ days: expect.closeTo(6, 0) });
});

test("mismatches that go on as before need more triggers than mismatches that have ended", () => {
  const seldom = { ...clean, trials: 400, answered: 400, mismatches: 1, days: 7 };
  const { asBefore, spotless } = forecast(seldom, policy);
  expect(triggersOf(spotless)).toBeGreaterThan(300);
  expect(triggersOf(asBefore)).toBeGreaterThan(triggersOf(spotless));
});

describe("no number of triggers opens a gate", () => {
  test.each<[string, Evidence, string]>([
    ["with a write that differs", { ...clean, effectDifferences: 1 }, "effect_differences"],
    ["with an open bug", { ...clean, openBugs: 1 }, "open_bugs"],
    [
      "with a candidate that is too slow",
      { ...clean, latencyMs: { legacyP95: 10, candidateP95: 90 } },
      "p95_ratio",
    ],
  ])("%s", (_, evidence, criterion) => {
    const { asBefore, spotless } = forecast(evidence, policy);
    expect(asBefore).toEqual({ blocked: [criterion] });
    expect(spotless).toEqual({ blocked: [criterion] });
  });

  test("when the rate of mismatches itself is over the limit, unless they end", () => {
    const often = { ...clean, mismatches: 5 };
    const { asBefore, spotless } = forecast(often, policy);
    expect(asBefore).toEqual({ blocked: ["mismatch_rate"] });
    expect(triggersOf(spotless)).toBeGreaterThan(500);
  });
});

test("the gate opens after the spotless triggers that were forecast, and not after far fewer", () => {
  const seen = fc.record({
    trials: fc.integer({ min: 20, max: 3_000 }),
    mismatches: fc.integer({ min: 0, max: 15 }),
    candidateErrors: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(seen, ({ trials, mismatches, candidateErrors }) => {
      const evidence = { ...clean, trials, answered: trials, mismatches, candidateErrors };
      const triggers = triggersOf(forecast(evidence, policy).spotless);
      const after = (more: number) => ({
        ...evidence,
        trials: trials + more,
        answered: trials + more,
        days: 1 + more / trials,
      });
      expect(evaluateGate(after(triggers), policy).decision).toBe("open");
      const fewer = Math.floor(triggers * 0.97) - 1;
      if (fewer >= 0) expect(evaluateGate(after(fewer), policy).decision).not.toBe("open");
    }),
    { numRuns: 100 },
  );
});
