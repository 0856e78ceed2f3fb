/** What a chain read from its memory: sessions, threads and stores that outlive a run. */
import type { JsonValue } from "./json.ts";

export interface MemoryRead {
  /**
   * `messages` of a session, the `variables` of a classic memory, a `checkpoint` of a thread or a list
   * of `checkpoints`, the `deltas` above a checkpoint, `items` of a store.
   */
  kind: "messages" | "variables" | "checkpoint" | "checkpoints" | "deltas" | "items";
  /** Which of them: the session, the thread, what was searched for. */
  key: JsonValue;
  /** As it was before the run wrote. Absent: the same as in the read of this key before this one. */
  value?: JsonValue;
  /** The value lost information when it became JSON: it is never served. */
  lossy?: boolean;
  /** Where JSON cannot tell Python's 1.0 from 1. */
  floats?: string[];
  served: "live" | "refused";
}
