/** A second run of a chain with memory: it sees the memory of the first, and leaves it as it is. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { InMemoryChatMessageHistory } from "@langchain/core/chat_history";
import { MemorySaver } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { chain } from "../../adapter/capture.ts";
import type { ChainRun, LegacyChain } from "../../adapter/chain.ts";
import type { JsonValue } from "../../core/json.ts";
import type { MemoryRead } from "../../core/memory.ts";
import {
  approval,
  chat,
  FileHistory,
  FileSaver,
  FileStore,
  growing,
  notes,
  noting,
  type Said,
  thread,
  WalkingSaver,
} from "../app/conversations.ts";

const LIVE = { tools: { mode: "live" }, effects: {} } as const;

function recorded(memory: MemoryRead[] | undefined, reads: "recorded" | "live" = "recorded") {
  const tools = { mode: "recorded", recording: [], reads, ...(memory && { memory }) } as const;
  return { tools, effects: {} };
}

function say(session: string, text: string): JsonValue {
  return { session, text } satisfies Said as unknown as JsonValue;
}

/** As it goes through the spool. */
function stored(run: ChainRun): MemoryRead[] {
  return JSON.parse(JSON.stringify(run.memory ?? [])) as MemoryRead[];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).map((name) => `${name} ${readFileSync(join(folder, name), "utf8")}`);
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), "twintrack-memory-"));
}

interface Remembering {
  legacy: LegacyChain;
  /** All that it remembers. */
  state(): unknown;
}

const KINDS: Record<string, () => Remembering> = {
  "a message history in memory": () => {
    const sessions: Record<string, InMemoryChatMessageHistory> = {};
    const open = (id: string) => (sessions[id] ??= new InMemoryChatMessageHistory());
    return { legacy: chain(chat(open)), state: () => JSON.stringify(sessions) };
  },
  "a message history in a file": () => {
    const here = folder();
    const legacy = chain(chat((session) => new FileHistory(here, session)));
    return { legacy, state: () => filesIn(here) };
  },
  "a LangGraph checkpointer in memory": () => {
    const saver = new MemorySaver();
    return {
      legacy: chain(thread(saver)),
      state: () => JSON.stringify([saver.storage, saver.writes]),
    };
  },
  "a LangGraph checkpointer in a file": () => {
    const here = folder();
    const legacy = chain(thread(new FileSaver(join(here, "threads.json"))));
    return { legacy, state: () => filesIn(here) };
  },
  "a LangGraph checkpointer of graphs in graphs, interrupted and resumed": () => {
    const here = folder();
    const legacy = chain(approval(new FileSaver(join(here, "threads.json"))));
    return { legacy, state: () => filesIn(here) };
  },
  "a LangGraph checkpointer of deltas in a file": () => {
    const here = folder();
    const legacy = chain(growing(new FileSaver(join(here, "threads.json"))));
    return { legacy, state: () => filesIn(here) };
  },
  "a LangGraph checkpointer of deltas that walks from checkpoint to checkpoint": () => {
    const saver = new WalkingSaver();
    return {
      legacy: chain(growing(saver)),
      state: () => JSON.stringify([saver.storage, saver.writes]),
    };
  },
  "a LangGraph store": () => {
    const here = folder();
    const legacy = chain(notes(new FileStore(join(here, "store.json"))));
    return { legacy, state: () => filesIn(here) };
  },
  "a history that is opened twice, beside a thread and a store": () => {
    const here = folder();
    const talk = chat((session) => new FileHistory(here, session));
    const saver = new FileSaver(join(here, "threads"));
    const parts = [talk, talk, notes(new FileStore(join(here, "store"))), thread(saver)];
    const legacy = chain(async (said: Said) => {
      const replies: unknown[] = [];
      for (const part of parts) replies.push(await part(said));
      return replies;
    });
    return { legacy, state: () => filesIn(here) };
  },
};

