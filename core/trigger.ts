import type { JsonValue } from "./json.ts";
import type { RunConfig } from "./run-config.ts";

export type TriggerSource = "http" | "cron" | "queue" | "mcp" | "replay" | "library" | "tap";

/** One request to run a flow. */
export interface Trigger {
  /** Unique per flow; the caller's `Idempotency-Key` when it sent one. */
  id: string;
  flow: string;
  input: JsonValue;
  config?: RunConfig;
  source: TriggerSource;
  /** ISO 8601, UTC. */
  receivedAt: string;
}

/** What the caller said. */
export type Sent = Pick<Trigger, "input" | "config">;

export type Side = "legacy" | "candidate";

export type Stage = "legacy" | "shadow" | "canary" | "cutover" | "retired";

export const STAGES: readonly Stage[] = ["legacy", "shadow", "canary", "cutover", "retired"];
