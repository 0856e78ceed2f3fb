/** What a command says: data on stdout, talk on stderr, and an exit code that scripts can trust. */
import { ERROR_CODES, isTwintrackError, messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Difference } from "../compare/difference.ts";

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  /** Divergence found, gate closed, contract drift. */
  divergence: 3,
  undecided: 4,
  dependencyDown: 5,
  refused: 6,
  interrupted: 130,
} as const;

export interface Reply {
  /** `gate` gives the schema name `twintrack/gate@1`. */
  command: string;
  exitCode: number;
  data: JsonValue;
  warnings?: string[];
  /** Commands that make sense now. */
  next?: string[];
  /** The command serves until a signal ends it. */
  keepsRunning?: boolean;
}

/** The JSON document of a reply. */
export function documentOf({
  command,
  exitCode,
  data,
  warnings = [],
  next = [],
}: Reply): JsonValue {
  return { schema: `twintrack/${command}@1`, ok: exitCode === EXIT.ok, data, warnings, next };
}

export function exitCodeOf(error: unknown): number {
  return isTwintrackError(error) ? ERROR_CODES[error.code].exitCode : EXIT.unexpected;
}

/** The JSON document of a failure. */
export function errorDocument(error: unknown): JsonValue {
  const code = isTwintrackError(error) ? error.code : "UNEXPECTED";
  const hint = isTwintrackError(error) ? (error.hint ?? null) : null;
  return {
    error: { code, message: messageOf(error), hint, docs: "README.md#error-codes" },
  };
}

/** The failure in words: what happened, and the command that fixes it. */
export function errorText(error: unknown, verbose: boolean): string {
  if (!isTwintrackError(error)) {
    const stack = error instanceof Error ? error.stack : undefined;
    return `error: ${verbose && stack ? stack : messageOf(error)}`;
  }
  const known: TwintrackError = error;
  const lines = [
    `error ${known.code}: ${known.message}`,
    ...(known.hint ? [`  fix: ${known.hint}`] : []),
  ];
  return [...lines, ...(verbose && known.stack ? [known.stack] : [])].join("\n");
}

/** One line each: kind, path, both values, and the rule that excuses it. */
export function differenceTable(differences: readonly Difference[]): string {
  return table(
    differences.map(({ kind, path, legacy, candidate, rule }) => [
      ...[kind, path || "(root)", shown(legacy), "→", shown(candidate), rule ?? ""],
    ]),
  );
}

/** A value in one short line; `-` for one that is not there. */
function shown(value: JsonValue | undefined): string {
  return value === undefined ? "-" : JSON.stringify(value).slice(0, 60);
}

/** Left-aligned columns; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** @throws {TwintrackError} `USAGE` naming the argument. */
export function textOf(args: JsonObject, name: string): string {
  const value = args[name];
  if (typeof value === "string" && value !== "") return value;
  throw new TwintrackError("USAGE", `--${name} is missing`, { hint: `Add --${name} "…".` });
}
