/** Flows whose legacy does without tools what a typed flow needs tools for; files below `TWINTRACK_MEMORY`. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BaseListChatMessageHistory } from "@langchain/core/chat_history";
import { Document } from "@langchain/core/documents";
import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { BaseRetriever } from "@langchain/core/retrievers";
import {
  RunnableLambda,
  RunnableSequence,
  RunnableWithMessageHistory,
} from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import type { RunConfig } from "../../core/run-config.ts";
import { defineConfig, type FlowConfig } from "../../harness/config.ts";

const folder = process.env.TWINTRACK_MEMORY ?? ".";

interface Line {
  at: string;
  role: string;
  text: string;
}

const fileOf = (thread: string) => join(folder, `${thread}.ndjson`);

function linesOf(thread: string): Line[] {
  if (!existsSync(fileOf(thread))) return [];
  const lines = readFileSync(fileOf(thread), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

function add(thread: string, role: string, text: string): void {
  const line: Line = { at: new Date().toISOString(), role, text };
  appendFileSync(fileOf(thread), `${JSON.stringify(line)}\n`);
}

const texts = (lines: readonly Line[]) => lines.map(({ role, text }) => `${role}: ${text}`);

const load = tool(async ({ thread }) => texts(linesOf(thread)), {
  name: "load",
  description: "What was said in a thread.",
  schema: z.object({ thread: z.string() }),
});

const append = tool(
  async ({ thread, asked, answered }) => {
    add(thread, "human", asked);
    add(thread, "ai", answered);
    return "kept";
  },
  {
    name: "append",
    description: "Keeps a turn of a thread.",
    schema: z.object({ thread: z.string(), asked: z.string(), answered: z.string() }),
  },
);

const search = tool(async ({ query }) => [`about ${query}`], {
  name: "search",
  description: "Finds documents.",
  schema: z.object({ query: z.string() }),
});

const send = tool(
  async ({ id }) => {
    appendFileSync(join(folder, "sent.txt"), `${id}\n`);
    return "sent";
  },
  { name: "send", description: "Sends a letter.", schema: z.object({ id: z.string() }) },
);

/** A retriever is no tool: nobody records what it finds. */
class Library extends BaseRetriever {
  lc_namespace = ["test"];
  override async _getRelevantDocuments(query: string) {
    return [new Document({ pageContent: `about ${query}` })];
  }
}

const answering = RunnableSequence.from([
  RunnableLambda.from(({ text }: { text: string }) => text),
  new Library(),
  RunnableLambda.from((found: Document[]) => found.map(({ pageContent }) => pageContent).join()),
]);

const Said = z.object({ text: z.string() });

const finds = flow("finds", { version: "1", input: Said, output: z.string() })
  .step("found", {
    tool: "aside.search",
    args: ({ input }) => ({ query: input.text }),
    output: z.array(z.string()),
  })
  .returns(({ found }) => found.join());

const reply = (before: number, text: string) => `${text}, after ${before}`;
const threadOf = (config: RunConfig) => String(config.configurable?.thread_id);

