/** Why a call of a shadow run is not answered, in both languages' words. */
import { TwintrackError } from "./error.ts";

export function writeRefused(tool: string): TwintrackError {
  return new TwintrackError(
    "EFFECT_REFUSED",
    `${tool} is a write that the other side did not make; it was not executed`,
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
