import fc from "fast-check";
import { expect, test } from "vitest";
import { type AlignmentBudget, alignArrays } from "../../harness/compare/align.ts";
import { commonSubsequence } from "../../harness/compare/subsequence.ts";

const budget = (): AlignmentBudget => ({
  equality: { nodes: 1e6, depth: 512, tooDeep: false },
  cells: { left: 1e6 },
  likeness: { left: 2e5 },
});

/** The textbook table, as the oracle. */
function longestCommonLength(a: readonly number[], b: readonly number[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = table[i] as number[];
      const below = table[i + 1] as number[];
      row[j] =
        a[i] === b[j]
          ? 1 + (below[j + 1] as number)
          : Math.max(below[j] as number, row[j + 1] as number);
    }
  }
  return table[0]?.[0] ?? 0;
}

const sequence = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 30 });

test("every match joins equal elements, and matches never cross", () => {
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      const matches = commonSubsequence(a, b, { left: 1e6 });
      matches.forEach(([i, j], index) => {
        expect(a[i]).toBe(b[j]);
        const previous = matches[index - 1];
        if (previous) expect(i > previous[0] && j > previous[1]).toBe(true);
      });
    }),
  );
});

test("the match of two short sequences is as long as possible", () => {
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      const { length } = commonSubsequence(a, b, { left: 1e6 });
      expect(length).toBe(longestCommonLength(a, b));
    }),
  );
});

test("every element is equal in place, paired, moved, missing or extra, exactly once", () => {
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      const pairings = alignArrays(a, b, budget());
      const legacy = pairings.flatMap((pairing) => ("legacy" in pairing ? [pairing.legacy] : []));
      const candidate = pairings.flatMap((pairing) =>
        "candidate" in pairing ? [pairing.candidate] : [],
      );
      expect(new Set(legacy).size).toBe(legacy.length);
      expect(new Set(candidate).size).toBe(candidate.length);
      expect(a.length - legacy.length).toBe(b.length - candidate.length);
    }),
  );
});

test("a list beyond the cap is paired by place instead of by search", () => {
  const list = (salt: number) => Array.from({ length: 3_000 }, (_, i) => (i * salt) % 7);

  const pairings = alignArrays(list(1), list(3), { ...budget(), cells: { left: 100 } });

  expect(pairings.length).toBeLessThanOrEqual(3_000);
});
