import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Difference } from "../../harness/compare/difference.ts";
import {
  describeDivergence,
  fingerprint,
  groupDifferences,
  templatePath,
} from "../../harness/compare/fingerprint.ts";
import { noiseRate } from "../../harness/compare/noise.ts";

const value = (path: string): Difference => ({ kind: "value", path });

test("the fingerprint of a known divergence never changes", () => {
  expect(fingerprint("refund", [value("/lines/3/cents")])).toBe("v1:3c09e02a8813f850");
});

test("neither the index nor how often it occurs changes the fingerprint", () => {
  const once = fingerprint("f", [value("/lines/0/cents")]);

  expect(fingerprint("f", [value("/lines/17/cents"), value("/lines/2/cents")])).toBe(once);
});

test("kind, path and flow all change the fingerprint", () => {
  const prints = [
    fingerprint("f", [value("/a")]),
    fingerprint("g", [value("/a")]),
    fingerprint("f", [value("/b")]),
    fingerprint("f", [{ kind: "type", path: "/a" }]),
  ];

  expect(new Set(prints).size).toBe(4);
});

test("a failure of legacy alone and one of the candidate alone are two divergences", () => {
  const error = { name: "ValueError", message: "no passenger" };
  for (const kind of ["error", "timeout"] as const) {
    const groups = groupDifferences("f", [
      { kind, path: "", legacy: error },
      { kind, path: "", candidate: error },
    ]);
    const verb = kind === "error" ? "failed" : "timed out";
    expect(groups.map(({ title }) => title)).toEqual([
      `only legacy ${verb}`,
      `only candidate ${verb}`,
    ]);
    expect(new Set(groups.map((group) => group.fingerprint)).size).toBe(2);
  }
});

test("texts that concatenate alike have different fingerprints", () => {
  expect(fingerprint("a|b", [value("/c")])).not.toBe(fingerprint("a", [value("|b/c")]));
});

test("the order of the differences does not matter", () => {
  const paths = fc.array(fc.constantFrom("/a", "/b/0", "/c/d", "/e"), { minLength: 1 });
  fc.assert(
    fc.property(paths, (list) => {
      const there = list.map(value);
      expect(fingerprint("f", [...there].reverse())).toBe(fingerprint("f", there));
    }),
  );
});

test("a difference that a rule explains leaves no trace", () => {
  expect(fingerprint("f", [value("/a"), { ...value("/id"), rule: "/id" }])).toBe(
    fingerprint("f", [value("/a")]),
  );
});

describe("templated paths", () => {
  test.each([
    ["/lines/12/cents", "/lines/*/cents"],
    ["/orders/7d444840-9dc0-11d1-b245-5ffdce74fad2/total", "/orders/{id}/total"],
    ["/orders/order-99812/total", "/orders/order-{id}/total"],
    ["/calls/01ARZ3NDEKTSV4RRFFQ69G5FAV/x", "/calls/{id}/x"],
    ["/days/2026-05-01/n", "/days/{time}/n"],
    ["/feedface/decade/accede", "/feedface/decade/accede"],
    ["/a~1b/0", "/a~1b/*"],
    ["/n/c/c/c/c/c/v", "/n/c/+/v"],
    ["/children/0/children/4/children/1/name", "/children/*/+/name"],
    ["/matrix/1/2/3", "/matrix/*/*/*"],
    ["", ""],
  ])("%s is %s", (path, template) => {
    expect(templatePath(path)).toBe(template);
  });

  test("a path of any depth stays short", () => {
    const path = Array.from({ length: 5_000 }, (_, i) => `/key${i % 999}x`).join("");

    expect(templatePath(path).length).toBeLessThan(300);
  });
});

describe("groups", () => {
  test("all elements that differ in one field are one divergence", () => {
    const groups = groupDifferences("f", [
      value("/l/0/c"),
      value("/l/1/c"),
      { kind: "missing", path: "/x" },
    ]);

    expect(groups.map(({ title, differences }) => [title, differences.length])).toEqual([
      ["`/l/*/c` value differs", 2],
      ["`/x` missing in candidate", 1],
    ]);
  });

  test("a missing and a changed write of one tool are two divergences", () => {
    const effect = (detail: string): Difference => ({
      kind: "effect",
      path: "/effects/a~1b",
      detail,
    });

    expect(
      groupDifferences("f", [effect("missing"), effect("changed")]).map(({ title }) => title),
    ).toEqual(["write `a/b` missing", "write `a/b` changed"]);
  });

  test("a title says how much more there is", () => {
    expect(describeDivergence([value("/a"), value("/b"), value("/c")])).toBe(
      "`/a` value differs and 2 more",
    );
  });
});

test("noise that nobody measured is null, not zero", () => {
  expect(noiseRate({ trials: 0, noisy: 0 })).toBeNull();
  expect(noiseRate({ trials: 20, noisy: 0 })).toMatchObject({
    rate: 0,
    lower: 0,
    upper: expect.closeTo(0.1684, 4) as number,
  });
});
