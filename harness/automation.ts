/** What of a flow's stage may change without a person, as the configuration says it. */
import { z } from "zod";
import type { Policy } from "./criterion.ts";
import { POLICY_NAMES } from "./gate.ts";

export interface AutoDemote {
  /** How far back a breach is looked for. Default 24. */
  windowHours?: number;
  /** How long nobody may promote afterwards, except with `--override`. Default 24. */
  cooldownHours?: number;
}

export interface AutoPromote {
  /** How far: never past `canary` unless it says `cutover`. */
  to: "canary" | "cutover";
  /** Largest share of a canary. Default 5. */
  percent?: number;
}

export interface GateConfig extends Policy {
  /** Back to `shadow` by itself when recent trials breach a limit while the candidate answers. */
  autoDemote?: boolean | AutoDemote;
  /** Up the ladder by itself while the gate is open and every hold is over. */
  autoPromote?: AutoPromote;
}

/** The limits alone: what the gate knows. */
export function policyOf({ autoDemote: _, autoPromote: __, ...policy }: GateConfig = {}): Policy {
  return policy;
}

export function autoDemoteOf({ autoDemote }: GateConfig = {}): Required<AutoDemote> | undefined {
  if (!autoDemote) return undefined;
  const { windowHours = 24, cooldownHours = 24 } = autoDemote === true ? {} : autoDemote;
  return { windowHours, cooldownHours };
}

const hours = z.number().nonnegative().optional();

const limits = Object.fromEntries(
  POLICY_NAMES.map((name) => [name, z.number().nonnegative().optional()]),
);

export const gateShape = z.strictObject({
  ...limits,
  autoDemote: z
    .union([z.boolean(), z.strictObject({ windowHours: hours, cooldownHours: hours })])
    .optional(),
  autoPromote: z
    .strictObject({
      to: z.enum(["canary", "cutover"]),
      percent: z.number().positive().max(100).optional(),
    })
    .optional(),
});
