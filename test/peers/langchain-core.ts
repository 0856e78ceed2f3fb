/** The copies of `@langchain/core` that the tests meet: the newest, and the last of the line before. */
import * as messages from "@langchain/core/messages";
import * as runnables from "@langchain/core/runnables";
import * as tools from "@langchain/core/tools";

export interface LangChainCore {
  version: string;
  tools: typeof tools;
  runnables: typeof runnables;
  messages: typeof messages;
}

const PREVIOUS = new URL("node_modules/core-0.3/", import.meta.url);

function previous<T>(entry: string): Promise<T> {
  return import(new URL(`${entry}.js`, PREVIOUS).href) as Promise<T>;
}

export const CORES: readonly LangChainCore[] = [
  { version: "1.2.13", tools, runnables, messages },
  {
    version: "0.3.80",
    tools: await previous<typeof tools>("tools"),
    runnables: await previous<typeof runnables>("runnables"),
    messages: await previous<typeof messages>("messages"),
  },
];
