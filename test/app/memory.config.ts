/** Flows whose legacy remembers, in files below `TWINTRACK_MEMORY`. */
import { join } from "node:path";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig } from "../../harness/config.ts";
import type { FlowConfig } from "../../harness/flow-config.ts";
import { chat, FileHistory, FileSaver, type Said, thread } from "./conversations.ts";

const folder = process.env.TWINTRACK_MEMORY ?? ".";
const open = (session: string) => new FileHistory(folder, session);

/** Past LangChain: nobody sees that this is a memory. */
async function unseen({ session, text }: Said) {
  const history = open(session);
  await history.addUserMessage(text);
  return (await history.getMessages()).length;
}

const schemas = {
  version: "1",
  input: z.object({ session: z.string(), text: z.string() }),
  output: z.unknown(),
};

function conversation(name: string, legacy: () => (said: Said) => unknown): FlowConfig {
  return {
    legacy,
    candidate: flow(name, schemas).returns(() => "nothing new") as never,
    stage: "shadow",
    noise: { sample: 1 },
  };
}

const chats = () => chat(open);
const threads = () => thread(new FileSaver(join(folder, "threads")));

export default defineConfig({
  flows: {
    chat: conversation("chat", chats),
    thread: conversation("thread", threads),
    unseen: conversation("unseen", () => unseen),
    chatAfter: { ...conversation("chatAfter", chats), stage: "cutover" },
    chatAfterLive: {
      ...conversation("chatAfterLive", chats),
      stage: "cutover",
      shadow: { reads: "live" },
    },
    threadAfterLive: {
      ...conversation("threadAfterLive", threads),
      stage: "cutover",
      shadow: { reads: "live" },
    },
  },
});
