/** The criteria that need more than counts: pairs, intervals, drops, coverage. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CompletePolicy } from "../../harness/criterion.ts";
import type { DropGroup } from "../../harness/drop.ts";
import { type Evidence, evaluateGate, type Policy } from "../../harness/gate.ts";

const clean: Evidence = {
  trials: 1_000,
  mismatches: 0,
  candidateErrors: 0,
  effectDifferences: 0,
  contractViolations: 0,
  openBugs: 0,
  answered: 1_000,
  notRun: 0,
  days: 9,
  latencyMs: { legacyP95: 900, candidateP95: 400 },
};

const gate = (change: Evidence, policy?: Policy) => evaluateGate({ ...clean, ...change }, policy);
const reasonOf = (criterion: string, change: Evidence, policy?: Policy) =>
  gate(change, policy).reasons.find((reason) => reason.criterion === criterion);

test("evidence without any of them is decided as before", () => {
  expect(gate({}).decision).toBe("open");
  expect(gate({}).reasons.map(({ criterion }) => criterion)).not.toContain("drop_bias");
});

describe("noise in pairs", () => {
  const noise = (onlyCandidate: number, onlyNoise: number, both: number): Evidence => {
    const neither = 600 - onlyCandidate - onlyNoise - both;
    const pairs = { onlyCandidate, onlyNoise, both, neither };
    return { noise: { trials: 600, mismatches: onlyNoise + both, pairs } };
  };
  const policy: Policy = { noiseMargin: 0.02, maxMismatchRate: 0.5 };

  test("pass a candidate that differs only where legacy differs from itself", () => {
    const shared = { ...noise(0, 0, 60), mismatches: 100 };
    expect(reasonOf("noise", shared, policy)).toMatchObject({ status: "pass", n: 600 });
    const { pairs: _pairs, ...unpaired } = shared.noise ?? { trials: 0, mismatches: 0 };
    expect(reasonOf("noise", { ...shared, noise: unpaired }, policy)?.status).toBe("undecided");
  });

  test("fail one that is surely noisier, and leave one undecided that may be", () => {
    expect(reasonOf("noise", noise(60, 2, 10), policy)?.status).toBe("fail");
    expect(reasonOf("noise", noise(20, 10, 10), policy)?.status).toBe("undecided");
  });

  test("that do not fit into the noise trials never open the gate", () => {
    const pairs = { onlyCandidate: 0, onlyNoise: 0, both: 0, neither: 9 };
    const broken = { noise: { trials: 3, mismatches: 0, pairs } };
    expect(reasonOf("noise", broken, policy)?.status).toBe("undecided");
  });
});

describe("the p95 ratio with bounds", () => {
  const within = { legacyLeast: 90, legacyMost: 110, candidateLeast: 80, candidateMost: 100 };
  const latency = (bounds: Partial<typeof within> | Record<string, null>): Evidence => ({
    latencyMs: { legacyP95: 100, candidateP95: 90, bounds: { ...within, ...bounds } },
  });

  test.each([
    ["passes by its upper end", {}, "pass"],
    ["is undecided when only its upper end is over the limit", { candidateMost: 120 }, "undecided"],
    [
      "fails when even its lower end is over the limit",
      { candidateLeast: 140, candidateMost: 180 },
      "fail",
    ],
    ["is undecided when so few trials bound nothing", { candidateMost: null }, "undecided"],
    ["is undecided when legacy's clock was not read", { legacyLeast: 0 }, "undecided"],
  ] as const)("%s", (_, bounds, status) => {
    expect(reasonOf("p95_ratio", latency(bounds))?.status).toBe(status);
  });
});

describe("the cost ratio with pairs", () => {
  const costs = (n: number, ratio: number): Evidence => ({
    costUsd: {
      legacy: n,
      candidate: n * ratio,
      // Costs of mean 1 with a variance of 1, independent of each other.
      pairs: {
        n,
        legacySquares: 2 * n,
        candidateSquares: 2 * n * ratio ** 2,
        products: n * ratio,
      },
    },
  });

  test.each([
    [20, 1, "undecided"],
    [300, 1, "undecided"],
    [10_000, 1, "pass"],
    [10_000, 1.5, "fail"],
    [300, 1.25, "undecided"],
  ])("of %i trials at a ratio of %d is %s", (n, ratio, status) => {
    expect(reasonOf("cost_ratio", costs(n, ratio))?.status).toBe(status);
  });
});

describe("drop bias", () => {
  const drops = (slow: number, others: number): DropGroup[] => [
    { feature: "duration", group: "quarter 1 of 4", notRun: others, compared: 250 - others },
    { feature: "duration", group: "quarter 4 of 4", notRun: slow, compared: 250 - slow },
    { feature: "source", group: "http", notRun: slow + others, compared: 500 - slow - others },
  ];

  test("closes the gate when what is dropped is what is slow", () => {
    const reason = reasonOf("drop_bias", { drops: drops(20, 0) });
    expect(reason).toMatchObject({ status: "fail", n: 20 });
    expect(reason?.detail).toContain("20 of 250 with duration quarter 4 of 4");
    expect(gate({ drops: drops(20, 0) }).decision).toBe("closed");
  });

  test("passes drops that hit every group alike, and none at all", () => {
    expect(reasonOf("drop_bias", { drops: drops(11, 9) })?.status).toBe("pass");
    expect(reasonOf("drop_bias", { drops: drops(0, 0) })).toMatchObject({ status: "pass", n: 0 });
  });

  test("passes a group that loses less than the policy lets the whole flow lose", () => {
    expect(reasonOf("drop_bias", { drops: drops(12, 0) })?.status).toBe("pass");
    expect(reasonOf("drop_bias", { drops: drops(12, 0) }, { maxNotRunRate: 0.01 })?.status).toBe(
      "fail",
    );
  });
});

describe("input coverage", () => {
  const coverage = { seen: 8, total: 10, unseen: ['input /kind = "b"', "step refund skipped"] };

  test("is shown without a limit and decides nothing", () => {
    const reason = reasonOf("input_coverage", { coverage });
    expect(reason).toMatchObject({ status: "pass", limit: null, observed: 0.8 });
    expect(reason?.detail).toContain('never: input /kind = "b", step refund skipped');
  });

  test("holds the gate undecided below its limit, and never closes it", () => {
    expect(gate({ coverage }, { minCoverage: 0.9 }).decision).toBe("undecided");
    expect(gate({ coverage }, { minCoverage: 0.8 }).decision).toBe("open");
  });

  test.each([
    ["nothing was looked at", { coverage: { seen: 0, total: 0, unseen: [] } }],
    ["more was seen than there is", { coverage: { seen: 3, total: 2, unseen: [] } }],
    ["nobody measured it", {}],
  ])("with a limit does not pass where %s", (_, change) => {
    expect(gate(change, { minCoverage: 0.1 }).decision).toBe("undecided");
  });
});

test.each([
  [{ drops: {} }, "evidence.drops"],
  [{ drops: [{ feature: 1 }] }, "evidence.drops[0].feature"],
  [{ coverage: { seen: -1 } }, "evidence.coverage.seen"],
  [{ coverage: { unseen: [1] } }, "evidence.coverage.unseen[0]"],
  [{ noise: { pairs: { up: 1 } } }, "evidence.noise.pairs.up"],
])("wrong evidence %o is refused by name", (change, name) => {
  expect(() => gate(change as Evidence)).toThrow(
    expect.objectContaining({ code: "USAGE", message: expect.stringContaining(name) as string }),
  );
});

test("a gate that is not open does not open by anything that speaks against the candidate", () => {
  const count = fc.integer({ min: 0, max: 40 });
  const worse = fc.constantFrom<keyof CompletePolicy | string>("pair", "slower", "dropped");
  fc.assert(
    fc.property(count, count, count, worse, (onlyCandidate, onlyNoise, slow, what) => {
      const evidence = (more: number): Evidence => {
        const pairs = {
          onlyCandidate: onlyCandidate + (what === "pair" ? more : 0),
          onlyNoise,
          both: 0,
        };
        const most = 1_000 + slow * 10 + (what === "slower" ? more * 50 : 0);
        const dropped = slow + (what === "dropped" ? more : 0);
        return {
          ...clean,
          noise: { trials: 900, mismatches: onlyNoise, pairs: { ...pairs, neither: 700 } },
          latencyMs: {
            legacyP95: 1_000,
            candidateP95: 900,
            bounds: {
              legacyLeast: 900,
              legacyMost: 1_100,
              candidateLeast: 800,
              candidateMost: most,
            },
          },
          drops: [
            { feature: "size", group: "large", notRun: dropped, compared: 200 },
            { feature: "size", group: "small", notRun: 1, compared: 800 },
          ],
        };
      };
      const policy = { noiseMargin: 0.05, p95Ratio: 1.3 };
      if (evaluateGate(evidence(0), policy).decision !== "open") {
        expect(evaluateGate(evidence(1), policy).decision).not.toBe("open");
      }
    }),
  );
});
