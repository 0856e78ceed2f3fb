/** Trials that nobody could judge. */
import { TwintrackError } from "../core/error.ts";
import { serializeError } from "../core/outcome.ts";
import type { Privacy } from "./privacy/privacy.ts";
import { protectTrial } from "./privacy/protect.ts";
import type { Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { OpenTrial } from "./store/trials.ts";
import { judgeTrial } from "./trial.ts";

/**
 * Judges a trial; one that cannot be opened, or that no side can be opened for, is incomparable.
 *
 * @param onLost takes what was thrown, before that becomes a verdict
 */
export async function judgeOrLose(
  trial: OpenTrial,
  sides: Sides,
  privacy: Privacy,
  onLost?: (thrown: unknown) => void,
): Promise<JudgedTrial> {
  return judgeTrial(trial, sides, privacy).catch((thrown: unknown) => {
    onLost?.(thrown);
    return protectTrial(lostTrial(trial, "incomparable", reasonOf(thrown)), privacy);
  });
}

/** The judgement of a trial whose judge died, or that could not be judged at all. */
export function lostTrial(
  trial: OpenTrial,
  verdict: "candidate_error" | "candidate_timeout" | "incomparable" | "not_run",
  reason: string,
): JudgedTrial {
  return {
    id: trial.id,
    flow: trial.flow,
    verdict,
    reason,
    noiseVerdict: null,
    flowHash: null,
    truncated: false,
    effectDifferences: 0,
    contractViolations: 0,
    trace: null,
    alignment: null,
    rules: null,
    runs: [],
    legacyTools: [],
    differences: [],
    divergences: [],
  };
}

/** Why a trial could not be judged, in a few words for the report. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof TwintrackError && UNOPENED.includes(thrown.code))
    return thrown.code.toLowerCase();
  return thrown instanceof TwintrackError
    ? `${thrown.code}: ${thrown.message}`
    : serializeError(thrown).message;
}

/** The message would only name the trial itself. */
const UNOPENED: readonly string[] = ["KEY_UNKNOWN", "SEAL_BROKEN", "PAYLOAD_GONE"];
