/**
 * Parameters that an HTTP client mirrors in headers, for proxies that route by them (SEP-2243).
 *
 * A schema declares them with `x-mcp-header`. What a proxy decided on has to be what the tool gets,
 * so a call whose headers and arguments disagree is refused before it reaches the tool.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { digitsOf } from "../core/long-integer.ts";
import type { ToolServer } from "./tool-server.ts";

interface Mirrored {
  header: string;
  path: readonly string[];
}

/** Says where headers and body disagree; undefined for what is no call, or one that agrees. */
export async function headerMismatch(
  tools: ToolServer,
  body: unknown,
  headers: Headers,
): Promise<string | undefined> {
  // Only the revisions with `Mcp-Method` know mirrored parameters.
  if (!headers.has("mcp-method") || !isJsonObject(body) || body.method !== "tools/call") {
    return undefined;
  }
  const { name, arguments: args } = isJsonObject(body.params) ? body.params : {};
  const contract = (await tools.listTools()).find((known) => known.name === name);
  const mirrored = contract ? mirroredIn(contract.inputSchema) : [];
  return mirrored.map((one) => disagreement(one, args, headers)).find((reason) => reason);
}

function mirroredIn({ properties }: JsonObject, path: readonly string[] = []): Mirrored[] {
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, schema]) => {
    if (!isJsonObject(schema)) return [];
    const here = [...path, name];
    const header = schema["x-mcp-header"];
    const own = typeof header === "string" ? [{ header: `Mcp-Param-${header}`, path: here }] : [];
    return [...own, ...mirroredIn(schema, here)];
  });
}

function disagreement(
  { header, path }: Mirrored,
  args: JsonValue | undefined,
  headers: Headers,
): string | undefined {
  const found = valueAt(args, path);
  const value = isJsonObject(found) ? digitsOf(found) : found;
  // Without a value in the body, a header says nothing about it.
  if (value === undefined || value === null || typeof value === "object") return undefined;
  const sent = headers.get(header);
  const told = `the body carries /${path.join("/")}=${JSON.stringify(value)}`;
  if (sent === null) return `${told}, but the header ${header} is missing`;
  const decoded = decode(sent);
  if (decoded === undefined) return `the header ${header} is not valid Base64`;
  const agrees =
    decoded === String(value) ||
    (typeof value === "number" && decoded.trim() !== "" && Number(decoded) === value);
  return agrees ? undefined : `${told}, but the header ${header} says ${JSON.stringify(decoded)}`;
}

function valueAt(args: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (at, name) => (isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined),
    args,
  );
}

const ENCODED = /^=\?base64\?(.*)\?=$/s;
const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What a header cannot carry as it is travels as `=?base64?…?=`; anything else is literal. */
function decode(text: string): string | undefined {
  const payload = ENCODED.exec(text)?.[1];
  if (payload === undefined) return text;
  if (!CANONICAL.test(payload)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(payload, "base64"));
  } catch {
    return undefined;
  }
}
