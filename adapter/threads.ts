/**
 * The threads of one LangGraph checkpointer, as one run knows them.
 *
 * In a live run what is read is recorded, until the run itself writes there. In recorded mode
 * LangGraph's own `MemorySaver` stands in, one for each run and checkpointer: it holds the recorded
 * checkpoints and whatever the run writes.
 */
import { canonicalText } from "../core/json.ts";
import {
  type Config,
  checkpointSource,
  checkpointsSource,
  configOf,
  deltasSource,
  gathered,
  type ListOptions,
  type Place,
  placeOf,
  type Tuple,
  wholeOf,
} from "./checkpoint-source.ts";
import { type DeltaHistories, extended, unseeded } from "./delta-history.ts";
import { insideMemory, type Memory } from "./memory.ts";
import { type Serde, typed } from "./serde.ts";

type GetTuple = [config: Config];
type List = [config: Config, options?: ListOptions];
type Put = [config: Config, checkpoint: Tuple["checkpoint"], ...rest: unknown[]];
type PutWrites = [config: Config, writes: [string, unknown][], taskId: string];
type DeleteThread = [threadId: string];
type GetDeltas = [asked: { config: Config; channels: string[] }];

/** LangGraph's `BaseCheckpointSaver`. */
export interface Saver {
  serde: Serde;
  getTuple(...args: GetTuple): Promise<Tuple | undefined>;
  list(...args: List): AsyncIterable<Tuple>;
  put(...args: Put): Promise<Config>;
  putWrites(...args: PutWrites): Promise<void>;
  deleteThread(...args: DeleteThread): Promise<void>;
  /** Not in older versions. */
  getDeltaChannelHistory?(...args: GetDeltas): Promise<DeltaHistories>;
}

export type NewSaver = new (serde: Serde) => Saver;

/** The methods of a {@link Saver}, each with the way to the checkpointer itself. */
export class Threads implements Record<Exclude<keyof Saver, "serde">, unknown> {
  readonly #saver: Saver;
  readonly #memory: Memory;
  readonly #numbered: { saver: number; serde: Serde };
  /** Absent in a live run. */
  readonly #overlay: Saver | undefined;
  /** Places that need not be read any more: they were, or this run wrote there. */
  readonly #known = new Set<string>();
  /** Ids of the checkpoints that this run wrote, and of those that it read. */
  readonly #own = new Set<string>();
  readonly #read = new Set<string>();
  readonly #deleted = new Set<string>();

  constructor(saver: Saver, memory: Memory, MemorySaver: NewSaver) {
    const { serde } = saver;
    this.#saver = saver;
    this.#memory = memory;
    this.#numbered = { saver: memory.ordinal("saver"), serde };
    this.#overlay = memory.isolated ? new MemorySaver(typed(serde)) : undefined;
  }

  async getTuple(
    [config]: GetTuple,
    live: () => Promise<Tuple | undefined>,
  ): Promise<Tuple | undefined> {
    const place = placeOf(config);
    const overlay = this.#overlay;
    const isKnown =
      this.#deleted.has(String(place.thread_id)) ||
      this.#known.has(textOf(place)) ||
      this.#isNew(config);
    if (isKnown && !overlay) return live();
    if (!isKnown) {
      const tuple = await this.#memory.before(checkpointSource(this.#numbered, place, live));
      this.#know(place);
      if (tuple) this.#know(placeOf(tuple.config));
      if (tuple) this.#read.add(tuple.checkpoint.id);
      if (!overlay) return tuple;
      if (tuple) await insideMemory(() => lay(tuple, overlay));
    }
    return overlay && insideMemory(() => overlay.getTuple(configOf(place)));
  }

