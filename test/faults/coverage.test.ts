/** Every fault of the catalogue has a test that names it. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const range = (letter: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${letter}${from + index}`);

/** What the dual run answers for; the catalogue's others belong to parts that are still to come. */
const FAULTS: readonly string[] = [
  ...range("A", 1, 20),
  ...range("B", 1, 12),
  ...range("C", 1, 14),
  ...range("E", 1, 8),
  ...range("E", 10, 14),
  ...range("F", 1, 8),
  ...["G1", "G2", "G4", "G5", "G8"],
  ...range("H", 1, 8),
];

test("the faults of the catalogue are named by tests", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const files = globSync("**/*.test.ts", { cwd: root, exclude: (name) => name === "node_modules" });
  const named = new Set<string>();
  for (const file of files) {
    const text = readFileSync(`${root}/${file}`, "utf8");
    for (const [title] of text.matchAll(/"(?:[A-H]\d+, )*[A-H]\d+: /g))
      for (const [fault] of title.matchAll(/[A-H]\d+/g)) named.add(fault);
    // Tables of faults: the number is the first column.
    for (const [, fault = ""] of text.matchAll(/^ {2}\["([A-H]\d+)", /gm)) named.add(fault);
  }
  expect(FAULTS.filter((fault) => !named.has(fault))).toEqual([]);
});
