/** Whom a trial is about, as a digest: so that a person's trials are found without storing who it is. */
import { rounded } from "../../core/long-integer.ts";
import { infoOf } from "../../core/run-config.ts";
import type { Sent } from "../../core/trigger.ts";
import type { FlowConfig } from "../flow-config.ts";
import type { Privacy } from "./privacy.ts";

/** Undefined when the flow does not say, or its function fails: an answer never depends on it. */
export function subjectIn(
  flow: string,
  { subject }: FlowConfig,
  { input, config }: Sent,
  privacy: Privacy,
): string | undefined {
  if (!subject) return undefined;
  try {
    const whom: unknown = subject(rounded(input), infoOf(config).config);
    return typeof whom === "string" && whom !== "" ? privacy.subject(flow, whom) : undefined;
  } catch {
    return undefined;
  }
}
