/** The faults of values and comparison, by their numbers; B8, B9 and B12 of text are in core/json.test.ts, B5 and B11 in noise.test.ts, B10 in trace.test.ts. */
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { compare } from "../../harness/compare/compare.ts";
import { compareByDeepDiff } from "../../harness/compare/deep-diff.ts";
import { judge } from "../../harness/compare/judge.ts";
import { parsePattern } from "../../harness/compare/pattern.ts";
import { CompiledRule, compileRules, type Rule } from "../../harness/compare/rules.ts";
import { resolveConfig } from "../../harness/config.ts";
import type { FlowConfig } from "../../harness/flow-config.ts";
import { trialIdOf } from "../../harness/frame.ts";
import { judgeRuns } from "../../harness/judgement.ts";
import { runPlace } from "../../harness/privacy/privacy.ts";
import { openSides } from "../../harness/side.ts";
import { openJobs } from "../../harness/store/jobs.ts";
import { ingest } from "../../harness/store/trials.ts";
import { barOf } from "../../harness/trial.ts";
import { frameOf } from "../app/frame.ts";
import { PRIVACY } from "../app/privacy.ts";
import { type App, startApp } from "../app/start.ts";
import { freshDatabase } from "../database.ts";

const ENGINES = [
  ["twintrack", compare],
  ["deep-diff", compareByDeepDiff],
] as const;

function nested(levels: number): JsonValue {
  let value: JsonValue = 1;
  for (let level = 0; level < levels; level++) value = { a: value };
  return value;
}

const numbers = (count: number, from = 0): JsonValue =>
  Array.from({ length: count }, (_, n) => n + from);

describe.each(ENGINES)("with %s", (name, compareBy) => {
  test("B1: 100,000 levels are incomparable(depth), with no overflow", () => {
    const deep = nested(100_000);

    expect(() => JSON.stringify(deep)).toThrow(RangeError); // It is deep enough to hurt.
    expect(compareBy(deep, { a: 1 })).toMatchObject({ verdict: "incomparable", reason: "depth" });
    expect(compareBy({}, deep)).toMatchObject({ verdict: "incomparable", reason: "depth" });
  });

  test("B2: a million items end at the node budget or the list's, flagged, in under three seconds of this thread", () => {
    const before = process.threadCpuUsage();

    const found = compareBy(numbers(1_000_000), numbers(1_000_000, 7_000_000));

    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(3_000);
    expect(found.truncated).toBe(true);
    expect(found.differences.length).toBeLessThanOrEqual(10_000);
    expect(found.verdict).toBe(name === "twintrack" ? "mismatch" : "incomparable");
  });

  test("B3: keys like __proto__ are data, and no prototype changes", () => {
    const evil = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    ) as JsonValue;

    const found = compareBy(evil, {});

    expect(found.verdict).toBe(name === "twintrack" ? "mismatch" : "incomparable");
    if (name === "twintrack")
      expect(found.differences.map(({ path }) => path)).toEqual(["/__proto__", "/constructor"]);
    expect(Object.hasOwn(evil as object, "__proto__")).toBe(true); // The fault is really in the input.
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("B6: a rule that throws is disabled, and the trial is incomparable(rule_error)", () => {
    let asked = 0;
    const regexes = [
      {
        test(): boolean {
          asked++;
          throw new Error("comparator broke");
        },
      },
    ];
    const rule = new CompiledRule("/a", undefined, parsePattern("/a") ?? [], {
      kind: "matches",
      regexes,
    });
    const rules = [rule, ...compileRules([{ path: "/b", ignore: true }]).rules];

    const found = compareBy({ a: "x", b: 1 }, { a: "y", b: 2 }, rules);

    expect(asked).toBe(1);
    expect(found).toMatchObject({ verdict: "incomparable", reason: "rule_error" });
    expect(found.differences).toMatchObject([{ path: "/a" }, { path: "/b", rule: "/b" }]);
    const judged = judge({
      legacy: { status: "returned", value: { a: "x" } },
      candidate: { status: "returned", value: { a: "y" } },
      ...{ legacyCalls: [], candidateCalls: [], rules: [rule], engine: name },
    });
    expect(judged).toMatchObject({ verdict: "incomparable", reason: "rule_error" });
  });

  test("B9: the order of keys does not matter, declared sets have none", () => {
    const [left, right] = [
      { a: 1, b: { c: 2, d: 3 } },
      { b: { d: 3, c: 2 }, a: 1 },
    ];

    expect(compareBy(left, right).verdict).toBe("match");
    const set: Rule[] = [{ path: "/tags", as: "set" }];
    const tags = compareBy({ tags: ["a", "b"] }, { tags: ["b", "a"] }, set);
    expect(tags.verdict).toBe(name === "twintrack" ? "ignored" : "mismatch");
    if (name === "deep-diff") expect(tags.problems).toMatchObject([{ rule: "/tags" }]);
  });
});

test("B2: keys beyond the node budget are not looked at, and nothing is called equal", () => {
  const wide = (value: number) =>
    Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, value]));
  const answer = (last: number) => ({ a: wide(1), b: wide(1), c: wide(last) });

  const found = compare(answer(1), answer(2), [], { nodes: 30_000 });

  expect(compare(answer(1), answer(2)).verdict).toBe("mismatch"); // There is a difference to miss.
  expect(found).toMatchObject({ verdict: "incomparable", reason: "nodes", truncated: true });
});

