/** Why a module of the user's does not load, and where: Node keeps the place of most errors to itself. */
import { spawnSync } from "node:child_process";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { permitEgress } from "../adapter/egress.ts";
import { messageOf } from "../core/error.ts";
import { reach, textOf } from "./source-files.ts";

export interface ImportProblem {
  /** What happened, with file, line and column where they can be known. */
  what: string;
  hint: string;
}

/**
 * @param files where to look for an error of syntax, with all that they import.
 */
export function importProblem(cause: unknown, files: readonly string[]): ImportProblem {
  const place = placeOf(cause, files);
  const what = messageOf(cause);
  return { what: place === undefined ? what : `${what} (${place})`, hint: hintFor(cause, place) };
}

/** The things that native type stripping trips over. */
function hintFor(cause: unknown, place: string | undefined): string {
  const code = codeOf(cause);
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX")
    return `Node strips types only: replace enum, namespace and parameter properties. ${OR_TSX}`;
  if (code === "ERR_MODULE_NOT_FOUND")
    return `Imports need their file ending (./tools.ts), and packages must be installed. ${OR_TSX}`;
  return place === undefined ? "Run node on the file to see where." : `Correct ${place}.`;
}

/** It also takes imports that end in `.js`, and the paths of `tsconfig.json`. */
const OR_TSX = 'Or install tsx and set NODE_OPTIONS="--import tsx".';

function codeOf(cause: unknown): unknown {
  return (cause as { code?: unknown } | null)?.code;
}

/** `file:line:column` */
function placeOf(cause: unknown, files: readonly string[]): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const stack = String(cause.stack);
  return excerptPlace(stack) ?? framePlace(stack) ?? syntaxPlace(cause, files);
}

/** Above the stack Node may show the line, with carets below the column. */
function excerptPlace(stack: string, file?: string): string | undefined {
  const match = /^((?:\/|file:|\[|[A-Z]:)[^\n]*):(\d+)\n(?:(?:[^\n]*\n){1,2}?( *)\^)?/.exec(stack);
  if (!match) return undefined;
  const [, named = "", line = "", blanks] = match;
  const column = blanks === undefined ? "" : `:${blanks.length + 1}`;
  return `${file ?? pathOf(named)}:${line}${column}`;
}

function framePlace(stack: string): string | undefined {
  const frames = stack.matchAll(/at (?:.*\()?(file:\/\/[^\n)]+):(\d+):(\d+)\)?$/gm);
  for (const [, url = "", line, column] of frames) {
    const isTheirs = !url.includes("/node_modules/") && !url.startsWith(OURS);
    if (isTheirs) return `${pathOf(url)}:${line}:${column}`;
  }
  return undefined;
}

const OURS = new URL("..", import.meta.url).href;

function pathOf(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

/** V8 says nothing of where in a module it stopped; Node does when it only checks one. */
function syntaxPlace(cause: Error, files: readonly string[]): string | undefined {
  if (cause.name !== "SyntaxError") return undefined;
  const reached = new Set<string>();
  for (const file of files) reach(file, reached, []);
  for (const file of reached) {
    const input = codeIn(file);
    const check = ["--check", "--input-type=module", "-"];
    const { status, stderr } = permitEgress(() =>
      spawnSync(process.execPath, check, { input, encoding: "utf8" }),
    );
    if (status !== 0) return excerptPlace(stderr, file);
  }
  return undefined;
}

/** As Node runs it: types are blanked out, so that every place stays where it is. */
function codeIn(file: string): string {
  const text = textOf(file) ?? "";
  if (!/\.[cm]?ts$/.test(file)) return text;
  const { emitWarning } = process;
  try {
    process.emitWarning = () => undefined; // Of an experimental feature, in the middle of an error.
    return stripTypeScriptTypes(text);
  } catch {
    return ""; // Such an error has its place already.
  } finally {
    process.emitWarning = emitWarning;
  }
}
