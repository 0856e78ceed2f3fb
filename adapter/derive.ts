/**
 * A tool that is the author's in all but one member: its function is observed.
 *
 * LangChain turns what a tool's function returns into text. The derived object inherits
 * everything else from the original, so parsing, callbacks and formatting stay LangChain's, while
 * the raw value, and the parsed arguments, pass through here. The original is not touched.
 */
import type { ToolObject } from "./shape.ts";

/**
 * Gets the parsed arguments, the way to the author's function, and LangChain's callbacks of this
 * call; returns what LangChain gets.
 */
export type Around = (args: unknown, proceed: () => unknown, runManager: unknown) => unknown;

export function derive<T extends ToolObject>(tool: T, around: Around): T {
  const observed = (args: unknown, runManager: unknown, config: unknown) =>
    around(args, () => tool._call?.(args, runManager, config), runManager);
  const derived = Object.create(tool) as T;
  // Defined, not assigned: the author's object may be frozen.
  Object.defineProperty(derived, "_call", { value: observed });
  return derived;
}

export type Generator = AsyncGenerator | globalThis.Generator;

/** LangChain drains whatever has a method `next`; the generator's return value is the result. */
export function isGenerator(value: unknown): value is Generator {
  return typeof value === "object" && value !== null && "next" in value
    ? typeof value.next === "function"
    : false;
}

export interface Observer {
  onReturn: (value: unknown) => void;
  onThrow?: (thrown: unknown) => void;
}

/** Tells what a tool's function returned, also when it is a generator that LangChain drains later. */
export async function observe(proceed: () => unknown, observer: Observer): Promise<unknown> {
  try {
    const returned = await proceed();
    if (isGenerator(returned)) return observedItems(returned, observer);
    observer.onReturn(returned);
    return returned;
  } catch (thrown) {
    observer.onThrow?.(thrown);
    throw thrown;
  }
}

async function* observedItems(generator: Generator, observer: Observer): AsyncGenerator {
  try {
    let item = await generator.next();
    while (!item.done) {
      yield item.value;
      item = await generator.next();
    }
    observer.onReturn(item.value);
    return item.value;
  } catch (thrown) {
    observer.onThrow?.(thrown);
    throw thrown;
  } finally {
    await generator.return?.(undefined);
  }
}
