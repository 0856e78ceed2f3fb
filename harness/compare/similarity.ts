/** How alike two texts are, from 0 (nothing in common) to 1 (equal). */
export function similarity(left: string, right: string): number {
  if (left === right) return 1;
  const longest = Math.max(left.length, right.length);
  if (left.length * right.length > MAX_CELLS) return wordOverlap(left, right);
  return 1 - editDistance(left, right) / longest;
}

/** Above this product of lengths the exact distance is too dear and words are counted instead. */
const MAX_CELLS = 1_000_000;

/** Levenshtein distance in UTF-16 code units. */
function editDistance(left: string, right: string): number {
  let previous = Uint32Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = new Uint32Array(right.length + 1);
    current[0] = row;
    for (let column = 1; column <= right.length; column++) {
      const replaced =
        (previous[column - 1] as number) +
        (left.charCodeAt(row - 1) === right.charCodeAt(column - 1) ? 0 : 1);
      const removed = (previous[column] as number) + 1;
      const added = (current[column - 1] as number) + 1;
      current[column] = Math.min(replaced, removed, added);
    }
    previous = current;
  }
  return previous[right.length] as number;
}

/** Sørensen-Dice coefficient over the multisets of words. */
function wordOverlap(left: string, right: string): number {
  const words = left.split(/\s+/);
  const others = right.split(/\s+/);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of others) {
    const left = counts.get(word) ?? 0;
    if (left > 0) shared++;
    counts.set(word, left - 1);
  }
  return (2 * shared) / (words.length + others.length);
}
