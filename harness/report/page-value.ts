/** JSON and texts side by side: what differs is marked, what is equal is folded. */
import type { JsonValue } from "../../core/json.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Difference } from "../compare/difference.ts";
import { escapeSegment } from "../compare/pointer.ts";
import { commonSubsequence } from "../compare/subsequence.ts";
import { type Markup, markup } from "./markup.ts";

/** Longer values are cut; the report says how much is left out. */
const MAX_VALUE = 2_000;
const MAX_LINES = 120;
/** Equal parts up to this length are shown instead of folded. */
const SHORT = 60;
const MAX_WORDS = 2_000;

export type Column = "legacy" | "candidate";

/** One side's document with the places of the differences marked. */
export function renderDocument(
  value: JsonValue,
  column: Column,
  differences: readonly Difference[],
): Markup {
  const marks = marksOf(column, differences);
  const lines: Markup[] = [];
  writeLines(value, "", "", 0, { column, marks, lines, ways: waysOf(marks) });
  const shown = lines.slice(0, MAX_LINES);
  const more = lines.length - shown.length;
  const rest = more > 0 ? markup`<span class="fold">… ${more} more lines</span>` : undefined;
  return markup`<pre class="doc" tabindex="0" aria-label="${column} answer">${shown}${rest}</pre>`;
}

interface Writing {
  column: Column;
  marks: ReadonlyMap<string, Difference>;
  /** Every pointer on the way to a mark. */
  ways: ReadonlySet<string>;
  lines: Markup[];
}

/** A path holds legacy's index, so in a shifted array the candidate's value is checked as well. */
function marksOf(column: Column, differences: readonly Difference[]): Map<string, Difference> {
  const absent = column === "legacy" ? "extra" : "missing";
  const shown = differences.filter(({ kind }) => kind !== absent && kind !== "effect");
  return new Map(shown.map((difference) => [difference.path, difference]));
}

function waysOf(marks: ReadonlyMap<string, Difference>): Set<string> {
  const ways = new Set<string>();
  for (const path of marks.keys()) {
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1))
      ways.add(path.slice(0, end));
    ways.add("");
  }
  return ways;
}

function writeLines(
  value: JsonValue,
  path: string,
  label: string,
  depth: number,
  to: Writing,
): void {
  if (to.lines.length > MAX_LINES * 2) return;
  const difference = to.marks.get(path);
  const indent = "  ".repeat(depth);
  if (difference && sameText(difference[to.column], value)) {
    to.lines.push(markLine(indent, label, value, to.column, difference));
  } else if (to.ways.has(path) && typeof value === "object" && value !== null && depth < 40) {
    const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
    to.lines.push(markup`<span class="line">${indent}${label}${open}</span>`);
    writeChildren(value, path, depth + 1, to);
    to.lines.push(markup`<span class="line">${indent}${close}</span>`);
  } else {
    to.lines.push(markup`<span class="line eq">${indent}${label}${folded(value)}</span>`);
  }
}

function writeChildren(value: JsonValue, path: string, depth: number, to: Writing): void {
  let equal = 0;
  const flush = () => {
    if (equal > 0)
      to.lines.push(markup`<span class="line fold">${"  ".repeat(depth)}… ${equal} equal</span>`);
    equal = 0;
  };
  const labelled = isJsonObject(value);
  const entries = Object.entries(value ?? {});
  for (const [key, child] of entries) {
    const place = `${path}/${escapeSegment(key)}`;
    const unmarked = !to.ways.has(place);
    if (unmarked && entries.length > 6) {
      equal++;
      continue;
    }
    flush();
    writeLines(child as JsonValue, place, labelled ? `${key}: ` : "", depth, to);
  }
  flush();
}

function sameText(left: JsonValue | undefined, right: JsonValue): boolean {
  return left !== undefined && JSON.stringify(left) === JSON.stringify(right);
}

function markLine(
  indent: string,
  label: string,
  value: JsonValue,
  column: Column,
  { kind, rule }: Difference,
): Markup {
  const text = `${label}${shorten(value)}`;
  if (rule !== undefined) {
    return markup`<span class="line ruled" title="explained by the rule ${rule}">${indent}<span aria-hidden="true">· </span>${text}</span>`;
  }
  const sign = glyph(kind, column);
  return column === "legacy"
    ? markup`<span class="line">${indent}<del><span aria-hidden="true">${sign} </span>${text}</del></span>`
    : markup`<span class="line">${indent}<ins><span aria-hidden="true">${sign} </span>${text}</ins></span>`;
}

function glyph(kind: Difference["kind"], column: Column): string {
  if (kind === "order") return "↕";
  return column === "legacy" ? "−" : "+";
}

function folded(value: JsonValue): string {
  const text = shorten(value);
  if (typeof value !== "object" || value === null || text.length <= SHORT) return text;
  const count = Object.keys(value).length;
  return Array.isArray(value) ? `[ … ${count} equal ]` : `{ … ${count} equal }`;
}

export function shorten(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length <= MAX_VALUE
    ? text
    : `${text.slice(0, MAX_VALUE)}… (${text.length - MAX_VALUE} more characters)`;
}

/** Two values one under the other; of two texts only the words that differ are marked. */
export function renderChange(
  legacy: JsonValue | undefined,
  candidate: JsonValue | undefined,
): Markup {
  const words =
    typeof legacy === "string" && typeof candidate === "string"
      ? renderWords(legacy, candidate)
      : undefined;
  const left =
    words?.legacy ?? (legacy === undefined ? nothing() : markup`<del>${shorten(legacy)}</del>`);
  const right =
    words?.candidate ??
    (candidate === undefined ? nothing() : markup`<ins>${shorten(candidate)}</ins>`);
  return markup`<dl class="change">
<div><dt><span class="sign" aria-hidden="true">−</span> legacy</dt><dd>${left}</dd></div>
<div><dt><span class="sign" aria-hidden="true">+</span> candidate</dt><dd>${right}</dd></div>
</dl>`;
}

function nothing(): Markup {
  return markup`<span class="muted">nothing at this place</span>`;
}

/** Undefined when the texts have too many words, or hardly one in common. */
function renderWords(
  legacy: string,
  candidate: string,
): { legacy: Markup; candidate: Markup } | undefined {
  const left = legacy.slice(0, MAX_VALUE).split(/(?<=\s)/);
  const right = candidate.slice(0, MAX_VALUE).split(/(?<=\s)/);
  if (left.length + right.length > MAX_WORDS || left.length < 3) return undefined;
  const numbers = new Map<string, number>();
  const numberOf = (word: string) => {
    const known = numbers.get(word) ?? numbers.size;
    numbers.set(word, known);
    return known;
  };
  const matches = commonSubsequence(left.map(numberOf), right.map(numberOf), { left: 1e6 });
  if (matches.length * 4 < left.length) return undefined;
  const keptLeft = new Set(matches.map(([i]) => i));
  const keptRight = new Set(matches.map(([, j]) => j));
  return {
    legacy: markup`${left.map((word, i) => (keptLeft.has(i) ? word : markup`<del>${word}</del>`))}`,
    candidate: markup`${right.map((word, j) => (keptRight.has(j) ? word : markup`<ins>${word}</ins>`))}`,
  };
}
