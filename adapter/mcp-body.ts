/** What an HTTP client sent, read up to a limit, and how it is told that it cannot be used. */
import { parseMessage } from "./mcp-message.ts";

export type Body =
  | { kind: "none" }
  | { kind: "json"; value: unknown }
  | { kind: "refused"; response: Response };

const BAD_REQUEST = 400;
const TOO_LARGE = 413;
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;

export async function bodyOf(request: Request, limitBytes: number): Promise<Body> {
  if (!request.body) return { kind: "none" };
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) return refused(TOO_LARGE, INVALID_REQUEST, tooLong(limitBytes));
    chunks.push(chunk);
  }
  return parsed(Buffer.concat(chunks).toString());
}

function parsed(text: string): Body {
  if (text === "") return { kind: "none" };
  try {
    return { kind: "json", value: parseMessage(text) };
  } catch {
    return refused(BAD_REQUEST, PARSE_ERROR, "The body is not JSON");
  }
}

function tooLong(limitBytes: number): string {
  return `The request is larger than the limit of ${limitBytes} bytes`;
}

function refused(status: number, code: number, message: string): Body {
  return { kind: "refused", response: failure(status, code, message) };
}

/** A JSON-RPC error; without an id it belongs to no request. */
export function failure(
  status: number,
  code: number,
  message: string,
  id: unknown = null,
): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id }, { status });
}
