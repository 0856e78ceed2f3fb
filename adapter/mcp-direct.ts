/**
 * A connection whose tool calls are answered where they are read.
 *
 * The SDK checks every request and result against its own schemas and wraps each in a context, which
 * costs more than many tools. A well-formed `tools/call` of a 2025-era connection needs none of it;
 * whatever else comes goes to the SDK: other methods, calls of another shape, and all of HTTP, where
 * a call belongs to a request of its own.
 */
import {
  type JSONRPCMessage,
  type MessageExtraInfo,
  ProtocolError,
  type Result,
  type Transport,
} from "@modelcontextprotocol/server";
import { messageOf } from "../core/error.ts";
import type { Call, CallContext } from "./mcp-call.ts";

type Answer = (call: Call, context: CallContext) => Promise<Result>;

type Id = string | number;

interface DirectCall extends Call {
  id: Id;
  meta: Readonly<Record<string, unknown>> | undefined;
}

const INTERNAL_ERROR = -32_603;

/** The transport as the SDK sees it: without the calls that `answer` takes. */
export function directly(inner: Transport, answer: Answer): Transport {
  const running = new Map<Id, AbortController>();
  const send = (message: JSONRPCMessage) =>
    // A client that has gone is told nothing.
    inner.send(message).catch(() => undefined);
  const take = (call: DirectCall) => {
    const { id, meta } = call;
    const abort = new AbortController();
    running.set(id, abort);
    const notify = async (params: Record<string, unknown>) => {
      if (running.get(id) === abort)
        await send({ jsonrpc: "2.0", method: "notifications/progress", params });
    };
    const end = (reply: JSONRPCMessage) => {
      if (running.get(id) === abort) running.delete(id);
      if (!abort.signal.aborted) void send(reply);
    };
    answer(call, { signal: abort.signal, meta, notify }).then(
      (result) => end({ jsonrpc: "2.0", id, result }),
      (thrown: unknown) => end({ jsonrpc: "2.0", id, error: errorOf(thrown) }),
    );
  };
  const outer: Transport = {
    start() {
      inner.onclose = () => {
        for (const abort of running.values()) abort.abort();
        outer.onclose?.();
      };
      inner.onerror = (error) => outer.onerror?.(error);
      inner.onmessage = (message, extra) => {
        const takenBack = cancelledBy(message);
        if (takenBack !== undefined) running.get(takenBack)?.abort();
        const call = callIn(message, extra);
        if (call && !running.has(call.id)) take(call);
        else outer.onmessage?.(message, extra);
      };
      return inner.start();
    },
    send: (message, options) => inner.send(message, options),
    close: () => inner.close(),
    setProtocolVersion: (version) => inner.setProtocolVersion?.(version),
    setSupportedProtocolVersions: (versions) => inner.setSupportedProtocolVersions?.(versions),
    get sessionId() {
      return inner.sessionId;
    },
  };
  return outer;
}

/** Undefined for what the SDK should judge. */
function callIn(message: JSONRPCMessage, extra: MessageExtraInfo | undefined) {
  if (!("method" in message) || message.method !== "tools/call" || !("id" in message)) {
    return undefined;
  }
  const params = message.params ?? {};
  const { name, arguments: args, _meta: meta } = params;
  if (extra?.request || typeof name !== "string") return undefined;
  if (!Object.keys(params).every((key) => PARAMS.has(key))) return undefined;
  if (!isOptionalRecord(args) || !isOptionalRecord(meta)) return undefined;
  return { id: message.id, name, arguments: args, meta } satisfies DirectCall;
}

const PARAMS: ReadonlySet<string> = new Set(["name", "arguments", "_meta"]);

function isOptionalRecord(value: unknown): value is Record<string, unknown> | undefined {
  if (value === undefined) return true;
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The request that a message takes back. */
function cancelledBy(message: JSONRPCMessage): Id | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const { requestId } = message.params ?? {};
  return typeof requestId === "string" || typeof requestId === "number" ? requestId : undefined;
}

function errorOf(thrown: unknown): { code: number; message: string; data?: unknown } {
  if (!(thrown instanceof ProtocolError)) {
    return { code: INTERNAL_ERROR, message: messageOf(thrown) };
  }
  const { code, message, data } = thrown;
  return data === undefined ? { code, message } : { code, message, data };
}