test("B4: a regular expression that may never end is refused at load, and costs less than 10 ms", () => {
  const [bomb, slow] = ["(a+)+$", "^a*a*a*$"].map((regex) => [{ path: "/a", matches: [regex] }]);
  const once = () => {
    const startedAt = performance.now();
    compileRules(bomb);
    compare({ a: `${"a".repeat(40)}!` }, { a: "b" }, slow as Rule[]);
    return performance.now() - startedAt;
  };

  // The best of a few: what another process does to this machine's cores is not the rule's cost.
  expect(Math.min(...Array.from({ length: 20 }, once))).toBeLessThan(10);
  expect(compileRules(bomb)).toMatchObject({
    rules: [],
    problems: [{ message: expect.any(String) }],
  });
});

test("B5: a rule that would ignore everything is refused", () => {
  expect(compileRules([{ path: "/**", ignore: true }]).problems).toMatchObject([
    { message: expect.stringContaining("everything") },
  ]);
});

test("B6: a rule whose day has passed is not applied any more", () => {
  const rule = { path: "/a", ignore: true, expires: "2026-01-01" };

  expect(compileRules([rule], new Date("2025-12-31")).rules).toHaveLength(1);
  expect(compileRules([rule], new Date("2026-01-02")).problems).toMatchObject([
    { message: "The rule expired on 2026-01-01" },
  ]);
});

test("B6: a flow's rules are those that hold today", () => {
  const rule = (expires: string) => ({ path: `/${expires}`, ignore: true, expires });
  const rules = [rule("2020-01-01"), rule("9999-01-01")];
  const sides = openSides(resolveConfig({ flows: { f: { compare: { rules } } } }));

  expect(barOf("f", sides, PRIVACY).rules.map(({ path }) => path)).toEqual(["/9999-01-01"]);
});

/** Text that stores and comparisons stumble over. */
const TEXTS = [
  "\u0000",
  "\ud800",
  "e\u0301",
  "\u00e9",
  "\u202egnp.exe",
  "😀",
  "a\u0000b",
  "\udc00\ud800",
];

test("B7: NUL, lone surrogates, both forms of é, bidi marks and emoji are all different, and rest in Postgres as they are", async () => {
  for (const [i, left] of TEXTS.entries())
    for (const [j, right] of TEXTS.entries())
      expect(compare({ t: left }, { t: right }).verdict).toBe(i === j ? "match" : "mismatch");
  const fresh = await freshDatabase("postgres");
  try {
    const outcome = { status: "returned" as const, value: TEXTS };
    const frame = frameOf({ header: { epoch: crypto.randomUUID() }, payload: { outcome } });
    const jobs = await openJobs(fresh.db);
    await ingest(fresh.db, jobs, [frame]);
    await jobs.close();
    const [row] = await fresh.db.query<{ payload: Uint8Array }>(
      "select payload from twintrack.runs",
    );
    const place = runPlace(trialIdOf(frame.header), "legacy");
    const opened = PRIVACY.vault.open(row?.payload ?? new Uint8Array(), place).toString();
    expect(JSON.parse(opened).outcome.value).toEqual(TEXTS);
  } finally {
    await fresh.drop();
  }
});

