/**
 * The items of a LangGraph store, as one run knows them.
 *
 * Everything that is asked of a store is an operation of its `batch`. In a live run the answers are
 * recorded; in recorded mode they come from the record, and what the run puts stays in the run. Which
 * items a search finds after the run has written below it only the store could say, so such a search
 * has no record.
 */
import { canonicalText, isJsonObject, type JsonValue, toJson } from "../core/json.ts";
import { answerForMemory, currentMemory, type Memory, type Source } from "./memory.ts";
import { replace } from "./patch.ts";

/** As LangGraph has them, told apart by their fields. */
type Operation =
  | { namespace: string[]; key: string }
  | { namespace: string[]; key: string; value: object | null }
  | { namespacePrefix: string[] }
  | { matchConditions: unknown };

type Batch = (operations: Operation[]) => Promise<unknown[]>;

/** Operations of a tool's own code: they come from a queue, which does not know who asked. */
const ofTools = new WeakSet<Operation>();

/** Patches the queue that LangGraph puts before a store. */
export function patchQueue(prototype: object): void {
  replace<(this: object, operation: Operation) => unknown>(
    prototype,
    "enqueueOperation",
    (original) =>
      function enqueueOperation(operation) {
        if (!currentMemory()) ofTools.add(operation);
        return original.call(this, operation);
      },
  );
}

/** Patches the classes of a store; its other methods lead to `batch`. */
export function patchStore(store: unknown): void {
  if (typeof (store as { batch?: unknown } | undefined)?.batch !== "function") return;
  answerForMemory(store as object, "batch", async (self, memory, [operations], live) => {
    const asked = operations as Operation[];
    const some: Batch = async (others) => (await live([others])) as unknown[];
    const items = memory.held(self, () => new Items(memory));
    return memory.isolated ? items.answered(asked, some) : items.seen(asked, some);
  });
}

interface Item {
  value: object;
  key: string;
  namespace: string[];
  createdAt: Date;
  updatedAt: Date;
}

class Items {
  readonly #memory: Memory;
  readonly #ordinal: number;
  /** By namespace and key; null when this run deleted it. */
  readonly #own = new Map<string, Item | null>();

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#ordinal = memory.ordinal("store");
  }

  /** In a live run: all of them are carried out, and reads recorded. */
  async seen(operations: Operation[], live: Batch): Promise<unknown[]> {
    const answers = await live(operations);
    for (const [at, operation] of operations.entries()) {
      if (ofTools.has(operation) || "value" in operation) continue;
      if (this.#ownItem(operation) === undefined)
        await this.#memory.before(this.#read(operation, async () => answers[at]));
    }
    for (const operation of operations) if (!ofTools.has(operation)) this.#put(operation);
    return answers;
  }

  /** In recorded mode. Like LangGraph's own stores, reads come before the writes of their batch. */
  async answered(operations: Operation[], live: Batch): Promise<unknown[]> {
    const answers: unknown[] = [];
    for (const operation of operations) {
      if ("value" in operation) answers.push(null);
      else answers.push(await this.#answer(operation, live));
    }
    for (const operation of operations) this.#put(operation);
    return answers;
  }

  async #answer(operation: Operation, live: Batch): Promise<unknown> {
    const own = this.#ownItem(operation);
    if (own !== undefined) return own;
    const read = this.#read(operation, async () => (await live([operation]))[0]);
    if (this.#isChanged(operation)) return this.#memory.unrecorded(read);
    return this.#memory.before(read);
  }

  #put(operation: Operation): void {
    if (!("value" in operation)) return;
    const { namespace, key, value } = operation;
    const now = new Date();
    const item = value && { value, key, namespace, createdAt: now, updatedAt: now };
    this.#own.set(placeOf(namespace, key), item);
  }

  #ownItem(operation: Operation): Item | null | undefined {
    if (!("key" in operation)) return undefined;
    return this.#own.get(placeOf(operation.namespace, operation.key));
  }

  /** Whether this run wrote where the operation looks. */
  #isChanged(operation: Operation): boolean {
    if ("key" in operation) return false;
    if (!("namespacePrefix" in operation)) return this.#own.size > 0;
    const start = JSON.stringify(operation.namespacePrefix).slice(0, -1);
    return [...this.#own.keys()].some((place) => place.startsWith(start));
  }

  #read(operation: Operation, live: () => Promise<unknown>): Source<unknown> {
    const isChanged = this.#isChanged(operation);
    return {
      kind: "items",
      key: { store: this.#ordinal, asked: toJson(operation).value },
      live,
      encode(answer) {
        const { value, lossy } = toJson(withoutDates(answer));
        return { value, lossy: lossy || isChanged };
      },
      decode: withDates,
    };
  }
}

/** Begins like the text of each namespace above it. */
function placeOf(namespace: readonly string[], key: string): string {
  return `${JSON.stringify(namespace).slice(0, -1)}, ${canonicalText(key)}`;
}

function isItem(value: unknown): value is object {
  return isJsonObject(value) && value.createdAt !== undefined;
}

function withoutDates(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(withoutDates);
  if (!isItem(answer)) return answer;
  const { createdAt, updatedAt } = answer as Item;
  return { ...answer, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

function withDates(answer: JsonValue): unknown {
  if (Array.isArray(answer)) return answer.map(withDates);
  if (!isItem(answer)) return answer;
  const { createdAt, updatedAt } = answer as unknown as Item;
  return { ...(answer as object), createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) };
}
