/**
 * Where LangGraph reads and writes its memory: the own methods of a checkpointer and of a store,
 * replaced in place when a graph that has them comes by.
 */

import type { Config } from "./checkpoint-source.ts";
import { currentContext } from "./context.ts";
import type { CoreExports } from "./installed.ts";
import { answerForMemory } from "./memory.ts";
import { replace } from "./patch.ts";
import { patchQueue, patchStore } from "./store-items.ts";
import { type NewSaver, type Saver, Threads } from "./threads.ts";

/** Ways into a graph that reach its checkpointer; each begins with the configuration. */
const GRAPH_ENTRIES = [
  "_defaults",
  "getState",
  "getStateHistory",
  "updateState",
  "bulkUpdateState",
] as const;

interface Graph {
  checkpointer?: unknown;
  store?: unknown;
}

/** Patches one copy of LangGraph. */
export function patchGraphs({ Pregel: graph, MemorySaver, AsyncBatchedStore }: CoreExports): void {
  if (typeof graph !== "function" || typeof MemorySaver !== "function") return;
  if (typeof AsyncBatchedStore === "function") patchQueue(AsyncBatchedStore.prototype);
  for (const entry of GRAPH_ENTRIES) {
    replace<(this: Graph, ...args: unknown[]) => unknown>(
      graph.prototype,
      entry,
      (original) =>
        function patched(...args) {
          if (currentContext()?.kind === "run") {
            const given = (args[0] ?? {}) as Config;
            for (const saver of [this.checkpointer, given.configurable?.__pregel_checkpointer])
              if (isSaver(saver)) patchSaver(saver, MemorySaver as NewSaver);
            for (const store of [this.store, given.store]) patchStore(store);
          }
          return original.apply(this, args);
        },
    );
  }
}

function isSaver(value: unknown): value is Saver {
  return typeof (value as Partial<Saver> | undefined)?.getTuple === "function";
}

const METHODS = [
  "getTuple",
  "list",
  "getDeltaChannelHistory",
  "put",
  "putWrites",
  "deleteThread",
] as const;

function patchSaver(saver: Saver, MemorySaver: NewSaver): void {
  for (const method of METHODS) {
    answerForMemory(saver, method, (self, memory, args, live) => {
      const threads = memory.held(self, () => new Threads(self, memory, MemorySaver));
      const act = threads[method] as (args: unknown[], live: () => unknown) => unknown;
      return act.call(threads, args, () => live(args));
    });
  }
}
