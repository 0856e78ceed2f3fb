/** Values of options, checked before anything is started. */
import { userInfo } from "node:os";
import { TwintrackError } from "../../core/error.ts";

/** @throws {TwintrackError} `USAGE` naming the option and what it may be. */
export function wholeNumber(option: string, given: string | number, most: number): number {
  const number = Number(given);
  if (String(given).trim() !== "" && Number.isSafeInteger(number) && number >= 0 && number <= most)
    return number;
  throw new TwintrackError("USAGE", `${option} is a whole number up to ${most}, not "${given}"`, {
    hint: `Example: ${option} ${Math.min(most, 4100)}`,
  });
}

/**
 * An instant as ISO 8601 in UTC.
 *
 * @throws {TwintrackError} `USAGE` naming the option.
 */
export function dateOf(option: string, given: string): string {
  if (!Number.isNaN(Date.parse(given))) return new Date(given).toISOString();
  throw new TwintrackError("USAGE", `${option} ${given} is no date`, {
    hint: "Like 2026-11-01, or 2026-11-01T12:00:00Z.",
  });
}

export const MAX_PORT = 65_535;
/** The longest wait a timer of Node can count. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Who changes a stage or decides, unless `--who` says otherwise. */
export function currentUser(): string {
  return process.env.TWINTRACK_USER ?? userInfo().username;
}
