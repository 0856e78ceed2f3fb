/**
 * What LangGraph rebuilds a `DeltaChannel` from (beta): for each channel the value that the nearest
 * checkpoint above holds, and what was written since. Read below a checkpoint that the run itself
 * wrote, it is what was above, and one step more.
 */

export type Write = [taskId: string, channel: string, value: unknown];

interface DeltaHistory {
  /** The oldest first. */
  writes: Write[];
  /** Absent when no checkpoint above holds the channel: it starts empty. */
  seed?: unknown;
}

/** By channel. */
export type DeltaHistories = Record<string, DeltaHistory>;

/** The checkpoint above, as far as a history is made of it. */
interface Above {
  checkpoint: { channel_values?: Record<string, unknown> };
  pendingWrites?: Write[];
}

/** Channels of which a checkpoint does not hold the value itself. */
export function unseeded({ checkpoint }: Above, channels: readonly string[]): string[] {
  return channels.filter((channel) => !Object.hasOwn(checkpoint.channel_values ?? {}, channel));
}

/** @param earlier the histories of `above` itself, for the channels that it does not hold */
export function extended(
  above: Above | undefined,
  earlier: DeltaHistories,
  channels: readonly string[],
): DeltaHistories {
  return Object.fromEntries(
    channels.map((channel) => {
      const values = above?.checkpoint.channel_values ?? {};
      const { writes, ...seed } = Object.hasOwn(values, channel)
        ? { writes: [], seed: values[channel] }
        : (earlier[channel] ?? { writes: [] });
      return [channel, { writes: [...writes, ...writesOf(above, channel)], ...seed }];
    }),
  );
}

/** By task, as every saver gives them. */
function writesOf(above: Above | undefined, channel: string): Write[] {
  const writes = (above?.pendingWrites ?? []).filter(([, written]) => written === channel);
  return writes.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}
