/** What versions of models have to do with divergences, and when one has changed. */
import { expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import { type ModelCall, versionsOf } from "../../core/model.ts";
import { evaluateGate } from "../../harness/gate.ts";
import { changesOf, clusterOf, type SeenVersion } from "../../harness/model-version.ts";

function call(model: string, metadata?: JsonObject): ModelCall {
  const response = { content: "x", toolCalls: [], ...(metadata && { metadata }) };
  return {
    request: { model, messages: [], tools: [], params: {} },
    outcome: { status: "returned", value: response },
    startedAtMs: 0,
    durationMs: 1,
    served: "live",
  };
}

test.each([
  ["model", "gpt-x-2026-11-01"],
  ["model_name", "gpt-x-2026-11-01"],
  ["modelId", "amazon.titan-v2"],
])("the version that answered is what the provider tells as %s", (field, answered) => {
  expect(versionsOf([call("gpt-x", { [field]: answered, other: 1 })])).toEqual([
    { asked: "gpt-x", answered },
  ]);
});

test("a version that nobody tells is the name that was asked for, and a failed call has none", () => {
  const failed: ModelCall = {
    ...call("gpt-y"),
    outcome: { status: "threw", error: { name: "Error", message: "no" } },
  };
  expect(versionsOf([call("gpt-x"), call("gpt-x"), failed])).toEqual([
    { asked: "gpt-x", answered: "gpt-x" },
  ]);
});

function seen(answered: string, trials: number, days: [number, number]): SeenVersion {
  const at = (day: number) => new Date(Date.UTC(2026, 10, day)).toISOString();
  const [firstAt, lastAt] = [at(days[0]), at(days[1])];
  return { asked: "gpt-x", answered, by: ["candidate"], trials, firstAt, lastAt };
}
const shown = (answered: string, trials: number) => ({ asked: "gpt-x", answered, trials });
const all = { trials: 350, versions: [seen("old", 300, [1, 9]), seen("new", 50, [10, 12])] };

test("a divergence that comes with one version is told with both rates", () => {
  const versions = [shown("old", 2), shown("new", 38)];
  expect(clusterOf({ trials: 40, versions }, all)).toMatchObject({
    answered: "new",
    ...{ trials: 38, of: 50, otherTrials: 2, others: 300, since: "2026-11-10T00:00:00.000Z" },
  });
  expect(clusterOf({ trials: 38, versions: [shown("new", 38)] }, all)?.otherTrials).toBe(0);
});

test.each([
  ["is as frequent with every version", 40, [shown("old", 34), shown("new", 6)], all],
  ["was seen too seldom to tell", 2, [shown("new", 2)], all],
  [
    "has no trial without the version",
    40,
    [shown("new", 40)],
    { trials: 50, versions: [seen("new", 50, [1, 2])] },
  ],
])("a divergence that %s comes with none", (_, trials, versions, among) => {
  expect(clusterOf({ trials, versions }, among)).toBeUndefined();
});

test("a version that answers for the same name as another has taken its place", () => {
  expect(changesOf(all)).toEqual([
    { by: "candidate", from: "old", to: "new", at: "2026-11-10T00:00:00.000Z", trials: 50 },
  ]);
});

test.each([
  ["both are asked all the time", [1, 9], [2, 12], 50, 0],
  ["the first ended before the second began", [1, 9], [10, 12], 50, 1],
  ["the second was asked too seldom to tell", [1, 9], [10, 12], 4, 0],
] as const)("of two models of other names, where %s", (_, first, second, trials, changes) => {
  const versions = [
    seen("small", 300, [...first]),
    { ...seen("large", trials, [...second]), asked: "gpt-y" },
  ];
  expect(changesOf({ trials: 350, versions })).toHaveLength(changes);
});

test("the gate names a changed version and is decided as without it", () => {
  const evidence = { trials: 1_000, mismatches: 0, candidateErrors: 0, days: 9 };
  const changed = { ...evidence, modelChanges: changesOf(all) };
  const { decision, reasons } = evaluateGate(changed);
  expect(decision).toBe(evaluateGate(evidence).decision);
  expect(reasons.at(-1)).toMatchObject({
    criterion: "model_version",
    status: "pass",
    detail:
      "candidate: new answers since 2026-11-10T00:00Z where old did, in 50 trials; both are counted here",
  });
  expect(evaluateGate(evidence).reasons.map(({ criterion }) => criterion)).not.toContain(
    "model_version",
  );
});
