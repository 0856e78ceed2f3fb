/** Chains that remember: a chat with its history in a file, and a graph with a thread. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BaseListChatMessageHistory } from "@langchain/core/chat_history";
import {
  AIMessage,
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
} from "@langchain/core/messages";
import { RunnableLambda, RunnableWithMessageHistory } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  BaseCheckpointSaver,
  type BaseStore,
  Command,
  DeltaValue,
  END,
  InMemoryStore,
  interrupt,
  type LangGraphRunnableConfig,
  MemorySaver,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { z } from "zod";

export interface Said {
  session: string;
  text: string;
}

/** A history of the user's own, one file for each session. */
export class FileHistory extends BaseListChatMessageHistory {
  lc_namespace = ["test"];
  readonly #file: string;

  constructor(folder: string, session: string) {
    super();
    this.#file = join(folder, `${session}.json`);
  }

  async getMessages(): Promise<BaseMessage[]> {
    if (!existsSync(this.#file)) return [];
    return mapStoredMessagesToChatMessages(JSON.parse(readFileSync(this.#file, "utf8")));
  }

  async addMessage(message: BaseMessage): Promise<void> {
    const messages = [...(await this.getMessages()), message];
    writeFileSync(this.#file, JSON.stringify(mapChatMessagesToStoredMessages(messages)));
  }
}

/** Says how much was said before and what was said last: another memory is another answer. */
function reply(messages: readonly BaseMessage[]): AIMessage {
  const asked = messages.at(-1)?.text;
  const before = messages.at(-2)?.text ?? "nothing";
  return new AIMessage(`${messages.length - 1} before "${asked}", the last "${before}"`);
}

const speaks = RunnableLambda.from((messages: BaseMessage[]) => reply(messages));

export function chat(getMessageHistory: (session: string) => BaseListChatMessageHistory) {
  const runnable = new RunnableWithMessageHistory({ runnable: speaks, getMessageHistory });
  return async ({ session, text }: Said) => {
    const config = { configurable: { sessionId: session } };
    const said = (await runnable.invoke(text as never, config)) as AIMessage;
    return said.text;
  };
}

const State = Annotation.Root({
  said: Annotation<string[]>({ reducer: (old, more) => [...old, ...more], default: () => [] }),
});

/** A thread that is spoken to twice in each run. */
export function thread(checkpointer: BaseCheckpointSaver) {
  const graph = new StateGraph(State)
    .addNode("echo", ({ said }) => ({ said: [`${said.length} said, ${said.at(-1)} the last`] }))
    .addEdge(START, "echo")
    .addEdge("echo", END)
    .compile({ checkpointer });
  return async ({ session, text }: Said) => {
    const config = { configurable: { thread_id: session } };
    await graph.invoke({ said: [text] }, config);
    await graph.invoke({ said: [`${text} again`] }, config);
    const states: unknown[] = [];
    for await (const { values } of graph.getStateHistory(config, { limit: 3 })) states.push(values);
    return [(await graph.getState(config)).values, ...states];
  };
}

const Growing = new StateSchema({
  said: new DeltaValue(
    z.array(z.string()).default(() => []),
    {
      inputSchema: z.array(z.string()),
      reducer: (old: string[], more: string[][]) => [...old, ...more.flat()],
      snapshotFrequency: 7,
    },
  ),
});

/** A thread whose checkpoints hold only what was added, and now and then the whole. */
export function growing(checkpointer: BaseCheckpointSaver) {
  const graph = new StateGraph(Growing)
    .addNode("echo", ({ said }) => ({ said: [`${said.length} said, ${said.at(-1)} the last`] }))
    .addEdge(START, "echo")
    .addEdge("echo", END)
    .compile({ checkpointer });
  return async ({ session, text }: Said) => {
    const config = { configurable: { thread_id: session } };
    await graph.invoke({ said: [text] }, config);
    await graph.invoke({ said: [`${text} again`] }, config);
    return (await graph.getState(config)).values;
  };
}

/** A checkpointer that reads deltas as LangGraph's base class does: from checkpoint to checkpoint. */
export class WalkingSaver extends MemorySaver {
  override getDeltaChannelHistory: MemorySaver["getDeltaChannelHistory"] = (asked) =>
    BaseCheckpointSaver.prototype.getDeltaChannelHistory.call(this, asked);
}

/** A graph with another one in it, that stops to be told how to go on. */
export function approval(checkpointer: BaseCheckpointSaver) {
  const inner = new StateGraph(State)
    .addNode("deep", ({ said }) => ({ said: [`deep at ${said.length}`] }))
    .addEdge(START, "deep")
    .addEdge("deep", END)
    .compile();
  const graph = new StateGraph(State)
    .addNode("inner", inner)
    .addNode("ask", ({ said }) => ({ said: [`${interrupt("go on?")} at ${said.length}`] }))
    .addEdge(START, "inner")
    .addEdge("inner", "ask")
    .addEdge("ask", END)
    .compile({ checkpointer });
  return async ({ session, text }: Said) => {
    const config = { configurable: { thread_id: session } };
    const isWaiting = (await graph.getState(config)).next.length > 0;
    const given = isWaiting ? new Command({ resume: text }) : { said: [text] };
    return (await graph.invoke(given as never, config)).said;
  };
}

/** A graph that keeps notes about whoever speaks, and looks at them first. */
export function notes(store: BaseStore) {
  const graph = new StateGraph(State)
    .addNode("look", async ({ said }, { store: items, configurable }: LangGraphRunnableConfig) => {
      const whose = ["notes", String(configurable?.whose)];
      const found = (await items?.search(["notes"], { filter: { kind: "said" } })) ?? [];
      // Taken out at once: LangGraph's store in memory changes the item that it gave.
      const last = String((await items?.get(whose, "last"))?.value.text);
      await items?.put(whose, "last", { kind: "last", text: said[0] });
      await items?.put(whose, last, { kind: "said", text: said[0] });
      const now = await items?.get(whose, "last");
      return { said: [`${found.length} found, ${last}, ${now?.value.text}`] };
    })
    .addEdge(START, "look")
    .addEdge("look", END)
    .compile({ store });
  return async ({ session, text }: Said) => {
    const config = { configurable: { whose: session } };
    return (await graph.invoke({ said: [text] }, config)).said;
  };
}

/** A graph whose tool takes a note, which is read before and after. */
export function noting(store: BaseStore) {
  const whose = ["notes", "s"];
  const graph = new StateGraph(State)
    .addNode("look", async ({ said }, { store: items }: LangGraphRunnableConfig) => {
      const note = tool(async ({ text }) => items?.put(whose, "last", { text }), {
        name: "note",
        description: "Takes a note.",
        schema: z.object({ text: z.string() }),
      });
      const read = async () => String((await items?.get(whose, "last"))?.value.text);
      const before = await read();
      await note.invoke({ text: String(said[0]) });
      return { said: [`${before}, then ${await read()}`] };
    })
    .addEdge(START, "look")
    .addEdge("look", END)
    .compile({ store });
  return async ({ text }: Said) => (await graph.invoke({ said: [text] })).said;
}

/** A store of the user's own: everything in one file. */
export class FileStore extends InMemoryStore {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
  }

  override async batch(...args: Parameters<InMemoryStore["batch"]>) {
    const results = await super.batch(...args);
    const { data } = this as unknown as { data: Map<string, Map<string, unknown>> };
    writeFileSync(this.#file, JSON.stringify([...data].map(([name, items]) => [name, [...items]])));
    return results as never;
  }
}

/** A checkpointer of the user's own: everything in one file, in the saver's private field. */
export class FileSaver extends MemorySaver {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
    if (!existsSync(file)) return;
    const { storage, writes } = JSON.parse(readFileSync(file, "utf8"), revived);
    Object.assign(this.storage, storage);
    Object.assign(this.writes, writes);
  }

  override async put(...args: Parameters<MemorySaver["put"]>) {
    const config = await super.put(...args);
    this.#save();
    return config;
  }

  override async putWrites(...args: Parameters<MemorySaver["putWrites"]>) {
    await super.putWrites(...args);
    this.#save();
  }

  #save(): void {
    const { storage, writes } = this;
    writeFileSync(this.#file, JSON.stringify({ storage, writes }, bytesAsText));
  }
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString("base64") } : value;
}

function revived(_key: string, value: unknown): unknown {
  const { bytes } = (value ?? {}) as { bytes?: unknown };
  return typeof bytes === "string" ? new Uint8Array(Buffer.from(bytes, "base64")) : value;
}
