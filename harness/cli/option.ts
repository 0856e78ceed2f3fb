/** Values of options, checked before anything is started. */
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

export const MAX_PORT = 65_535;
/** The longest wait a timer of Node can count. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;
