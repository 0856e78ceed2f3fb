/**
 * A message of an MCP client, read so that the arguments of a tool call keep integers beyond 2^53: a
 * tool in Python holds them, and one digit more or less is another order, or another person.
 */
import { isJsonObject } from "../core/json.ts";
import { mayHoldLongInteger, parseLongIntegers } from "../core/long-integer.ts";

/** @throws {SyntaxError} for text that is no JSON. */
export function parseMessage(text: string): unknown {
  const message = JSON.parse(text) as unknown;
  return mayHoldLongInteger(text) ? withArgumentsOf(parseLongIntegers(text), message) : message;
}

/** Nothing else is taken: an id, for example, has to be a number. */
function withArgumentsOf(exact: unknown, message: unknown): unknown {
  if (Array.isArray(message) && Array.isArray(exact))
    return message.map((one, index) => withArgumentsOf(exact[index], one));
  if (!isJsonObject(message) || !isJsonObject(exact) || message.method !== "tools/call")
    return message;
  const { params } = message;
  if (!isJsonObject(params) || !isJsonObject(exact.params) || !("arguments" in params))
    return message;
  return { ...message, params: { ...params, arguments: exact.params.arguments ?? null } };
}
