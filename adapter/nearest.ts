/** The names a caller most likely meant; one that was given in part is as near as can be. */
function nearest(wanted: string, names: readonly string[], limit = 3): string[] {
  return names
    .map((name) => ({ name, distance: nearness(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance: edits }) => edits <= Math.max(2, name.length / 3))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map(({ name }) => name);
}

const SHORTEST_PART = 4;

/** With or without the source in front: `book_hotle` is near `desk.book_hotel`. */
function nearness(wanted: string, name: string): number {
  const own = (text: string) => text.slice(text.lastIndexOf(".") + 1);
  const [short, long] = [own(wanted), own(name)];
  const isPart = short.length >= SHORTEST_PART && (long.includes(short) || short.includes(long));
  return isPart ? 1 : Math.min(distance(wanted, name), distance(short, long));
}

const MOST_LISTED = 30;

/** "Did you mean …?", or the names there are. */
export function suggestion(wanted: string, names: readonly string[]): string {
  const near = nearest(wanted, names);
  if (near.length > 0) return `Did you mean ${near.join(", ")}?`;
  if (names.length === 0) return "There are none.";
  const more = names.length - MOST_LISTED;
  const rest = more > 0 ? `, and ${more} more` : "";
  return `There are: ${names.slice(0, MOST_LISTED).join(", ")}${rest}.`;
}

/** Levenshtein distance; one row at a time. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...to].entries()) {
      const substituted = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(substituted, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
