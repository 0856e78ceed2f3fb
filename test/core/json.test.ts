/** One canonical form for every value: two different ones never meet in one text. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalText, digest, toJson } from "../../core/json.ts";
import { parseJsonText } from "../../core/json-text.ts";

class Point {
  readonly x = 1;
}
class Secret {
  readonly #word = "x";
  shown(): string {
    return this.#word;
  }
}

const VALUES: [string, unknown][] = [
  ["null", null],
  ["zero", 0],
  ["the text 0", "0"],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["a bigint", 1n],
  ["one", 1],
  ["the text 1", "1"],
  ["an empty object", {}],
  ["an empty array", []],
  ["an empty map", new Map()],
  ["an empty set", new Set()],
  ["a map", new Map([["a", 1]])],
  ["an object like it", { a: 1 }],
  ["a set", new Set(["a"])],
  ["an array like it", ["a"]],
  ["a date", new Date(0)],
  ["its text", new Date(0).toISOString()],
  ["no date", new Date(Number.NaN)],
  ["bytes", new Uint8Array([1])],
  ["other bytes", new Uint8Array([2]).buffer],
  ["an error", new RangeError("x")],
  ["a regular expression", /a/],
  ["another", /b/],
  ["an instance with nothing to see", new Secret()],
  ["a symbol", Symbol("a")],
];

describe("toJson", () => {
  test("A9: gives different values different texts, and none of them the text of null", () => {
    const texts = VALUES.map(([, value]) => canonicalText(toJson(value).value));

    expect(new Set(texts).size).toBe(VALUES.length);
    expect(texts.filter((text) => text === "null")).toHaveLength(1);
  });

  test.each(
    VALUES.filter(
      ([name]) =>
        !/^(null|zero|one|the text|an empty object|an empty array|an object|an array|its text)/.test(
          name,
        ),
    ),
  )("says that %s cannot be rebuilt", (_, value) => {
    expect(toJson(value).lossy).toBe(true);
  });

  test("sees an instance by its fields, and a number object as its number", () => {
    expect(toJson(new Point()).value).toEqual({ x: 1 });
    expect(toJson(Object(1)).value).toBe(1);
  });

  test("writes two numbers alike exactly when they are equal; a zero has no sign, as in JSON.stringify", () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 2 ** 53, Number.NaN));
    fc.assert(
      fc.property(number, number, (a, b) => {
        const equal = a === b || (Number.isNaN(a) && Number.isNaN(b));
        const [left, right] = [a, b].map((value) => canonicalText(toJson(value).value));
        expect(left === right).toBe(equal);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("text", () => {
  test("B8: numbers beyond 2^53 and 1e400 are told apart, 1 and 1.0 are not", () => {
    const value = (text: string) => canonicalText(parseJsonText(text).value);

    expect(value("9007199254740993")).not.toBe(value("9007199254740992"));
    expect(value("1e400")).not.toBe(value("1e401"));
    expect(value("0.1000000000000000055")).not.toBe(value("0.1"));
    expect(value("1.0")).toBe(value("1"));
    expect(value("1.50e2")).toBe(value("150"));
    expect(value("100000000000000000000")).toBe(value("1e20"));
    expect(value("9007199254740993.0")).toBe(value("9007199254740993"));
    expect(value("-0.0")).toBe(value("0"));
  });

  test("B8: integers of any length are equal exactly when their texts are", () => {
    const integer = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
    fc.assert(
      fc.property(integer, integer, (a, b) => {
        const [left, right] = [a, b].map((n) => canonicalText(parseJsonText(`{"n":${n}}`).value));
        expect(left === right).toBe(a === b);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is otherwise read as JSON.parse reads it", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJsonText(text)).toEqual({ value: JSON.parse(text), repeatedKeys: [] });
      }),
      { numRuns: 2_000 },
    );
  });

  test("B9: repeated keys are told with their places, however they are written", () => {
    const text = '{"a":{"b":1,"\\u0062":2},"c":[0,{"x":"{\\"x\\":","x":2}],"a~/":1,"a~/":1}';

    expect(parseJsonText(text).repeatedKeys).toEqual(["/a/b", "/c/1/x", "/a~0~1"]);
  });

  test("B12: parts that join to the same text have different digests", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { minLength: 1 }),
        fc.array(fc.string(), { minLength: 1 }),
        (a, b) => {
          expect(digest(...a) === digest(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        },
      ),
    );
    expect(digest("a|b")).not.toBe(digest("a", "b"));
    expect(digest("a|", "b")).not.toBe(digest("a", "|b"));
  });
});
