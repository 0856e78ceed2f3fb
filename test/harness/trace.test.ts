/** Steps of both sides: aligned, timed, stored with the trial and told apart from the verdict. */
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { graph } from "../../core/graph.ts";
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { runFlow } from "../../core/run.ts";
import { reportOf } from "../../harness/cli/commands.ts";
import { alignTraces, firstDivergence } from "../../harness/compare/trace.ts";
import { resolveConfig } from "../../harness/config.ts";
import { renderHtml } from "../../harness/report/html.ts";
import { renderMarkdown } from "../../harness/report/markdown.ts";
import { renderText } from "../../harness/report/text.ts";
import { http } from "../../harness/source.ts";
import { openHarness } from "../../harness/twintrack.ts";
import { PRIVACY } from "../app/privacy.ts";
import { charge, quote, tools } from "../app/tools.ts";
import { freshDatabase } from "../database.ts";

function call(tool: string, args: JsonValue = {}, more: Partial<ToolCall> = {}): ToolCall {
  return {
    tool,
    args,
    effect: "read",
    occurrence: 0,
    outcome: { status: "returned", value: null },
    startedAtMs: 0,
    durationMs: 1,
    served: "live",
    ...more,
  };
}

/** Rows as `legacy relation candidate`. */
function told(legacy: ToolCall[], candidate: ToolCall[]): string[] {
  const label = (step: ToolCall | { step: string } | undefined) =>
    step === undefined
      ? "-"
      : "tool" in step
        ? `${step.tool}${JSON.stringify(step.args)}`
        : step.step;
  return alignTraces({ calls: legacy }, { calls: candidate }).map(
    (row) => `${label(row.legacy)} ${row.relation} ${label(row.candidate)}`,
  );
}

describe("alignment", () => {
  test("an inserted step leaves all later equal steps aligned", () => {
    const rows = told(
      [call("find", { id: 1 }), call("refund", { cents: 1 }), call("mail")],
      [call("find", { id: 1 }), call("check"), call("refund", { cents: 2 }), call("mail")],
    );

    expect(rows).toEqual([
      'find{"id":1} same find{"id":1}',
      "- candidate_only check{}",
      'refund{"cents":1} changed refund{"cents":2}',
      "mail{} same mail{}",
    ]);
  });

  test("one equal call outweighs two calls with other arguments", () => {
    expect(
      told([call("get", [1]), call("get", [2])], [call("get", [2]), call("get", [3])]),
    ).toEqual(["get[1] legacy_only -", "get[2] same get[2]", "- candidate_only get[3]"]);
  });

  test("of two calls of one tool the one with more equal arguments is the same step", () => {
    const legacy = [call("get", { id: 7, page: 1 })];
    const candidate = [call("get", { id: 1, page: 9 }), call("get", { id: 7, page: 2 })];

    expect(told(legacy, candidate)).toEqual([
      '- candidate_only get{"id":1,"page":9}',
      'get{"id":7,"page":1} changed get{"id":7,"page":2}',
    ]);
  });

  test("equal calls in another order are moved, not missing", () => {
    expect(told([call("a"), call("b")], [call("b"), call("a")])).toEqual([
      "a{} moved a{}",
      "b{} same b{}",
    ]);
  });

  test("traces of 2,000 calls are aligned by place, each call once", () => {
    const calls = Array.from({ length: 2_000 }, (_, n) => call("get", { n }));

    const rows = alignTraces({ calls }, { calls: calls.slice(1) });

    expect(rows.flatMap(({ legacy }) => legacy ?? [])).toHaveLength(2_000);
    expect(rows.flatMap(({ candidate }) => candidate ?? [])).toHaveLength(1_999);
  });

  test("a call answered from a record takes as long as the recorded one took", () => {
    const rows = alignTraces(
      { calls: [call("get", { n: 1 }, { durationMs: 84 })] },
      { calls: [call("get", { n: 1 }, { durationMs: 0.1, served: "recorded" })] },
    );

    expect(rows).toMatchObject([{ legacyMs: 84, candidateMs: 84, relation: "same" }]);
  });
});

const schemas = { version: "1", input: z.object({ n: z.number() }), output: z.unknown() };
const hinted = flow("hinted", schemas)
  .step("rate", { run: () => 3, legacy: { tool: "old_rate", nth: 0 } })
  .step("second", {
    tool: "shop.find",
    args: ({ input }) => ({ id: input.n }),
    output: z.unknown(),
    legacy: { tool: "lookup", nth: 1 },
  })
  .returns(({ rate }) => rate);

