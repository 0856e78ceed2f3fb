/** Flows whose legacy remembers, in files below `TWINTRACK_MEMORY`. */
import { join } from "node:path";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, python } from "../../harness/config.ts";
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

function conversation(name: string, legacy: NonNullable<FlowConfig["legacy"]>): FlowConfig {
  return {
    legacy,
    candidate: flow(name, schemas).returns(() => "nothing new") as never,
    stage: "shadow",
    noise: { sample: 1 },
  };
}

const chats = () => chat(open);
const threads = () => thread(new FileSaver(join(folder, "threads")));

const cwd = new URL("../../python-bridge/tests", import.meta.url).pathname;
const inPython = (attribute: string) =>
  python(`conversations:${attribute}`, { cwd, env: { TWINTRACK_MEMORY: folder } });

export default defineConfig({
  flows: {
    chatInPython: conversation("chatInPython", inPython("file_chat")),
    threadInPython: conversation("threadInPython", inPython("file_thread")),
    chatInPythonAfterLive: {
      ...conversation("chatInPythonAfterLive", inPython("file_chat")),
      stage: "cutover",
      shadow: { reads: "live" },
    },
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
