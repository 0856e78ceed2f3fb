/**
 * Messages and commands that a tool returned, in a form from which they can be made again.
 *
 * A candidate is given data. A graph that runs once more as a shadow needs LangChain's own objects:
 * they are stored in LangChain's own form, and made from the classes that the chain has loaded.
 */
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../core/json.ts";
import type { CoreExports } from "./installed.ts";

type Make = (fields: object) => unknown;

/** What objects are made with; of LangGraph only where it is installed. */
const makers: { message?: Make; command?: Make; send?: Make } = {};

/** Takes the classes of one copy of core and, when there is one, of LangGraph. */
export function learnClasses(core: CoreExports | undefined, graph: CoreExports | undefined): void {
  const { mapStoredMessagesToChatMessages: revive } = core ?? {};
  const { Command, Send } = graph ?? {};
  if (typeof revive === "function") makers.message ??= (stored) => revive([stored])[0];
  if (isClass(Command)) makers.command ??= (fields) => new Command(fields);
  if (isClass(Send))
    makers.send ??= ({ node, args }: { node?: unknown; args?: unknown }) => new Send(node, args);
}

function isClass(value: unknown): value is new (...args: unknown[]) => unknown {
  return typeof value === "function";
}

/**
 * Messages and commands; undefined when something of them would be lost.
 *
 * @param callId which call the tool answered; another run makes the same call under another id.
 */
export function storedDirect(raw: unknown, callId: string | undefined): JsonValue | undefined {
  try {
    const stored = store(raw, callId);
    const again = store(revivedDirect(stored, callId), callId);
    return JSON.stringify(again) === JSON.stringify(stored) ? stored : undefined;
  } catch {
    return undefined;
  }
}

/** @throws {TypeError} when the chain has not loaded what the value is made of. */
export function revivedDirect(stored: JsonValue, callId: string | undefined): unknown {
  if (Array.isArray(stored)) return stored.map((item) => revivedDirect(item, callId));
  if (!isJsonObject(stored)) return stored;
  const revived = (value: object) =>
    fieldsOf(value, (field) => revivedDirect(field as JsonValue, callId));
  if (stored.$made === undefined) return revived(stored);
  const { $made: kind, isAnswer, ...given } = stored;
  const fields = revived(given);
  const make = makers[kind as keyof typeof makers];
  if (!make) throw new TypeError(`nothing makes a ${String(kind)} here`);
  if (isAnswer) (fields.data as JsonObject).tool_call_id = callId ?? "";
  return make(fields);
}

function store(value: unknown, callId: string | undefined): JsonValue {
  if (Array.isArray(value)) return value.map((item) => store(item, callId));
  if (typeof value !== "object" || value === null) return whole(value);
  if ("toDict" in value && "_getType" in value) return storedMessage(value as Message, callId);
  const { lg_name, ...fields } = value as { lg_name?: unknown };
  if (lg_name === undefined && !isPlain(value)) return whole(value);
  if ("$made" in value) throw new TypeError("a field has the name of the mark");
  const stored = fieldsOf(fields, (field) => store(field, callId)) as JsonObject;
  return lg_name === undefined ? stored : { $made: String(lg_name).toLowerCase(), ...stored };
}

interface Message {
  toDict(): { type: string; data: { tool_call_id?: unknown } };
}

function storedMessage(message: Message, callId: string | undefined): JsonValue {
  const { type, data } = message.toDict();
  const isAnswer = callId !== undefined && data.tool_call_id === callId;
  const { tool_call_id: _, ...others } = data;
  return {
    $made: "message",
    ...(isAnswer && { isAnswer }),
    type,
    data: whole(isAnswer ? others : data),
  };
}

function whole(value: unknown): JsonValue {
  const { value: json, lossy } = toJson(value);
  if (lossy) throw new TypeError("it has no form in JSON");
  return json;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Without those that are undefined: no constructor tells them from absent ones. */
function fieldsOf(value: object, each: (field: unknown) => unknown): Record<string, unknown> {
  const given = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(given.map(([name, field]) => [name, each(field)]));
}
