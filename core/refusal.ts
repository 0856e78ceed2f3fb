/** Why a call of a shadow run is not answered, in both languages' words. */
import { TwintrackError } from "./error.ts";

/** @param others where its arguments differ from those of a call that the other side made. */
export function writeRefused(tool: string, others: readonly string[] = []): TwintrackError {
  const made =
    others.length > 0 ? `made with other arguments (${others.join(", ")})` : "did not make";
  const hint =
    others.length > 0
      ? `What may differ, a rule says: { path: "${others[0]}", ignore: true, reason: … }.`
      : "A step that takes the place of another tool's call says so: legacy: { tool, args }.";
  return new TwintrackError(
    "EFFECT_REFUSED",
    `${tool} is a write that the other side ${made}; it was not executed`,
    { hint },
  );
}

export function readUnrecorded(tool: string): TwintrackError {
  return new TwintrackError(
    "READ_UNRECORDED",
    `${tool} was not called with these arguments by the other side`,
    { hint: 'Allow it with shadow: { reads: "live" }, or answer it with reads: { snapshot }.' },
  );
}

export function recordLossy(tool: string): TwintrackError {
  return new TwintrackError(
    "RECORDING_LOSSY",
    `${tool} returned a value that JSON cannot hold, so its record cannot stand in for it`,
    { hint: "Return plain data from the tool." },
  );
}