describe("the hint `legacy`", () => {
  const port = { callTool: async () => ({ content: [], structuredContent: 1 }) };

  test("joins a tool of another name, and code, with the nth call of legacy", async () => {
    const run = await runFlow(hinted, { n: 5 }, { tools: port });
    const legacy = [
      call("crm.lookup", { id: 5 }),
      call("x.old_rate"),
      call("crm.lookup", { id: 6 }),
    ];

    const rows = alignTraces({ calls: legacy }, run);

    expect(rows.map(({ name, legacy: left, relation }) => [name, left?.args, relation])).toEqual([
      ["crm.lookup", { id: 5 }, "legacy_only"],
      ["rate", {}, "replaced"],
      ["second", { id: 6 }, "replaced"],
    ]);
    expect(firstDivergence(rows)).toBe(0);
  });

  test("of a call that legacy did not make joins nothing", async () => {
    const run = await runFlow(hinted, { n: 5 }, { tools: port });

    expect(
      alignTraces({ calls: [call("crm.lookup", { id: 5 })] }, run).map(({ relation }) => relation),
    ).toEqual(["legacy_only", "candidate_only", "candidate_only"]);
  });

  test("is in the graph and changes no hash", () => {
    const plain = flow("hinted", schemas)
      .step("rate", { run: () => 3 })
      .returns(() => 3);
    const withHint = flow("hinted", schemas)
      .step("rate", { run: () => 3, legacy: { tool: "old_rate", nth: 0 } })
      .returns(() => 3);

    expect(graph(withHint).nodes).toMatchObject([
      { name: "rate", legacy: { tool: "old_rate", nth: 0 } },
    ]);
    expect(withHint.hash).toBe(plain.hash);
  });
});

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

/** Legacy asks twice for a price when n is even; both sides always answer the same. */
const asksTwice = async ({ n }: { n: number }) => {
  if (n % 2 === 0) await quote.invoke({ n: n + 1 });
  const { cents } = (await quote.invoke({ n })) as { cents: number };
  return charge.invoke({ cents });
};
const asksOnce = flow("buy", schemas)
  .step("price", {
    tool: "shop.quote",
    args: ({ input }) => ({ n: input.n }),
    output: z.object({ cents: z.number() }),
  })
  .step("paid", {
    needs: ["price"],
    tool: "shop.charge",
    args: ({ price }) => ({ cents: price.cents }),
    output: z.unknown(),
  })
  .returns(({ paid }) => paid);

describe("a stored trial", () => {
  test("B10: an equal answer by other steps is told with the first of them, and stays a match", async () => {
    const fresh = await freshDatabase("postgres");
    const flows = {
      buy: { legacy: () => asksTwice, candidate: asksOnce as never, stage: "shadow" as const },
    };
    const shop = { tools, effects: { quote: "read" as const } };
    const config = {
      ...resolveConfig({ tools: { shop }, flows }),
      dataDir: fresh.dataDir,
      databaseUrl: fresh.url,
    };
    const harness = openHarness(config);
    closers.push(async () => {
      await harness.close();
      await fresh.drop();
    });
    for (const n of [1, 2, 3, 4, 5]) await harness.live.answer("buy", { n });
    await harness.settle();

    const report = await reportOf({ db: await harness.database(), config });

    const [buy] = report.flows;
    expect(buy?.verdicts).toEqual({ match: 5 });
    expect(buy?.trace).toMatchObject({
      trials: 5,
      different: 2,
      yetEqual: 2,
      firstDivergent: [{ step: "shop.quote", trials: 2 }],
    });
    expect(buy?.trace?.steps.map(({ name, different }) => [name, different])).toEqual([
      ["shop.quote", 2],
      ["price", 0],
      ["paid", 0],
    ]);
    for (const { name, legacyMs, candidateMs } of buy?.trace?.steps ?? []) {
      expect(legacyMs?.p95).toBeGreaterThan(0);
      expect(candidateMs === null).toBe(name === "shop.quote");
    }
    const told =
      "other steps in 2 of 5 trials, mostly from shop.quote on (2); 2 with an equal answer";
    expect(renderText(report, { color: false, width: 100 })).toContain(told);
    expect(renderMarkdown(report)).toContain(told);
    expect(renderHtml(report)).toContain(told);
  });
});

test("of a service behind HTTP, whose calls cannot be seen, no trace is compared", async () => {
  const { judgeRuns } = await import("../../harness/judgement.ts");
  const run = { outcome: { status: "returned" as const, value: 1 }, calls: [] };
  const runs = { legacy: run, candidate: { ...run, calls: [call("a")] }, noise: undefined };
  const bar = { flow: "f", rules: [], mask: PRIVACY.mask };

  expect(judgeRuns({ ...bar, config: { legacy: http("http://x") } }, runs).alignment).toBeNull();
  expect(judgeRuns({ ...bar, config: { legacy: () => 1 } }, runs).alignment).toMatchObject({
    firstDivergent: "a",
  });
});
