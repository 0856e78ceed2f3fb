/**
 * LangGraph's own control flow, when a tool uses it where no graph is.
 *
 * What a `Command` adds to a graph's state is data, and is given as such. A `goto` and an
 * `interrupt()` have meaning only inside a graph, and are never passed over in silence: by default
 * they are an error that says what to write instead; by the policy `"serialise"` such a command is
 * data, too, for a host that acts on it.
 */
import { messageOf } from "../core/error.ts";
import { type JsonValue, toJson } from "../core/json.ts";
import { RESULT_META_KEY, type ToolResult } from "../core/tool.ts";
import { textBlock } from "./block.ts";
import { type CommandLike, hasFormOfToolMessage, type MessageLike } from "./message.ts";

export type CommandPolicy = "error" | "serialise";

const COMMAND_HINT =
  "The tool returned a LangGraph Command (goto). Only a graph can follow it: return the data, and let the typed flow decide the next step.";
export const INTERRUPT_HINT =
  "The tool called interrupt(), which only works inside a graph. In a typed flow, put a `wait` step before the tool instead.";

export function commandResult(
  commands: readonly CommandLike[],
  messages: readonly MessageLike[],
  durationMs: number,
  policy: CommandPolicy,
): ToolResult {
  const told = commands.map(fieldsOf);
  if (policy === "error" && commands.some(asksGraph)) {
    const error = { name: "CommandReturned", message: COMMAND_HINT };
    return {
      content: [textBlock(COMMAND_HINT)],
      isError: true,
      _meta: { [RESULT_META_KEY]: { error, commands: told, durationMs } },
    };
  }
  const seen = [...messages, ...commands.flatMap(messagesIn)].map(({ content }) => textOf(content));
  const texts = seen.length > 0 ? seen : told.map((command) => JSON.stringify(command));
  const raw = dataOfCommands(commands);
  return {
    content: texts.map(textBlock),
    _meta: { [RESULT_META_KEY]: { raw, lossy: true, commands: told, durationMs } },
  };
}

/** Of one command its fields; of several a list. */
export function dataOfCommands(commands: readonly CommandLike[]): JsonValue {
  const told = commands.map(fieldsOf);
  return told.length === 1 ? (told[0] as JsonValue) : told;
}

/** An update of the state is data; where to go on, and with what, only a graph can follow. */
export function asksGraph({ goto, resume, graph }: CommandLike): boolean {
  return (goto !== undefined && !isEmptyList(goto)) || resume !== undefined || graph !== undefined;
}

/** What an interrupt asked for, as data; empty outside a graph, and undefined for other errors. */
export function interruptsOf(thrown: unknown): JsonValue[] | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const isInterrupt =
    thrown.name === "GraphInterrupt" || /interrupt\(\)|No configurable found/.test(thrown.message);
  if (!isInterrupt) return undefined;
  const { interrupts } = thrown as { interrupts?: unknown };
  return Array.isArray(interrupts) ? interrupts.map(dataOf) : [];
}

function fieldsOf({ update, goto, resume, graph }: CommandLike): JsonValue {
  const fields = Object.entries({ update, goto, resume, graph });
  const given = fields.filter(([, value]) => value !== undefined && !isEmptyList(value));
  return Object.fromEntries(given.map(([name, value]) => [name, dataOf(value)]));
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function messagesIn({ update }: CommandLike): MessageLike[] {
  const { messages } = (update ?? {}) as { messages?: unknown };
  return Array.isArray(messages) ? messages.filter(hasFormOfToolMessage) : [];
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(dataOf(content));
}

function dataOf(value: unknown): JsonValue {
  try {
    return toJson(value).value;
  } catch (cause) {
    return { reason: messageOf(cause) };
  }
}
