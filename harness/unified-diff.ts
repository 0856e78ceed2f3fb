/** Changes of files as one patch that `git apply` takes. */
import { commonSubsequence, MAX_CELLS } from "./compare/subsequence.ts";

export interface FileChange {
  /** Relative to where the patch is applied, with `/`. */
  path: string;
  before: string;
  /** Null deletes the file. */
  after: string | null;
}

const CONTEXT_LINES = 3;

export function unifiedDiff(changes: readonly FileChange[]): string {
  return changes.map(fileDiff).join("");
}

function fileDiff({ path, before, after }: FileChange): string {
  const mode = after === null ? "deleted file mode 100644\n" : "";
  const head = `diff --git a/${path} b/${path}\n${mode}`;
  const target = after === null ? "/dev/null" : `b/${path}`;
  const lines = editsOf(linesOf(before), linesOf(after ?? ""));
  if (lines.length === 0) return head; // An empty file goes without a hunk.
  return `${head}--- a/${path}\n+++ ${target}\n${hunksOf(lines).join("")}`;
}

/** Each line keeps its end, so that one without is told apart. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

interface Edit {
  sign: " " | "-" | "+";
  line: string;
}

function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  const classes = new Map<string, number>();
  const classOf = (line: string) => {
    const known = classes.get(line) ?? classes.size;
    classes.set(line, known);
    return known;
  };
  const matches = commonSubsequence(before.map(classOf), after.map(classOf), { left: MAX_CELLS });
  const edits: Edit[] = [];
  let [left, right] = [0, 0];
  for (const [a, b] of [...matches, [before.length, after.length] as const]) {
    while (left < a) edits.push({ sign: "-", line: before[left++] ?? "" });
    while (right < b) edits.push({ sign: "+", line: after[right++] ?? "" });
    if (a < before.length) edits.push({ sign: " ", line: before[left++] ?? "" });
    right++;
  }
  return edits;
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let [oldLine, newLine] = [1, 1];
  let at = 0;
  for (const [start, end] of rangesOf(edits)) {
    for (; at < start; at++) [oldLine, newLine] = [oldLine + 1, newLine + 1];
    const part = edits.slice(start, end);
    const oldCount = part.filter(({ sign }) => sign !== "+").length;
    const newCount = part.filter(({ sign }) => sign !== "-").length;
    const place = (line: number, count: number) => `${count === 0 ? line - 1 : line},${count}`;
    hunks.push(
      `@@ -${place(oldLine, oldCount)} +${place(newLine, newCount)} @@\n${part.map(told).join("")}`,
    );
    [oldLine, newLine, at] = [oldLine + oldCount, newLine + newCount, end];
  }
  return hunks;
}

/** Where edits are, with the lines around them; ranges that touch are one. */
function rangesOf(edits: readonly Edit[]): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  edits.forEach(({ sign }, index) => {
    if (sign === " ") return;
    const start = Math.max(0, index - CONTEXT_LINES);
    const end = Math.min(edits.length, index + CONTEXT_LINES + 1);
    const last = ranges.at(-1);
    if (last && start <= last[1]) last[1] = end;
    else ranges.push([start, end]);
  });
  return ranges;
}

function told({ sign, line }: Edit): string {
  return line.endsWith("\n") ? sign + line : `${sign}${line}\n\\ No newline at end of file\n`;
}
