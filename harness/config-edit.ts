/**
 * Takes entries out of the text of a configuration file, and the imports that only they used.
 *
 * Only what stands in the file as an object literal can be taken out. A configuration that is
 * computed is refused: a patch that guesses is worse than none.
 */
import { TwintrackError } from "../core/error.ts";
import { type Property, propertiesOf, skipLexeme } from "./object-literal.ts";

export interface ConfigEdit {
  text: string;
  /** Relative modules that the configuration imports no longer. */
  droppedImports: string[];
}

/** A property by its path: `["flows", "refunds", "legacy"]`. */
export type EntryPath = readonly [string, ...string[]];

/**
 * `entries` have to go; `idle` ones do nothing any more, and stay where they do not stand as a literal.
 *
 * @throws {TwintrackError} `STAGE_REFUSED` naming the entry that is not found, or found twice.
 */
export function withoutEntries(
  file: string,
  text: string,
  entries: readonly EntryPath[],
  idle: readonly EntryPath[] = [],
): ConfigEdit {
  const cuts = [
    ...entries.map((path) => cutOf(file, text, path)),
    ...idle.flatMap((path) => placesOf(file, text, path).map((place) => cutAround(text, place))),
  ];
  const cut = applyCuts(text, cuts);
  return withoutUnusedImports(cut, cuts.map(({ start, end }) => text.slice(start, end)).join("\n"));
}

function refused(file: string, why: string): TwintrackError {
  return new TwintrackError("STAGE_REFUSED", `${file} cannot be edited: ${why}`, {
    hint: "Retire without --patch, and take out by hand what it lists.",
  });
}

interface Cut {
  start: number;
  end: number;
}

/** A property and those that stand beside it. */
interface Place {
  entry: Property;
  owner: readonly Property[];
}

function cutOf(file: string, code: string, path: EntryPath): Cut {
  const [only, ...others] = placesOf(file, code, path);
  if (only && others.length === 0) return cutAround(code, only);
  const where = path.join(".");
  throw refused(file, `${where} does not stand in it ${only ? "only once" : "as a literal"}`);
}

/** Several where a condition decides; none where it is computed. */
function placesOf(file: string, code: string, path: EntryPath): Place[] {
  let literals = [rootLiteral(file, code)];
  let places: Place[] = [];
  for (const name of path) {
    places = literals.flatMap((open) => {
      const owner = propertiesOf(code, open) ?? [];
      const entry = owner.find((property) => property.name === name);
      return entry ? [{ entry, owner }] : [];
    });
    const [only] = places;
    if (!only || places.length > 1) return places;
    literals = literalsOf(code, only.entry);
  }
  return places;
}

/** The object in `export default defineConfig({ … })` or `export default { … }`. */
function rootLiteral(file: string, code: string): number {
  const head = /export\s+default\s+(?:[\w$.]+\s*\(\s*)?\{/.exec(code);
  if (head) return head.index + head[0].length - 1;
  throw refused(file, "it does not end in export default defineConfig({ … })");
}

/** The literal that is a property's value, and those that it spreads, on either side of a condition. */
function literalsOf(code: string, { valueStart, end }: Property): number[] {
  if (code[valueStart] !== "{") return [];
  const spread = (propertiesOf(code, valueStart) ?? [])
    .filter(({ name, start }) => name === undefined && code.startsWith("...", start))
    .flatMap((property) => literalsWithin(code, property.start, property.end));
  return end > valueStart ? [valueStart, ...spread] : [];
}

function literalsWithin(code: string, start: number, end: number): number[] {
  const found: number[] = [];
  for (let at = start; at < end; ) {
    if (code[at] === "{") found.push(at);
    at = code[at] === "(" ? at + 1 : (skipLexeme(code, at) ?? end);
  }
  return found;
}

/** With its comma, and with its lines where it has them for itself. */
function cutAround(code: string, { owner, entry: { start, end } }: Place): Cut {
  const comma = /\s*,/y;
  comma.lastIndex = end;
  const after = comma.exec(code) ? comma.lastIndex : end;
  const lineStart = code.lastIndexOf("\n", start - 1) + 1;
  const rest = /[ \t]*(?:\n|$)/y;
  rest.lastIndex = after;
  if (code.slice(lineStart, start).trim() === "" && rest.exec(code)) {
    return { start: lineStart, end: rest.lastIndex };
  }
  const index = owner.findIndex((property) => property.start === start);
  const next = owner[index + 1];
  if (next) return { start, end: next.start };
  return { start: owner[index - 1]?.end ?? start, end: after };
}

/** Neighbours in one line overlap: each takes the comma between them. */
function applyCuts(text: string, cuts: readonly Cut[]): string {
  let [kept, at] = ["", 0];
  for (const { start, end } of cuts.toSorted((left, right) => left.start - right.start)) {
    kept += text.slice(at, Math.max(at, start));
    at = Math.max(at, end);
  }
  return kept + text.slice(at);
}

const IMPORT = /^import\s+(?!type\b)([^"';]+?)\s+from\s+["']([^"']+)["'];?[ \t]*\n/gm;

/** An import goes when what was cut used its name and nothing that is left does. */
function withoutUnusedImports(text: string, cut: string): ConfigEdit {
  const body = withoutComments(text.replace(IMPORT, ""));
  const droppedImports: string[] = [];
  const isGone = (name: string) => uses(cut, name) && !uses(body, name);
  const edited = text.replace(IMPORT, (statement, clause: string, module: string) => {
    const parts = partsOf(clause);
    const left = parts.filter(({ name }) => !isGone(name));
    if (left.length === parts.length) return statement;
    if (left.length > 0) return statement.replace(clause, () => clauseOf(left));
    if (module.startsWith(".")) droppedImports.push(module);
    return "";
  });
  const dynamic = [...cut.matchAll(/import\(\s*["'`](\.[^"'`]+)["'`]\s*\)/g)];
  droppedImports.push(...dynamic.flatMap(([, module]) => module ?? []));
  return { text: edited, droppedImports };
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|(^|[^:])\/\/[^\n]*/g, "$1");
}

function uses(code: string, name: string): boolean {
  return new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$])`).test(code);
}

interface ImportPart {
  /** The name by which the file calls it. */
  name: string;
  text: string;
  isNamed: boolean;
}

function partsOf(clause: string): ImportPart[] {
  const [, named = ""] = /\{([\s\S]*)\}/.exec(clause) ?? [];
  const whole = clause.replace(/\{[\s\S]*\}/, "").split(",");
  const parts = [
    ...whole.map((text) => ({ text: text.trim(), isNamed: false })),
    ...named.split(",").map((text) => ({ text: text.trim(), isNamed: true })),
  ].filter(({ text }) => text !== "");
  return parts.map((part) => ({ ...part, name: part.text.split(/\s+/).at(-1) ?? part.text }));
}

function clauseOf(parts: readonly ImportPart[]): string {
  const whole = parts.filter(({ isNamed }) => !isNamed).map(({ text }) => text);
  const named = parts.filter(({ isNamed }) => isNamed).map(({ text }) => text);
  return [...whole, ...(named.length > 0 ? [`{ ${named.join(", ")} }`] : [])].join(", ");
}
