/** What a tool returns that LangChain passes on untouched: tool messages and commands. */

export interface MessageLike {
  content: unknown;
  artifact?: unknown;
  status?: string;
}

export interface CommandLike {
  update?: unknown;
  goto?: unknown;
  resume?: unknown;
  graph?: unknown;
}

export type Direct =
  | { kind: "message"; message: MessageLike }
  | { kind: "command"; command: CommandLike };

/**
 * A message of LangChain's own. Data that only has the form of one (an answer of some model's
 * service, say) is what the tool returned, and LangChain makes a message of it as of any object.
 */
export function isToolMessage(value: unknown): value is MessageLike {
  // The first mark is the one LangChain looks for; its older versions did not set it.
  const isMade = isRecord(value) && (value.lc_direct_tool_output === true || "_getType" in value);
  return isMade && hasFormOfToolMessage(value);
}

/** Also the plain form, which a graph takes for a message in the update of a command. */
export function hasFormOfToolMessage(value: unknown): value is MessageLike {
  return isRecord(value) && typeof value.tool_call_id === "string" && "content" in value;
}

/** Undefined for anything but messages and commands, alone or in a list. */
export function directOutputs(value: unknown): Direct[] | undefined {
  if (!Array.isArray(value)) {
    const direct = isRecord(value) ? directOf(value) : undefined;
    return direct && [direct];
  }
  const all = value.map((item) => (isRecord(item) ? directOf(item) : undefined));
  const found = all.filter((item) => item !== undefined);
  return found.length > 0 && found.length === all.length ? found : undefined;
}

function directOf(value: Record<string, unknown>): Direct | undefined {
  if (isCommand(value)) return { kind: "command", command: value };
  return isToolMessage(value) ? { kind: "message", message: value } : undefined;
}

function isCommand(value: Record<string, unknown>): boolean {
  return value.lg_name === "Command" || (value.lc_direct_tool_output === true && "goto" in value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
