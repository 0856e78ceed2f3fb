/**
 * The memories of LangChain's older chains: variables that are loaded before, and a context that is
 * saved after.
 *
 * How a memory makes variables of what was saved is its own affair, so in recorded mode a save is
 * dropped, and variables that are loaded after one in the same run have no record.
 */
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../core/json.ts";
import { currentContext } from "./context.ts";
import type { CoreExports } from "./installed.ts";
import { answerForMemory, type Memory, type Source } from "./memory.ts";
import { replace } from "./patch.ts";

interface ClassicMemory {
  memoryKeys?: unknown;
  loadMemoryVariables(inputs: unknown): Promise<Variables>;
  saveContext(inputs: unknown, outputs: unknown): Promise<void>;
}

type Variables = Record<string, unknown>;

/** Patches LangChain's own memories, and a user's own when a chain that has one comes by. */
export function patchClassic(classic: CoreExports, core: CoreExports): void {
  for (const exported of Object.values(classic)) {
    const prototype = (exported as { prototype?: unknown } | null | undefined)?.prototype;
    if (isMemory(prototype)) patchMemory(prototype, core);
  }
  const { BaseChain } = classic;
  if (typeof BaseChain !== "function") return;
  replace<(this: { memory?: unknown }, ...args: unknown[]) => unknown>(
    BaseChain.prototype,
    "invoke",
    (original) =>
      function invoke(...args) {
        if (currentContext()?.kind === "run" && isMemory(this.memory))
          patchMemory(this.memory, core);
        return original.apply(this, args);
      },
  );
}

function isMemory(value: unknown): value is ClassicMemory {
  return typeof (value as Partial<ClassicMemory> | undefined)?.saveContext === "function";
}

function patchMemory(classic: ClassicMemory, core: CoreExports): void {
  for (const method of ["loadMemoryVariables", "saveContext", "clear"]) {
    answerForMemory(classic, method, (self, memory, args, live) => {
      const state = stateOf(memory, self);
      if (method === "loadMemoryVariables")
        return load(
          memory,
          state,
          source({ core, state, inputs: args[0] }, () => live(args)),
        );
      state.isWritten = true;
      return memory.isolated ? Promise.resolve() : live(args);
    });
  }
}

/** One for all memories that look alike: a chain may make a new one for each call. */
interface State {
  looks: JsonObject;
  isWritten: boolean;
}

function stateOf(memory: Memory, classic: ClassicMemory): State {
  const looks = { memory: classic.constructor.name, keys: toJson(classic.memoryKeys).value };
  return memory.held(`variables ${JSON.stringify(looks)}`, () => ({ looks, isWritten: false }));
}

async function load(memory: Memory, state: State, read: Source<Variables>): Promise<Variables> {
  return memory.isolated && state.isWritten ? memory.unrecorded(read) : memory.before(read);
}

function source(
  { core, state, inputs }: { core: CoreExports; state: State; inputs: unknown },
  live: () => unknown,
): Source<Variables> {
  return {
    kind: "variables",
    key: { ...state.looks, inputs: toJson(inputs).value },
    live: live as () => Promise<Variables>,
    encode(variables) {
      const plain = Object.entries(variables).map(([name, value]) => [name, withoutClass(value)]);
      const { value, lossy } = toJson(Object.fromEntries(plain));
      return { value, lossy: lossy || state.isWritten };
    },
    decode: (variables) =>
      Object.fromEntries(
        Object.entries(variables as JsonObject).map(([name, value]) => [
          name,
          revived(core, value),
        ]),
      ),
  };
}

const MESSAGES = "twintrack/messages";

function withoutClass(value: unknown): unknown {
  if (!Array.isArray(value) || value.length === 0) return value;
  const messages = value as { toDict?: () => unknown }[];
  if (!messages.every(({ toDict }) => typeof toDict === "function")) return value;
  return { [MESSAGES]: messages.map((message) => message.toDict?.()) };
}

function revived({ mapStoredMessagesToChatMessages: messagesOf }: CoreExports, value: JsonValue) {
  const stored = isJsonObject(value) ? value[MESSAGES] : undefined;
  return stored === undefined ? value : (messagesOf as (stored: unknown) => unknown)(stored);
}
