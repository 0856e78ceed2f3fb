/** Where the processor is short, who answers goes first. */
import { constants, setPriority } from "node:os";

/** Of this process; on Linux, of this thread alone. */
export function yieldToAnswers(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not every system lets a process do that; it is a kindness, no promise.
  }
}
