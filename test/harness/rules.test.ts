import { describe, expect, test } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { compare } from "../../harness/compare/compare.ts";
import { compileRules, type Rule } from "../../harness/compare/rules.ts";

const verdict = (legacy: JsonValue, candidate: JsonValue, ...rules: Rule[]) =>
  compare(legacy, candidate, rules).verdict;

describe("a bad rule is reported and silences nothing", () => {
  test.each([
    ["an unknown field", { path: "/a", ignroe: true }],
    ["no verb", { path: "/a", reason: "because" }],
    ["two verbs", { path: "/a", ignore: true, similarity: 0.5 }],
    ["a path without a slash", { path: "a", ignore: true }],
    ["a regular expression that does not parse", { path: "/a", matches: ["("] }],
    ["a nested repetition", { path: "/a", matches: ["(a+)+$"] }],
    ["a repeated alternative", { path: "/a", matches: ["^(a|aa)+$"] }],
    ["a nested repetition in braces", { path: "/a", matches: ["(a*){2,}$"] }],
    ["a backreference", { path: "/a", matches: ["(a)\\1"] }],
    ["a lookahead", { path: "/a", matches: ["(?=a)b"] }],
    ["an ignore of everything", { path: "/**", ignore: true }],
    ["an ignore of the root", { path: "", ignore: true }],
    ["a negative tolerance", { path: "/a", tolerance: { absolute: -1 } }],
    ["two tolerances", { path: "/a", tolerance: { absolute: 1, relative: 1 } }],
    ["a tolerance that is not a number", { path: "/a", tolerance: { relative: Number.NaN } }],
    ["a similarity of 0", { path: "/a", similarity: 0 }],
    ["references without an id", { path: "/a", key: "k", references: ["/b"] }],
    ["an unknown form", { path: "/a", as: "email" }],
    ["an expiry that is no date", { path: "/a", ignore: true, expires: "soon" }],
    ["a text", "/a"],
    ["null", null],
  ])("%s", (_, rule) => {
    const { rules, problems } = compileRules([rule]);

    expect(rules).toEqual([]);
    expect(problems).toEqual([{ rule, message: expect.stringMatching(/.{10,}/) as string }]);
    expect(compare({ a: "x" }, { a: "y" }, [rule as Rule]).verdict).toBe("mismatch");
  });

  test("rules that are no list are reported", () => {
    expect(compileRules({ path: "/a", ignore: true }).problems).toHaveLength(1);
  });

  test("the good rules of a file with a bad one still work", () => {
    const found = compare({ a: 1, b: 1 }, { a: 2, b: 1 }, [
      { path: "nonsense", ignore: true },
      { path: "/a", ignore: true },
    ]);

    expect(found.verdict).toBe("ignored");
    expect(found.problems).toHaveLength(1);
  });

  test("a rule works until the moment it expires", () => {
    const rule = { path: "/a", ignore: true, expires: "2026-03-01T00:00:00Z" };

    expect(compileRules([rule], new Date("2026-02-28T23:59:59Z")).problems).toEqual([]);
    expect(compileRules([rule], new Date("2026-03-01T00:00:00Z"))).toMatchObject({ rules: [] });
  });
});

test("a repetition that backtracks is bounded by the length of the text", () => {
  const rule: Rule = { path: "", matches: ["a*a*a*a*a*b"] };
  const before = process.cpuUsage();

  expect(verdict("a".repeat(50_000), `${"a".repeat(50_000)}c`, rule)).toBe("mismatch");

  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000); // Microseconds; else it would be days.
});

describe("paths", () => {
  test("* stands for exactly one segment", () => {
    const rule = { path: "/items/*/id", ignore: true };

    expect(verdict({ items: [{ id: 1 }] }, { items: [{ id: 2 }] }, rule)).toBe("ignored");
    expect(verdict({ items: { id: 1 } }, { items: { id: 2 } }, rule)).toBe("mismatch");
    expect(verdict({ items: [[{ id: 1 }]] }, { items: [[{ id: 2 }]] }, rule)).toBe("mismatch");
  });

  test("** stands for any number of segments, also none", () => {
    const rule = { path: "/**/id", ignore: true };

    expect(verdict({ id: 1, a: [{ b: { id: 1 } }] }, { id: 2, a: [{ b: { id: 2 } }] }, rule)).toBe(
      "ignored",
    );
    expect(verdict({ a: { idea: 1 } }, { a: { idea: 2 } }, rule)).toBe("mismatch");
  });

  test("an ignored place covers everything below it", () => {
    const rule = { path: "/meta", ignore: true };

    expect(verdict({ meta: { a: [1] } }, { meta: { a: [2, 3] } }, rule)).toBe("ignored");
    expect(verdict({ meta: 1 }, {}, rule)).toBe("ignored");
  });

  test("ignoring a field of an element does not hide that the element is gone", () => {
    const rule = { path: "/items/*/id", ignore: true };

    expect(verdict({ items: [{ id: 1 }, { id: 2 }] }, { items: [{ id: 1 }] }, rule)).toBe(
      "mismatch",
    );
  });

  test("ignore: false takes a place out of a wider rule", () => {
    const rules = [
      { path: "/meta", ignore: true },
      { path: "/meta/total", ignore: false },
    ];

    expect(verdict({ meta: { total: 1 } }, { meta: { total: 2 } }, ...rules)).toBe("mismatch");
  });

  test("an escaped slash names one key", () => {
    expect(verdict({ "a/b": 1 }, { "a/b": 2 }, { path: "/a~1b", ignore: true })).toBe("ignored");
  });
});