/** LangChain's own history, in the file that the tools read. */
class FileHistory extends BaseListChatMessageHistory {
  lc_namespace = ["test"];
  readonly #thread: string;
  constructor(thread: string) {
    super();
    this.#thread = thread;
  }
  async getMessages(): Promise<BaseMessage[]> {
    return linesOf(this.#thread).map(({ role, text }) =>
      role === "ai" ? new AIMessage(text) : new HumanMessage(text),
    );
  }
  async addMessage(message: BaseMessage): Promise<void> {
    add(this.#thread, message.getType(), message.text);
  }
}

const remembering = new RunnableWithMessageHistory({
  runnable: RunnableLambda.from(
    (messages: BaseMessage[]) =>
      new AIMessage(reply(messages.length - 1, messages.at(-1)?.text ?? "")),
  ),
  getMessageHistory: (thread: string) => new FileHistory(thread),
});

async function chatsByMemory({ text }: z.infer<typeof Said>, config: RunConfig) {
  const session = { configurable: { sessionId: threadOf(config) } };
  return ((await remembering.invoke(text as never, session)) as AIMessage).text;
}

async function chatsByTools({ text }: z.infer<typeof Said>, config: RunConfig) {
  const thread = threadOf(config);
  const answered = reply((await load.invoke({ thread })).length, text);
  await append.invoke({ thread, asked: text, answered });
  return answered;
}

const chat = (version: string, isMemory: boolean) =>
  flow("chat", { version, input: Said, output: z.string() })
    .step("past", {
      tool: "aside.load",
      args: (_, { config }) => ({ thread: threadOf(config) }),
      output: z.array(z.string()),
    })
    .step("answered", {
      needs: ["past"],
      run: ({ input, past }) => reply(past.length, input.text),
      output: z.string(),
    })
    .step("kept", {
      needs: ["answered"],
      tool: "aside.append",
      args: ({ input, answered }, { config }) => ({
        thread: threadOf(config),
        asked: input.text,
        answered,
      }),
      output: z.string(),
      ...(isMemory && { legacy: { inCode: () => "kept" } }),
    })
    .returns(({ answered }) => answered);

const Letter = z.object({ id: z.string(), approved: z.boolean().optional() });

const letters = new StateGraph(
  Annotation.Root({
    id: Annotation<string>,
    approved: Annotation<boolean>,
    status: Annotation<string>,
  }),
)
  .addNode("ask", () => ({ approved: interrupt({ question: "Send it?" }) as boolean }))
  .addNode("act", async ({ id, approved }) => ({
    status: approved ? await send.invoke({ id }) : "dropped",
  }))
  .addEdge(START, "ask")
  .addEdge("ask", "act")
  .addEdge("act", END)
  .compile({ checkpointer: new MemorySaver() });

const approves = (input: z.infer<typeof Letter>, config: RunConfig) =>
  letters.invoke(
    input.approved === undefined ? { id: input.id } : new Command({ resume: input.approved }),
    config as object,
  );

const asks = flow("asks", { version: "1", input: Letter, output: z.unknown() })
  .step("status", {
    when: ({ input }) => input.approved === true,
    tool: "aside.send",
    args: ({ input }) => ({ id: input.id }),
    output: z.string(),
  })
  .returns(({ input, status = "dropped" }) =>
    input.approved === undefined ? { question: "Send it?" } : { status },
  );

/** What the caller looks at in the graph's state. */
function shown(state: unknown): never {
  const { status, __interrupt__: [asked] = [] } = state as {
    status?: string;
    __interrupt__?: { value: unknown }[];
  };
  return (asked ? asked.value : { status }) as never;
}

const shadowed = (legacy: unknown, candidate: unknown): FlowConfig => ({
  legacy: () => legacy,
  candidate: candidate as never,
  stage: "shadow",
});

const approval: FlowConfig = { ...shadowed(approves, asks), extract: { legacy: shown } };
const byMemory = shadowed(chatsByMemory, chat("1", true));
const byTools = shadowed(chatsByTools, chat("2", false));
const snapshot = (_tool: string, args: unknown, at: Date) => {
  const { thread } = args as { thread: string };
  return texts(linesOf(thread).filter((line) => line.at < at.toISOString()));
};

export default defineConfig({
  tools: {
    aside: {
      tools: [load, append, search, send],
      effects: { load: "read", search: "read", append: "write", send: "write" },
    },
  },
  flows: {
    rag: shadowed(answering, finds),
    ragLive: { ...shadowed(answering, finds), shadow: { reads: "live" } },
    byMemory: { ...byMemory, shadow: { reads: { snapshot } } },
    byMemoryLive: { ...byMemory, shadow: { reads: "live" } },
    byMemoryAfter: { ...byMemory, stage: "cutover" },
    moving: { ...byMemory, shadow: { reads: { snapshot } } },
    byTools,
    byToolsAfter: { ...byTools, stage: "cutover" },
    approval: { ...approval, noise: { sample: 1 } },
    approvalAfter: { ...approval, stage: "cutover" },
  },
});