describe.each(Object.entries(KINDS))("H5: %s", (_name, start) => {
  test("is for a second run as it was for the first, and stays as the first left it", async () => {
    const { legacy, state } = start();
    for (const text of ["one", "two", "three"]) {
      const first = await legacy.invoke(say("s", text), LIVE);
      expect(first.outcome.status).toBe("returned");
      const before = state();
      const second = await legacy.invoke(say("s", text), recorded(stored(first)));
      expect(second.outcome).toEqual(first.outcome);
      expect(second.memory).toBeUndefined();
      expect(state()).toEqual(before);
    }
    // Without the record the second run sees a longer conversation: the test above can fail.
    const first = await legacy.invoke(say("s", "four"), LIVE);
    const unaided = await legacy.invoke(say("s", "four"), LIVE);
    expect(unaided.outcome).not.toEqual(first.outcome);
  });

  test("is refused to a second run that reads what the first did not", async () => {
    const { legacy, state } = start();
    const first = await legacy.invoke(say("mine", "one"), LIVE);
    const before = state();
    const second = await legacy.invoke(say("other", "one"), recorded(stored(first)));
    expect(second.outcome).toMatchObject({ status: "threw", error: { code: "READ_UNRECORDED" } });
    expect(second.memory).toMatchObject([{ served: "refused" }]);
    expect(state()).toEqual(before);
  });

  test("is read live where that is allowed, and not written", async () => {
    const { legacy, state } = start();
    await legacy.invoke(say("s", "one"), LIVE);
    const before = state();
    const shadow = await legacy.invoke(say("s", "two"), recorded(undefined, "live"));
    expect(state()).toEqual(before);
    const truth = await legacy.invoke(say("s", "two"), LIVE);
    expect(shadow.outcome).toEqual(truth.outcome);
  });

  test("is another for each of many runs at the same time", async () => {
    const { legacy, state } = start();
    const first = await legacy.invoke(say("s", "one"), LIVE);
    const before = state();
    const again = () => legacy.invoke(say("s", "one"), recorded(stored(first)));
    const runs = await Promise.all(Array.from({ length: 8 }, again));
    expect(runs.map(({ outcome }) => outcome)).toEqual(runs.map(() => first.outcome));
    expect(state()).toEqual(before);
  });
});

test("H5: two histories of one session are not taken for one", async () => {
  const parts = [folder(), folder()].map((here) => chat((id) => new FileHistory(here, id)));
  const legacy = chain((said: Said) => Promise.all(parts.map((part) => part(said))));
  const first = await legacy.invoke(say("s", "one"), LIVE);
  const second = await legacy.invoke(say("s", "one"), recorded(stored(first)));
  expect(second.outcome).toMatchObject({ error: { code: "RECORDING_LOSSY" } });
  expect(second.memory).toMatchObject([{ served: "refused", lossy: true }]);
});

test("H5: what a tool does to a memory is a part of the tool's record", async () => {
  const file = join(folder(), "store");
  const legacy = chain(noting(new FileStore(file)));
  for (const [text, reply] of [
    ["one", "undefined, then one"],
    ["two", "one, then two"],
  ] as const) {
    const first = await legacy.invoke(say("s", text), LIVE);
    expect(first.outcome).toMatchObject({ value: [text, reply] });
    const before = readFileSync(file, "utf8");
    const options = recorded(stored(first));
    const tools = { ...options.tools, recording: first.calls };
    const second = await legacy.invoke(say("s", text), { ...options, tools });
    expect(second.calls).toMatchObject([{ tool: "note", served: "recorded" }]);
    expect(second.outcome).toEqual(first.outcome);
    expect(readFileSync(file, "utf8")).toBe(before);
  }
});

test("H5: a memory that is too large to be kept is refused, and not cut", async () => {
  const legacy = chain(chat((session) => new FileHistory(here, session)));
  const here = folder();
  await legacy.invoke(say("s", "x".repeat(1_100_000)), LIVE);
  const first = await legacy.invoke(say("s", "one"), LIVE);
  expect(first.memory).toMatchObject([{ kind: "messages", lossy: true, served: "live" }]);
  expect(first.memory?.[0]).not.toHaveProperty("value");
  const second = await legacy.invoke(say("s", "one"), recorded(stored(first)));
  expect(second.outcome).toMatchObject({ error: { code: "RECORDING_LOSSY" } });
});

test("a package of memories that does not load is no hindrance to a chain that does without it", async () => {
  const here = folder();
  const packages = join(here, "node_modules/@langchain");
  mkdirSync(join(packages, "classic"), { recursive: true });
  symlinkSync(resolve("node_modules/@langchain/core"), join(packages, "core"));
  const exports = { "./memory": { import: "./memory.js" } };
  const manifest = { name: "@langchain/classic", type: "module", exports };
  writeFileSync(join(packages, "classic/package.json"), JSON.stringify(manifest));
  writeFileSync(join(packages, "classic/memory.js"), "throw (globalThis.classicFailed = Error());");
  const legacy = chain(
    chat((session) => new FileHistory(here, session)),
    { from: here },
  );
  const first = await legacy.invoke(say("s", "one"), LIVE);
  expect(globalThis).toHaveProperty("classicFailed");
  expect(first).toMatchObject({ outcome: { status: "returned" }, memory: [{ kind: "messages" }] });
});
