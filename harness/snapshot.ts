/** Reads that the other side did not make, answered from the world as it was when it answered. */
import { messageOf, TwintrackError } from "../core/error.ts";
import { type JsonValue, toJson } from "../core/json.ts";

/**
 * The answer that a read had at that time, as the tool returns it; undefined: this is not known.
 *
 * @param tool name in the catalogue, for example `billing.find_order`
 * @param args after the schema's defaults and coercions
 * @param at when the trigger was received
 */
export type Snapshot = (
  tool: string,
  args: JsonValue,
  at: Date,
) => JsonValue | undefined | Promise<JsonValue | undefined>;

/** The snapshot of one trial. */
export interface Past {
  /** @throws {TwintrackError} `READ_UNRECORDED` when the snapshot does not hold it, or fails. */
  read(tool: string, args: JsonValue): Promise<JsonValue>;
  /** Why the run says nothing of its side: the snapshot failed, which is no failure of the run. */
  failed(): string | undefined;
}

export function pastAt(snapshot: Snapshot, at: Date): Past {
  let failed: string | undefined;
  const waiting = new Set<{ tool: string }>();
  const ask = async (tool: string, args: JsonValue) => {
    const read = { tool };
    waiting.add(read);
    try {
      return plain(await snapshot(tool, structuredClone(args), new Date(at)));
    } catch (cause) {
      failed ??= `${tool}: ${messageOf(cause)}`;
      throw unread(`The snapshot failed at ${tool}: ${messageOf(cause)}`, cause);
    } finally {
      waiting.delete(read);
    }
  };
  return {
    failed() {
      const [late] = waiting;
      const problem = failed ?? (late && `${late.tool}: it did not answer`);
      return problem && `snapshot_failed: ${problem}`;
    },
    async read(tool, args) {
      const answer = await ask(tool, args);
      if (answer === undefined) throw unread(`The snapshot does not hold this read of ${tool}`);
      return answer;
    },
  };
}

function plain(answer: unknown): JsonValue | undefined {
  if (answer === undefined) return undefined;
  const { value, lossy } = toJson(answer);
  if (!lossy) return value;
  throw new TypeError("it answered with a value that JSON cannot hold");
}

function unread(message: string, cause?: unknown): TwintrackError {
  return new TwintrackError("READ_UNRECORDED", message, {
    cause,
    hint: "Let shadow: { reads: { snapshot } } answer it, or undefined where it does not know.",
  });
}
