/** Where LangGraph reads and writes checkpoints: a checkpointer's own methods, replaced in place. */
import { currentContext } from "./context.ts";
import type { CoreExports } from "./installed.ts";
import { currentMemory, insideMemory } from "./memory.ts";
import { owners, replace } from "./patch.ts";
import { type Config, type NewSaver, type Saver, Threads } from "./threads.ts";

/** Ways into a graph that reach its checkpointer; each begins with the configuration. */
const GRAPH_ENTRIES = [
  "_defaults",
  "getState",
  "getStateHistory",
  "updateState",
  "bulkUpdateState",
] as const;

/** Patches one copy of LangGraph. A checkpointer is patched when a graph that has it comes by. */
export function patchGraphs({ Pregel: graph, MemorySaver }: CoreExports): void {
  if (typeof graph !== "function" || typeof MemorySaver !== "function") return;
  for (const entry of GRAPH_ENTRIES) {
    replace<(this: { checkpointer?: unknown }, ...args: unknown[]) => unknown>(
      graph.prototype,
      entry,
      (original) =>
        function patched(...args) {
          if (currentContext()?.kind === "run") {
            const given = (args[0] as Config | undefined)?.configurable?.__pregel_checkpointer;
            for (const saver of [this.checkpointer, given])
              if (isSaver(saver)) patchSaver(saver, MemorySaver as NewSaver);
          }
          return original.apply(this, args);
        },
    );
  }
}

function isSaver(value: unknown): value is Saver {
  return typeof (value as Partial<Saver> | undefined)?.getTuple === "function";
}

const METHODS = ["getTuple", "list", "put", "putWrites", "deleteThread"] as const;

function patchSaver(saver: Saver, MemorySaver: NewSaver): void {
  for (const method of METHODS) {
    for (const owner of owners(saver, method, Object.prototype)) {
      replace<(this: Saver, ...args: unknown[]) => unknown>(
        owner,
        method,
        (original) =>
          function patched(...args) {
            const memory = currentMemory();
            if (!memory) return original.apply(this, args);
            const threads = memory.held(
              this,
              (ordinal) => new Threads(this, memory, { ordinal, MemorySaver }),
            );
            const live = () => insideMemory(() => original.apply(this, args));
            const act = threads[method] as (args: unknown[], live: () => unknown) => unknown;
            return act.call(threads, args, live);
          },
      );
    }
  }
}