test("B8: 1 and 1.0 are equal, and numbers are never equal to their texts", () => {
  expect(compare(JSON.parse("[1,1e0]"), JSON.parse("[1.0,1]")).verdict).toBe("match");
  expect(compare([1], ["1"]).differences).toMatchObject([{ kind: "type", path: "/0" }]);
});

describe("off the live path", () => {
  let app: App;
  afterAll(() => app.close());

  test("B1, B2: a megabyte with one insertion is one difference, 100,000 levels are a verdict, and neither is compared in this process", async () => {
    app = await startApp(
      "postgres",
      fileURLToPath(new URL("../app/large.config.ts", import.meta.url)),
    );
    const large = await app.harness.live.answer("large", {});
    await app.harness.live.answer("deep", {});
    await app.harness.settle();

    expect(JSON.stringify(large.outcome).length).toBeGreaterThan(700_000);
    expect(app.harness.status().shadow.pid).toBeGreaterThan(0);
    expect(app.harness.status().shadow.pid).not.toBe(process.pid);
    const db = await app.harness.database();
    const trials = await db.query(
      "select flow, verdict, truncated from twintrack.trials order by seq",
    );
    expect(trials).toEqual([
      { flow: "large", verdict: "mismatch", truncated: false },
      { flow: "deep", verdict: "candidate_error", truncated: false },
    ]);
    const differences = await db.query<{ difference: string }>(
      "select difference from twintrack.differences where flow = 'large'",
    );
    expect(differences.map(({ difference }) => JSON.parse(difference))).toMatchObject([
      { kind: "extra", path: "/700" },
    ]);
  });
});

describe("the engine deep-diff", () => {
  test("lists an inserted element as everything behind it, up to its cap, and ours as one", () => {
    const before = numbers(20_000);
    const after = [-1, ...(before as JsonValue[])];

    expect(compare(before, after).differences).toHaveLength(1);
    expect(compareByDeepDiff(before, after)).toMatchObject({
      verdict: "mismatch",
      truncated: true,
    });
    expect(compareByDeepDiff(before, after).differences).toHaveLength(10_000);
  });

  test.each<[string, JsonValue, JsonValue, string]>([
    ["missing", { a: 1 }, {}, "/a"],
    ["extra", {}, { "a/b": 1 }, "/a~1b"],
    ["type", { a: [] }, { a: {} }, "/a"],
    ["value", { a: [1] }, { a: [2] }, "/a/0"],
    ["text", "x".repeat(80), "y".repeat(80), ""],
    ["extra", [[1]], [[1, 2]], "/0/1"],
  ])("has our word %s for %j against %j", (kind, legacy, candidate, path) => {
    expect(compareByDeepDiff(legacy, candidate).differences).toMatchObject([{ kind, path }]);
    expect(compare(legacy, candidate).differences).toMatchObject([{ kind, path }]);
  });

  test("is used for a flow that asks for it", () => {
    const runOf = (value: JsonValue) => ({
      outcome: { status: "returned" as const, value },
      calls: [],
    });
    const runs = { legacy: runOf([1, 2, 3]), candidate: runOf([0, 1, 2, 3]), noise: undefined };
    const bar = { flow: "f", rules: [], mask: PRIVACY.mask };

    const kinds = (config: FlowConfig) =>
      judgeRuns({ ...bar, config }, runs).divergences.map(({ kind }) => kind);

    expect(kinds({})).toEqual(["extra"]);
    expect(kinds({ compare: { engine: "deep-diff" } })).toEqual(["extra", "value"]);
    expect(() =>
      resolveConfig({ flows: { f: { compare: { engine: "other" as never } } } }),
    ).toThrow("engine");
  });

  test("heeds the same rules", () => {
    const rules: Rule[] = [
      { path: "/id", ignore: true },
      { path: "/score", tolerance: { absolute: 0.1 } },
    ];

    expect(compareByDeepDiff({ id: 1, score: 1 }, { id: 2, score: 1.05 }, rules).verdict).toBe(
      "ignored",
    );
    expect(compareByDeepDiff({ id: 1, score: 1 }, { id: 2, score: 1.5 }, rules).verdict).toBe(
      "mismatch",
    );
  });

  test("where it is blind nothing is called equal", () => {
    const [left, right] = [{ "": { a: 1 } }, {}];

    expect(compareByDeepDiff(left, right)).toMatchObject({
      verdict: "incomparable",
      reason: "engine",
    });
  });
});
