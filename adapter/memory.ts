/**
 * The memory of one chain run: what it reads is recorded, and in recorded mode answered.
 *
 * In a live run memory is LangChain's own; a read is recorded as it was before this run wrote, which
 * those who read see to (chat-history.ts, checkpoint.ts). In recorded mode they lay what the run
 * writes over what was recorded, and nothing reaches the memory itself. What the code of a tool does
 * with memory is a part of that tool, whose answer comes from its own record.
 */
import { TwintrackError } from "../core/error.ts";
import { canonicalText, type JsonConversion, type JsonValue } from "../core/json.ts";
import type { MemoryRead } from "../core/memory.ts";
import type { ChainTools } from "./chain.ts";
import { currentContext, runWithin } from "./context.ts";
import { permitEgress } from "./egress.ts";
import { replaceInherited } from "./patch.ts";

/** One read of memory as it was before the run. */
export interface Source<T> {
  kind: MemoryRead["kind"];
  key: JsonValue;
  live(): T | Promise<T>;
  encode(value: T): JsonConversion | Promise<JsonConversion>;
  decode(value: JsonValue): T | Promise<T>;
}

/** Which read it is. */
type Named = Pick<MemoryRead, "kind" | "key">;

export interface Memory {
  /** In recorded mode: nothing may reach the memory itself. */
  isolated: boolean;
  /** False for what a tool does inside of itself while it really runs. */
  counts(): boolean;
  /** @throws {TwintrackError} `READ_UNRECORDED` or `RECORDING_LOSSY` */
  before<T>(source: Source<T>): Promise<T>;
  /** Gives a read up: this run then says nothing of its side. */
  refuse(read: Named, error: TwintrackError): never;
  /** The same, for one that the first run did not make. */
  unrecorded(read: Named): never;
  /** What this run holds under a name or for an object; no other run has it. */
  held<T>(name: unknown, make: () => T): T;
  /** 0 for the first of its sort that this run used: two runs of one chain count alike. */
  ordinal(sort: string): number;
}

/** A snapshot beyond it is not kept: it would travel with each run. In characters of JSON. */
const MAX_SNAPSHOT_LENGTH = 1024 * 1024;

export function memoryRecorder(
  tools: ChainTools,
  insideTool: () => boolean,
): { memory: Memory; reads(): MemoryRead[] } {
  const reads: MemoryRead[] = [];
  const holdings = new Map<unknown, unknown>();
  const counts = new Map<string, number>();
  const isolated = tools.mode === "recorded";
  const refuse: Memory["refuse"] = ({ kind, key }, error) => {
    const lossy = error.code === "RECORDING_LOSSY" && { lossy: true };
    reads.push({ kind, key, ...lossy, served: "refused" });
    throw error;
  };
  const read = isolated ? answeredFrom(tools, refuse) : recordedInto(reads);
  return {
    memory: {
      isolated,
      counts: () => isolated || !insideTool(),
      before: read,
      refuse,
      unrecorded: (named) => refuse(named, unrecordedRead(named)),
      held<T>(name: unknown, make: () => T) {
        if (!holdings.has(name)) holdings.set(name, make());
        return holdings.get(name) as T;
      },
      ordinal(sort) {
        const ordinal = counts.get(sort) ?? 0;
        counts.set(sort, ordinal + 1);
        return ordinal;
      },
    },
    reads: () => [...reads],
  };
}

type Read = Memory["before"];

function recordedInto(reads: MemoryRead[]): Read {
  const lastTexts = new Map<string, string>();
  let length = 0;
  return async ({ kind, key, live, encode }) => {
    const value = await insideMemory(live);
    const { value: json, lossy } = await encodedOrLossy(() => encode(value));
    const text = JSON.stringify(json);
    const name = nameOf({ kind, key });
    const read: MemoryRead = { kind, key, served: "live" };
    if (lossy || length + text.length > MAX_SNAPSHOT_LENGTH) read.lossy = true;
    else if (lastTexts.get(name) !== text) {
      read.value = json;
      length += text.length;
    }
    lastTexts.set(name, text);
    reads.push(read);
    return value;
  };
}

/** Nothing that goes wrong with a record is the chain's concern. */
async function encodedOrLossy(
  encode: () => JsonConversion | Promise<JsonConversion>,
): Promise<JsonConversion> {
  try {
    return await encode();
  } catch {
    return { value: null, lossy: true };
  }
}

function answeredFrom(
  { memory = [], reads: unrecorded }: Extract<ChainTools, { mode: "recorded" }>,
  refuse: Memory["refuse"],
): Read {
  const recorded = filledIn(memory);
  return async (source) => {
    const known = recorded.get(nameOf(source));
    // Read more often than the first time: memory does not change by itself.
    const read = known && known.length > 1 ? known.shift() : known?.[0];
    if (read === undefined) {
      return unrecorded === "live"
        ? insideMemory(source.live)
        : refuse(source, unrecordedRead(source));
    }
    if (read.lossy || read.value === undefined) return refuse(source, lossyRead(source));
    return source.decode(structuredClone(read.value));
  };
}

/** By name, in the order in which they were made, each with its value. */
function filledIn(reads: readonly MemoryRead[]): Map<string, MemoryRead[]> {
  const byName = new Map<string, MemoryRead[]>();
  for (const read of reads) {
    const name = nameOf(read);
    const earlier = byName.get(name) ?? [];
    const last = earlier.at(-1);
    const same = read.value === undefined && !read.lossy && last !== undefined;
    byName.set(name, [...earlier, same ? last : read]);
  }
  return byName;
}

function nameOf({ kind, key }: Named): string {
  return `${kind} ${canonicalText(key)}`;
}

/** The memory that a read or write belongs to; none outside of runs and inside of memory itself. */
export function currentMemory(): Memory | undefined {
  const context = currentContext();
  if (context?.kind !== "run" || context.insideMemory) return undefined;
  const { memory } = context.interceptor;
  return memory.counts() ? memory : undefined;
}

/** Runs a memory's own code, which may reach the world. */
export function insideMemory<T>(work: () => T): T {
  const context = currentContext();
  const reaching = () => permitEgress(work);
  return context?.kind === "run"
    ? runWithin({ ...context, insideMemory: true }, reaching)
    : reaching();
}

/** What a memory's method does in a run. */
export type MemoryAnswer<Self> = (
  self: Self,
  memory: Memory,
  args: unknown[],
  /** The way to the memory itself. */
  live: (args: unknown[]) => unknown,
) => unknown;

/** Has `answer` stand for a method of a memory, and of the classes it comes from, while a run asks. */
export function answerForMemory<Self extends object>(
  owner: Self,
  method: string,
  answer: MemoryAnswer<Self>,
): void {
  replaceInherited<(this: Self, ...args: unknown[]) => unknown>(
    owner,
    method,
    Object.prototype,
    (original) =>
      function patched(...args) {
        const memory = currentMemory();
        if (!memory) return original.apply(this, args);
        return answer(this, memory, args, (some) => insideMemory(() => original.apply(this, some)));
      },
  );
}

function unrecordedRead(read: Named): TwintrackError {
  return new TwintrackError(
    "READ_UNRECORDED",
    `Memory was not read like this by the other side: ${nameOf(read)}`,
    { hint: 'Allow it with shadow: { reads: "live" }; what is written stays in the run.' },
  );
}

function lossyRead(read: Named): TwintrackError {
  return new TwintrackError(
    "RECORDING_LOSSY",
    `Memory held what its record cannot hold, or more than it may: ${nameOf(read)}`,
    { hint: "Keep plain data in memory, and less of it." },
  );
}