  /** What this run wrote comes before what was there: LangGraph's ids grow with time. */
  async *list([config, options]: List, live: () => AsyncIterable<Tuple>): AsyncGenerator<Tuple> {
    const overlay = this.#overlay;
    if (!overlay) return yield* this.#recorded(config, options, live());
    const { limit = Number.POSITIVE_INFINITY, ...others } = options ?? {};
    const held = await insideMemory(() => gathered(overlay.list(config, others)));
    const own = held.filter(({ checkpoint }) => this.#own.has(checkpoint.id));
    const source = checkpointsSource(this.#numbered, config, options, () => wholeOf(live()));
    const { tuples, whole } = this.#deleted.has(String(config.configurable?.thread_id))
      ? { tuples: [], whole: true }
      : await this.#memory.before(source);
    yield* [...own, ...tuples].slice(0, limit);
    if (!whole && own.length + tuples.length < limit) this.#memory.unrecorded(source);
  }

  async getDeltaChannelHistory(
    [{ config, channels }]: GetDeltas,
    live: () => Promise<DeltaHistories>,
  ): Promise<DeltaHistories> {
    const place = placeOf(config);
    const { checkpoint_id: id } = place;
    const isOwn =
      this.#deleted.has(String(place.thread_id)) ||
      (id === undefined ? this.#known.has(textOf(place)) : this.#own.has(id));
    if (!isOwn) return this.#memory.before(deltasSource(this.#numbered, place, channels, live));
    return this.#overlay ? this.#deltasAbove(place, channels) : live();
  }

  /** From a checkpoint of this run upwards; the saver's methods are ours, and answer for those above. */
  async #deltasAbove(place: Place, channels: string[]): Promise<DeltaHistories> {
    const parent = (await this.#saver.getTuple(configOf(place)))?.parentConfig;
    const above = parent && (await this.#saver.getTuple(parent));
    const left = above ? unseeded(above, channels) : [];
    const earlier =
      above && left.length > 0
        ? await this.#saver.getDeltaChannelHistory?.({ config: above.config, channels: left })
        : {};
    return extended(above, earlier ?? {}, channels);
  }

  put([config, checkpoint, ...rest]: Put, live: () => Promise<Config>): Promise<Config> {
    const { checkpoint_id: _, ...thread } = placeOf(config);
    this.#know({ ...thread, checkpoint_id: checkpoint.id });
    this.#own.add(checkpoint.id);
    return this.#write((overlay) => overlay.put(config, checkpoint, ...rest), live);
  }

  putWrites(args: PutWrites, live: () => Promise<void>): Promise<void> {
    return this.#write((overlay) => overlay.putWrites(...args), live);
  }

  deleteThread([threadId]: DeleteThread, live: () => Promise<void>): Promise<void> {
    this.#deleted.add(threadId);
    return this.#write((overlay) => overlay.deleteThread(threadId), live);
  }

  #write<T>(work: (overlay: Saver) => T, live: () => T): T {
    const overlay = this.#overlay;
    return overlay ? insideMemory(() => work(overlay)) : live();
  }

  /**
   * A graph inside a graph is named after its task, and that after the checkpoint around it: below a
   * checkpoint that this run did not read, but made, nothing can have been before.
   */
  #isNew({ configurable = {} }: Config): boolean {
    const { checkpoint_ns: namespace = "", checkpoint_map: around = {} } = configurable;
    const names = namespace.split("|");
    if (!names.pop()?.includes(":")) return false;
    const parent = around[names.join("|")];
    return parent !== undefined && !this.#read.has(parent);
  }

  #know(place: Place): void {
    const { checkpoint_id: _, ...newest } = place;
    this.#known.add(textOf(place)).add(textOf(newest));
  }

  /** A reader that leaves early leaves a record that is not whole. */
  async *#recorded(
    config: Config,
    options: ListOptions | undefined,
    tuples: AsyncIterable<Tuple>,
  ): AsyncGenerator<Tuple> {
    const seen = { tuples: [] as Tuple[], whole: false };
    try {
      for await (const tuple of tuples) {
        if (!this.#own.has(tuple.checkpoint.id)) seen.tuples.push(tuple);
        yield tuple;
      }
      seen.whole = true;
    } finally {
      await this.#memory.before(checkpointsSource(this.#numbered, config, options, () => seen));
    }
  }
}

function textOf(place: Place): string {
  return canonicalText({ ...place });
}

/** Puts a recorded checkpoint back, by the public methods that every version of the saver has. */
async function lay(tuple: Tuple, overlay: Saver): Promise<void> {
  const { checkpoint, metadata = {}, parentConfig, pendingWrites = [] } = tuple;
  const { checkpoint_id: _, ...thread } = placeOf(tuple.config);
  // Of an older form the saver would look for parts in the parent, which is not here.
  const parent = checkpoint.v < 4 ? undefined : parentConfig?.configurable?.checkpoint_id;
  const place = configOf({ ...thread, ...(parent ? { checkpoint_id: parent } : {}) });
  const config = await overlay.put(place, checkpoint, metadata, checkpoint.channel_versions);
  for (const [taskId, writes] of Map.groupBy(pendingWrites, ([task]) => task)) {
    const pairs = writes.map(([, channel, value]): [string, unknown] => [channel, value]);
    await overlay.putWrites(config, pairs, taskId);
  }
}
