import type { JsonValue } from "./json.ts";

export type TriggerSource = "http" | "cron" | "queue" | "mcp" | "replay" | "library" | "tap";

/** One request to run a flow. */
export interface Trigger {
  /** Unique per flow; the caller's `Idempotency-Key` when it sent one. */
  id: string;
  flow: string;
  input: JsonValue;
  source: TriggerSource;
  /** ISO 8601, UTC. */
  receivedAt: string;
}

export type Side = "legacy" | "candidate";

export type Stage = "legacy" | "shadow" | "canary" | "cutover" | "retired";

export const STAGES: readonly Stage[] = ["legacy", "shadow", "canary", "cutover", "retired"];