describe("verbs", () => {
  test("a tolerance allows its own limit and nothing beyond", () => {
    const rule: Rule = { path: "/n", tolerance: { absolute: 0.1 } };

    expect(verdict({ n: 0.2 }, { n: 0.3 }, rule)).toBe("ignored");
    expect(verdict({ n: 0.2 }, { n: 0.301 }, rule)).toBe("mismatch");
  });

  test("a tolerance for numbers does not forgive another type", () => {
    expect(verdict({ n: 1 }, { n: "1" }, { path: "/n", tolerance: { absolute: 5 } })).toBe(
      "mismatch",
    );
    expect(verdict({ n: 1 }, { n: null }, { path: "/n", tolerance: { relative: 5 } })).toBe(
      "mismatch",
    );
  });

  test("a relative tolerance is relative to legacy", () => {
    const rule: Rule = { path: "/n", tolerance: { relative: 0.1 } };

    expect(verdict({ n: -100 }, { n: -110 }, rule)).toBe("ignored");
    expect(verdict({ n: 0 }, { n: 0.0001 }, rule)).toBe("mismatch");
  });

  test.each([
    ["uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "F47AC10B-58CC-4372-A567-0E02B2C3D479", "x"],
    ["ip", "10.0.0.1", "2001:db8::1", "256.1.1.1"],
    ["url", "https://a.example/x", "http://b.example", "b.example"],
    ["time", "2026-01-01", "2026-05-05T10:00:00.123+02:00", "yesterday"],
  ] as const)("as %s accepts another one and refuses what is none", (form, left, right, wrong) => {
    expect(verdict({ v: left }, { v: right }, { path: "/v", as: form })).toBe("ignored");
    expect(verdict({ v: left }, { v: wrong }, { path: "/v", as: form })).toBe("mismatch");
  });

  test("similarity accepts a near text and refuses a far one", () => {
    const rule = { path: "/t", similarity: 0.9 };

    expect(
      verdict({ t: "Your order has shipped today" }, { t: "Your order has shipped today." }, rule),
    ).toBe("ignored");
    expect(verdict({ t: "Your order has shipped" }, { t: "Your order was refused" }, rule)).toBe(
      "mismatch",
    );
  });

  test("only one matching text is not enough for matches", () => {
    expect(verdict({ s: "PAID" }, { s: "FAILED" }, { path: "/s", matches: ["^PAID$"] })).toBe(
      "mismatch",
    );
  });

  test("keyed elements are compared with their namesakes, wherever they stand", () => {
    const rule = { path: "/d", key: "k" };
    const found = compare(
      {
        d: [
          { k: "a", v: 1 },
          { k: "b", v: 2 },
        ],
      },
      {
        d: [
          { k: "b", v: 3 },
          { k: "a", v: 1 },
        ],
      },
      [rule],
    );

    expect(found.differences.filter(({ rule: by }) => !by)).toEqual([
      { kind: "value", path: "/d/1/v", legacy: 2, candidate: 3 },
    ]);
  });

  test("a key that only one side has is missing or extra, not changed", () => {
    const found = compare({ d: [{ k: "a" }] }, { d: [{ k: "b" }] }, [{ path: "/d", key: "k" }]);

    expect(found.differences.map(({ kind }) => kind)).toEqual(["missing", "extra"]);
  });

  test("objects in a set may differ in what other rules ignore", () => {
    const rules: Rule[] = [
      { path: "/s", as: "set" },
      { path: "/s/*/id", ignore: true },
    ];

    expect(
      verdict(
        {
          s: [
            { id: 1, n: "a", m: 1 },
            { id: 2, n: "b", m: 2 },
          ],
        },
        {
          s: [
            { id: 3, n: "b", m: 2 },
            { id: 4, n: "a", m: 1 },
          ],
        },
        ...rules,
      ),
    ).toBe("ignored");
  });

  test("an explained difference names its rule and the reason", () => {
    const { differences } = compare({ a: 1 }, { a: 2 }, [
      { path: "/a", ignore: true, reason: "random by design", owner: "ann" },
    ]);

    expect(differences).toMatchObject([{ rule: "/a", detail: "random by design" }]);
  });
});
