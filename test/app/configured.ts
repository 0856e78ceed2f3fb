/** Chains that are told by their run configuration whom they serve, and a tool that reads it. */
import { appendFileSync } from "node:fs";
import { InMemoryChatMessageHistory } from "@langchain/core/chat_history";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { StringOutputParser } from "@langchain/core/output_parsers";
import {
  type RunnableConfig,
  RunnableLambda,
  RunnableWithMessageHistory,
} from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  type LangGraphRunnableConfig,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { z } from "zod";

/** As real code does it: without a passenger there is nobody to give the seat to. */
const seat = tool(
  async ({ row }, config) => {
    const passenger: unknown = config.configurable?.passenger_id;
    if (passenger === undefined) throw new Error("No passenger ID configured.");
    const sink = process.env.TWINTRACK_SINK;
    const role = process.env.TWINTRACK_ROLE ?? "live";
    if (sink) appendFileSync(sink, `${JSON.stringify({ tool: "seat", passenger, role })}\n`);
    return `${passenger} sits in ${row}`;
  },
  { name: "seat", description: "Gives a seat.", schema: z.object({ row: z.number() }) },
);

export const tools = [seat];

interface Wish {
  row: number;
}

/** A function, because a runnable takes one off the limit for itself. */
export async function seating({ row }: Wish, config: RunnableConfig) {
  return {
    said: await seat.invoke({ row }, config),
    tenant: config.metadata?.tenant ?? null,
    isVip: config.tags?.includes("vip") ?? false,
    limit: config.recursionLimit ?? null,
  };
}

const histories = new Map<string, InMemoryChatMessageHistory>();

/** Says how much was said before: another session is another answer. */
export const chat = new RunnableWithMessageHistory({
  runnable: RunnableLambda.from(
    (said: BaseMessage[]) => new AIMessage(`${said.length - 1} before ${said.at(-1)?.text}`),
  ),
  getMessageHistory(session: string) {
    const history = histories.get(session) ?? new InMemoryChatMessageHistory();
    histories.set(session, history);
    return history;
  },
}).pipe(new StringOutputParser());

const Thread = Annotation.Root({
  row: Annotation<number>(),
  said: Annotation<string[]>({ reducer: (old, more) => [...old, ...more], default: () => [] }),
});

export const thread = new StateGraph(Thread)
  .addNode("seat", async ({ row, said }, config: LangGraphRunnableConfig) => {
    const { desk } = (config.context ?? {}) as { desk?: string };
    return { said: [`${said.length} before, ${desk}: ${await seat.invoke({ row }, config)}`] };
  })
  .addEdge(START, "seat")
  .compile({ checkpointer: new MemorySaver() });
