/**
 * Longest common subsequence of two sequences of element classes, at a bounded price.
 *
 * Elements whose class occurs once on each side are anchors (patience diff); what lies between
 * anchors is solved exactly while the product of the lengths fits the remaining cells, and left
 * unmatched otherwise. Linear for logs and lists of records, and never quadratic.
 */

/** Cells of the exact table that one comparison may fill: the cap on its cost. */
export const MAX_CELLS = 1_000_000;

/** Tables of this many cells are filled outright: anchors are cheap but not always the best. */
const SMALL = 10_000;

export interface Cells {
  left: number;
}

type Match = readonly [legacy: number, candidate: number];

interface Range {
  a: number;
  aEnd: number;
  b: number;
  bEnd: number;
}

/** Index pairs into `a` and `b`, rising in both. */
export function commonSubsequence(
  a: readonly number[],
  b: readonly number[],
  cells: Cells,
): Match[] {
  const matches: Match[] = [];
  const ranges: Range[] = [{ a: 0, aEnd: a.length, b: 0, bEnd: b.length }];
  for (let range = ranges.pop(); range; range = ranges.pop()) {
    const rest = trim(a, b, range, matches);
    if (rest.a === rest.aEnd || rest.b === rest.bEnd) continue;
    const small = (rest.aEnd - rest.a) * (rest.bEnd - rest.b) <= SMALL;
    const anchors = small ? [] : longestRising(uniqueInBoth(a, b, rest));
    if (anchors.length > 0) splitAt(anchors, rest, ranges, matches);
    else matches.push(...exact(a, b, rest, cells));
  }
  return matches.sort((left, right) => left[0] - right[0]);
}

function trim(a: readonly number[], b: readonly number[], range: Range, matches: Match[]): Range {
  const rest = { ...range };
  while (rest.a < rest.aEnd && rest.b < rest.bEnd && a[rest.a] === b[rest.b]) {
    matches.push([rest.a++, rest.b++]);
  }
  while (rest.a < rest.aEnd && rest.b < rest.bEnd && a[rest.aEnd - 1] === b[rest.bEnd - 1]) {
    matches.push([--rest.aEnd, --rest.bEnd]);
  }
  return rest;
}

function uniqueInBoth(a: readonly number[], b: readonly number[], range: Range): Match[] {
  const inA = soleIndexes(a, range.a, range.aEnd);
  const inB = soleIndexes(b, range.b, range.bEnd);
  const unique: Match[] = [];
  for (const [sort, index] of inA) {
    const other = inB.get(sort);
    if (index >= 0 && other !== undefined && other >= 0) unique.push([index, other]);
  }
  return unique;
}

/** Where each class occurs, -1 when it occurs more than once; in order of first occurrence. */
function soleIndexes(sequence: readonly number[], from: number, to: number): Map<number, number> {
  const indexes = new Map<number, number>();
  for (let index = from; index < to; index++) {
    const sort = sequence[index] as number;
    indexes.set(sort, indexes.has(sort) ? -1 : index);
  }
  return indexes;
}

/** Longest run of matches that rises in `candidate`; the input rises in `legacy`. */
export function longestRising(matches: readonly Match[]): Match[] {
  const tails: number[] = [];
  const previous: number[] = [];
  matches.forEach(([, candidate], index) => {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const tail = matches[tails[middle] as number] as Match;
      if (tail[1] < candidate) low = middle + 1;
      else high = middle;
    }
    previous[index] = low > 0 ? (tails[low - 1] as number) : -1;
    tails[low] = index;
  });
  const rising: Match[] = [];
  for (let index = tails.at(-1) ?? -1; index >= 0; index = previous[index] as number) {
    rising.push(matches[index] as Match);
  }
  return rising.reverse();
}

function splitAt(anchors: readonly Match[], range: Range, ranges: Range[], matches: Match[]): void {
  let { a, b } = range;
  for (const [legacy, candidate] of anchors) {
    matches.push([legacy, candidate]);
    ranges.push({ a, aEnd: legacy, b, bEnd: candidate });
    a = legacy + 1;
    b = candidate + 1;
  }
  ranges.push({ a, aEnd: range.aEnd, b, bEnd: range.bEnd });
}

function exact(a: readonly number[], b: readonly number[], range: Range, cells: Cells): Match[] {
  const same = (i: number, j: number) => (a[range.a + i] === b[range.b + j] ? 1 : 0);
  const pairs = alignByScore(range.aEnd - range.a, range.bEnd - range.b, same, cells) ?? [];
  return pairs.map(([i, j]) => [range.a + i, range.b + j] as const);
}

/**
 * The rising pairs with the highest total score; pairs with score 0 are not made.
 *
 * @returns undefined when the table would not fit the remaining cells.
 */
export function alignByScore(
  rows: number,
  columns: number,
  score: (row: number, column: number) => number,
  cells: Cells,
): Match[] | undefined {
  if (rows * columns > cells.left) return undefined;
  cells.left -= rows * columns;
  const width = columns + 1;
  const best = new Float64Array((rows + 1) * width);
  const scores = new Float64Array(rows * columns);
  const at = (row: number, column: number) => best[row * width + column] as number;
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const gain = score(row, column);
      scores[row * columns + column] = gain;
      const paired = gain > 0 ? gain + at(row + 1, column + 1) : 0;
      best[row * width + column] = Math.max(paired, at(row + 1, column), at(row, column + 1));
    }
  }
  const pairs: Match[] = [];
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    const gain = scores[row * columns + column] as number;
    if (gain > 0 && at(row, column) === gain + at(row + 1, column + 1))
      pairs.push([row++, column++]);
    else if (at(row, column) === at(row + 1, column)) row++;
    else column++;
  }
  return pairs;
}
