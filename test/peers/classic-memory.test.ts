/** The memories of LangChain's older chains in a second run. */
import { fileURLToPath } from "node:url";
import { ConversationChain } from "@langchain/classic/chains";
import { BaseChatMemory, BufferMemory } from "@langchain/classic/memory";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { describe, expect, test } from "vitest";
import { chain } from "../../adapter/capture.ts";
import type { ChainRun } from "../../adapter/chain.ts";
import type { MemoryRead } from "../../core/memory.ts";

/** A memory of the user's own, that only a chain knows of. */
class Counting extends BaseChatMemory {
  said = 0;

  override get memoryKeys() {
    return ["history"];
  }

  async loadMemoryVariables() {
    return { history: `${this.said} said` };
  }

  override async saveContext() {
    this.said += 1;
  }
}

const KINDS = {
  "text of a buffer": () => new BufferMemory(),
  "messages of a buffer": () => new BufferMemory({ returnMessages: true }),
  "variables of a memory of the user's own": () => new Counting(),
};

const LIVE = { tools: { mode: "live" }, effects: {} } as const;
const FROM = fileURLToPath(new URL(".", import.meta.url));

function recorded(run: ChainRun, session: string) {
  const memory = JSON.parse(JSON.stringify(run.memory ?? [])) as MemoryRead[];
  const tools = { mode: "recorded", recording: [], reads: "recorded", memory } as const;
  return [session, { tools, effects: {} }] as const;
}

describe.each(Object.entries(KINDS))("H5: %s", (_name, make) => {
  const start = () => {
    const memory = make();
    const asked: string[] = [];
    const llm = new FakeListChatModel({ responses: ["I see."] });
    const talks = new ConversationChain({ memory, llm });
    // The answer tells what the model was asked, and with it what was remembered.
    const legacy = async (text: unknown) => {
      const callbacks = [
        {
          handleChatModelStart: (_: unknown, [m = []]: unknown[][]) =>
            void asked.push(JSON.stringify(m.map((one) => (one as { text: string }).text))),
        },
      ];
      await talks.invoke({ input: String(text) }, { callbacks: callbacks as never });
      return asked.at(-1);
    };
    const state = () => JSON.stringify([memory.chatHistory, (memory as { said?: number }).said]);
    return { legacy: chain(legacy, { from: FROM }), state };
  };

  test("are for a second run as they were for the first, and stay as the first left them", async () => {
    const { legacy, state } = start();
    for (const text of ["one", "two", "three"]) {
      const first = await legacy.invoke(text, LIVE);
      expect(first.outcome.status).toBe("returned");
      const before = state();
      const second = await legacy.invoke(...recorded(first, text));
      expect(second.outcome).toEqual(first.outcome);
      expect(state()).toBe(before);
    }
    const first = await legacy.invoke("four", LIVE);
    const unaided = await legacy.invoke("four", LIVE);
    expect(unaided.outcome).not.toEqual(first.outcome);
  });

  test("are refused to a second run that asks for others", async () => {
    const { legacy, state } = start();
    const first = await legacy.invoke("one", LIVE);
    const before = state();
    const second = await legacy.invoke(...recorded({ ...first, memory: [] }, "one"));
    expect(second.outcome).toMatchObject({ status: "threw", error: { code: "READ_UNRECORDED" } });
    expect(state()).toBe(before);
  });
});
