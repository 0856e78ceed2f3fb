/**
 * Sessions: the message history that `RunnableWithMessageHistory` opens for a run.
 *
 * Whatever history the user's code gives, it is asked for where LangChain merges it into its
 * configuration. In a live run its messages are recorded when they are first read; in recorded mode
 * the user's history is not even opened, and LangChain's own list of messages stands in for it.
 */
import { TwintrackError } from "../core/error.ts";
import { type JsonValue, toJson } from "../core/json.ts";
import type { CoreExports } from "./installed.ts";
import { currentMemory, type Memory, type Source } from "./memory.ts";
import { replace } from "./patch.ts";

type Messages = readonly unknown[];

interface History {
  getMessages(): Promise<Messages>;
}

type Open = (sessionId: unknown) => History | Promise<History>;

interface WithHistory {
  getMessageHistory: Open;
}

/** Patches one copy of core. */
export function patchHistories(core: CoreExports): void {
  const { RunnableWithMessageHistory: withHistory } = core;
  if (typeof withHistory !== "function") return;
  replace<(this: WithHistory, ...configs: unknown[]) => unknown>(
    withHistory.prototype,
    "_mergeConfig",
    (original) =>
      function _mergeConfig(...configs) {
        const memory = currentMemory();
        if (!memory) return original.apply(this, configs);
        const { getMessageHistory: open } = this;
        const getMessageHistory: Open = (sessionId) => historyOf({ core, memory, open, sessionId });
        const derived = Object.create(this, { getMessageHistory: { value: getMessageHistory } });
        return original.apply(derived as WithHistory, configs);
      },
  );
}

interface Session {
  core: CoreExports;
  memory: Memory;
  open: Open;
  sessionId: unknown;
}

async function historyOf(session: Session): Promise<History> {
  const { memory, open, sessionId } = session;
  return memory.isolated ? overlaid(session) : observed(await open(sessionId), session);
}

/** In recorded mode: one list per session, that begins as the recorded one. */
function overlaid(session: Session): Promise<History> {
  const { core, memory, open, sessionId } = session;
  const read = source(session, async () => (await open(sessionId)).getMessages());
  const { InMemoryChatMessageHistory: List } = core as unknown as {
    InMemoryChatMessageHistory: new (messages: unknown[]) => History;
  };
  const { opener, history } = memory.held(`messages ${JSON.stringify(read.key)}`, () => ({
    opener: open,
    history: memory.before(read).then((messages) => new List([...messages])),
  }));
  if (opener !== open) memory.refuse(read, ambiguous(sessionId));
  return history;
}

const WRITES: ReadonlySet<PropertyKey> = new Set([
  "addMessage",
  "addMessages",
  "addUserMessage",
  "addAIMessage",
  "addAIChatMessage",
  "clear",
]);

/** The user's own history; its first read is recorded, unless this run wrote before it. */
function observed(history: History, session: Session): History {
  const { memory } = session;
  const state = memory.held(history, () => ({ isKnown: false }));
  const getMessages = async () => {
    if (state.isKnown) return history.getMessages();
    state.isKnown = true;
    return memory.before(source(session, () => history.getMessages()));
  };
  return new Proxy(history, {
    get(target, name) {
      if (name === "getMessages") return getMessages;
      if (WRITES.has(name)) state.isKnown = true;
      const value: unknown = Reflect.get(target, name, target);
      // A history's private fields are reached through itself only.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function source({ core, open, sessionId }: Session, live: Source<Messages>["live"]) {
  const { mapChatMessagesToStoredMessages: stored, mapStoredMessagesToChatMessages: revived } =
    core as Record<string, (messages: unknown) => unknown>;
  return {
    kind: "messages",
    // Two histories of one session differ at least in the code that opens them.
    key: { session: toJson(sessionId).value, opener: open.name },
    live,
    encode: (messages) => toJson(stored?.(messages)),
    decode: (messages: JsonValue) => revived?.(messages) as Messages,
  } satisfies Source<Messages>;
}

function ambiguous(sessionId: unknown): TwintrackError {
  return new TwintrackError(
    "RECORDING_LOSSY",
    `Two functions open the message history of session ${String(sessionId)} in one run, so a record cannot say which one was read`,
    { hint: "Make one getMessageHistory per store, outside of the run." },
  );
}
