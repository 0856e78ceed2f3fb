/** Reads of a LangGraph checkpointer, named and in the form in which they are recorded. */
import type { JsonObject, JsonValue } from "../core/json.ts";
import type { DeltaHistories, Write } from "./delta-history.ts";
import type { Source } from "./memory.ts";
import { packed, type Serde, unpacked } from "./serde.ts";

export interface Config {
  configurable?: {
    thread_id?: unknown;
    checkpoint_ns?: string;
    checkpoint_id?: string;
    /** Of a graph inside a graph: the checkpoints of those around it, by namespace. */
    checkpoint_map?: Record<string, string>;
    __pregel_checkpointer?: unknown;
  };
  store?: unknown;
}

export interface Tuple {
  config: Config;
  checkpoint: {
    id: string;
    v: number;
    channel_versions: object;
    channel_values?: Record<string, unknown>;
  };
  metadata?: unknown;
  parentConfig?: Config;
  pendingWrites?: Write[];
}

export interface ListOptions {
  limit?: number;
  before?: Config;
  filter?: object;
}

/** A checkpoint; without its id the newest one of a thread. */
export interface Place {
  thread_id?: JsonValue;
  checkpoint_ns: string;
  checkpoint_id?: string;
}

/** A checkpointer of a run: its number among them, and how it stores values. */
interface Numbered {
  saver: number;
  serde: Serde;
}

export function checkpointSource(
  { saver, serde }: Numbered,
  place: Place,
  live: () => Promise<Tuple | undefined>,
): Source<Tuple | undefined> {
  return {
    kind: "checkpoint",
    key: { saver: saver, ...place },
    live,
    encode: async (tuple) => ({
      value: tuple ? await packed(serde, plain(tuple)) : null,
      lossy: false,
    }),
    decode: async (value) =>
      value === null ? undefined : ((await unpacked(serde, String(value))) as Tuple),
  };
}

export function deltasSource(
  { saver, serde }: Numbered,
  place: Place,
  channels: string[],
  live: () => Promise<DeltaHistories>,
): Source<DeltaHistories> {
  return {
    kind: "deltas",
    key: { saver: saver, ...place, channels },
    live,
    encode: async (histories) => ({ value: await packed(serde, histories), lossy: false }),
    decode: async (value) => (await unpacked(serde, String(value))) as DeltaHistories,
  };
}

export function checkpointsSource(
  { saver, serde }: Numbered,
  config: Config,
  { limit = -1, before, filter = {} }: ListOptions = {},
  live: () => Listed | Promise<Listed>,
): Source<Listed> {
  const earlierThan = before?.configurable?.checkpoint_id ?? null;
  const asked = { limit, before: earlierThan, filter: filter as JsonObject };
  return {
    kind: "checkpoints",
    key: { saver: saver, ...placeOf(config), ...asked },
    live,
    encode: async ({ tuples, whole }) => ({
      value: { tuples: await packed(serde, tuples.map(plain)), whole },
      lossy: false,
    }),
    decode: async (value) => {
      const { tuples, whole } = value as { tuples: string; whole: boolean };
      return { tuples: (await unpacked(serde, tuples)) as Tuple[], whole };
    },
  };
}

export interface Listed {
  tuples: Tuple[];
  whole: boolean;
}

export async function wholeOf(tuples: AsyncIterable<Tuple>): Promise<Listed> {
  return { tuples: await gathered(tuples), whole: true };
}

export async function gathered(tuples: AsyncIterable<Tuple>): Promise<Tuple[]> {
  const all: Tuple[] = [];
  for await (const tuple of tuples) all.push(tuple);
  return all;
}

export function placeOf({ configurable = {} }: Config): Place {
  const { thread_id: thread, checkpoint_ns: namespace = "", checkpoint_id: id } = configurable;
  return {
    ...(thread === undefined ? {} : { thread_id: thread as JsonValue }),
    checkpoint_ns: namespace,
    ...(id ? { checkpoint_id: id } : {}),
  };
}

export function configOf(place: Place): Config {
  return { configurable: { ...place } };
}

/** A caller's configuration may hold anything; of a checkpoint's only the place is its own. */
function plain({ config, parentConfig, ...tuple }: Tuple): Tuple {
  const parent = parentConfig && { parentConfig: configOf(placeOf(parentConfig)) };
  return { ...tuple, config: configOf(placeOf(config)), ...parent };
}
