/**
 * JSON-RPC requests over one stream of frames, with deadlines.
 *
 * A request that is given up is cancelled on the other side, which confirms when nothing of it is
 * running any more. If it does not within the grace, the request is stuck, and the process is spent.
 * The other side asks something itself only in the midst of a request that offers to answer.
 */
import { AsyncResource } from "node:async_hooks";
import { ERROR_CODES, type ErrorCode, messageOf, TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../core/json.ts";
import { parseLongIntegers } from "../core/long-integer.ts";
import type { ToolCallOptions } from "../core/tool.ts";
import type { AnswerRead } from "./chain.ts";
import type { Frame } from "./frame.ts";

export interface RequestOptions extends Pick<ToolCallOptions, "signal" | "onProgress"> {
  /** What to call it in an error, for example `tool find_order`. */
  what: string;
  timeoutMs: number;
  /** How much of the limit has passed already. */
  elapsedMs?: number;
  /** Takes the chunks of a streamed chain; the other side waits when too many are not taken. */
  onChunk?: ((chunk: JsonValue) => Promise<void>) | undefined;
  /** Answers what a chain reads and nobody recorded. */
  onRead?: AnswerRead | undefined;
  /** Called when the process that will answer is known; a throw refuses the request. */
  admit?: () => void;
}

/** The stream a connection writes to, and what it tells its owner. */
export interface RpcPeer {
  write(text: string): void;
  /** A promise while the stream is full. */
  drained(): Promise<void> | undefined;
  /** A request is running again. */
  onBusy(): void;
  /** No request is running any more. */
  onIdle(): void;
  /** No other request may meet what goes on or was left there. */
  onSpent(): void;
  /** After a cancelled request has this long passed, it is stuck. */
  graceMs: number;
}

interface Pending {
  what: string;
  resolve: (result: JsonObject) => void;
  reject: (error: TwintrackError) => void;
  onProgress: ToolCallOptions["onProgress"];
  onChunk: RequestOptions["onChunk"];
  onRead: RequestOptions["onRead"];
}

const ID_IN_PREFIX = /"id"\s*:\s*(\d+)/;
const INTERNAL_ERROR = -32603;

/** A longer wait than a Node timer can count would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** In a result's `_meta`: the answer is here, but work of the request goes on. */
const RUNNING_META_KEY = "twintrack/running";
/** The same: what a run left changed in its process besides memory. */
const LEFT_META_KEY = "twintrack/left";

export class RpcConnection {
  readonly #peer: RpcPeer;
  readonly #pending = new Map<number, Pending>();
  /** Given up and not confirmed, with the timer that ends our patience. */
  readonly #givenUp = new Map<number, NodeJS.Timeout>();
  #lastId = 0;
  /** Frames that were no message, or answered nothing that was asked. */
  strayFrames = 0;

  constructor(peer: RpcPeer) {
    this.#peer = peer;
  }

  get idle(): boolean {
    return this.#pending.size === 0;
  }

  /** @throws {TwintrackError} `TIMEOUT`, `CANCELLED`, the code the other side gave, or of `fail`. */
  async request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
    const id = ++this.#lastId;
    const { what, timeoutMs, elapsedMs = 0, signal, onProgress, onChunk } = options;
    // What comes from the process comes in its context, which may reach the world.
    const onRead = options.onRead && AsyncResource.bind(options.onRead);
    const expire = () => this.#giveUp(id, timeoutError(what, timeoutMs));
    const timer = setTimeout(expire, Math.min(timeoutMs - elapsedMs, LONGEST_TIMER_MS));
    const abort = () => this.#giveUp(id, cancelledError(what));
    this.#pending.set(id, { what, resolve, reject, onProgress, onChunk, onRead });
    this.#peer.onBusy();
    void this.#send(id, method, onProgress ? withProgressToken(params, id) : params);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (this.idle) this.#peer.onIdle();
    }
  }

  notify(method: string, params: JsonObject): void {
    this.#peer.write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`);
  }

  /** Rejects all that is running. */
  fail(errorFor: (what: string) => TwintrackError): void {
    for (const timer of this.#givenUp.values()) clearTimeout(timer);
    this.#givenUp.clear();
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { what, reject } of lost) reject(errorFor(what));
  }

  receive(frame: Frame): void {
    if (frame.kind === "oversize") {
      this.#rejectOversize(frame.prefix);
      return;
    }
    const message = parse(frame.text);
    if (!isJsonObject(message)) this.strayFrames += 1;
    else if (message.method === "twintrack/chain/read") void this.#answerRead(message);
    else if (typeof message.method === "string") this.#receiveNotification(message);
    else this.#receiveAnswer(message);
  }

  #send(id: number, method: string, params: JsonObject): Promise<void> {
    return this.#writeFor(id, { id, method, params });
  }

  /** A message that only makes sense while the request runs. */
  async #writeFor(requestId: number, message: object): Promise<void> {
    // One after the other: all at once, they would fill our memory instead of the pipe.
    for (let full = this.#peer.drained(); full; full = this.#peer.drained()) await full;
    // It may have been given up, or lost, while it waited for the stream.
    if (!this.#pending.has(requestId)) return;
    this.#peer.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  async #answerRead({ id = null, params }: JsonObject): Promise<void> {
    const { requestId, tool, args = null } = isJsonObject(params) ? params : {};
    const onRead = this.#pending.get(Number(requestId))?.onRead;
    if (!onRead || typeof tool !== "string") {
      this.strayFrames += 1;
      return;
    }
    const answer = await answered(() => onRead(tool, args));
    await this.#writeFor(Number(requestId), { id, ...answer });
  }

  #giveUp(id: number, error: TwintrackError): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    this.#awaitEnd(id);
    pending.reject(error);
  }

  #awaitEnd(id: number): void {
    const confirm = { "twintrack/confirm": true };
    this.notify("notifications/cancelled", { requestId: id, _meta: confirm });
    this.#givenUp.set(
      id,
      setTimeout(() => {
        this.#givenUp.delete(id);
        this.#peer.onSpent();
      }, this.#peer.graceMs).unref(),
    );
  }

  #receiveAnswer(message: JsonObject): void {
    const id = typeof message.id === "number" ? message.id : Number.NaN;
    const pending = this.#pending.get(id);
    if (!pending) {
      this.strayFrames += 1;
      return;
    }
    this.#pending.delete(id);
    const { result, error } = message;
    if (!isJsonObject(result)) {
      pending.reject(errorOf(pending.what, error));
      return;
    }
    const meta = isJsonObject(result._meta) ? result._meta : {};
    if (meta[RUNNING_META_KEY]) this.#awaitEnd(id);
    if (meta[LEFT_META_KEY]) this.#peer.onSpent();
    pending.resolve(result);
  }

  #receiveNotification(message: JsonObject): void {
    const params = isJsonObject(message.params) ? message.params : {};
    if (message.method === "notifications/twintrack/settled") {
      const id = Number(params.requestId);
      clearTimeout(this.#givenUp.get(id));
      this.#givenUp.delete(id);
    } else if (message.method === "notifications/progress") {
      this.#progress(params);
    } else if (message.method === "notifications/twintrack/chunk") {
      this.#chunk(params);
    }
  }

  #progress(params: JsonObject): void {
    const { progress, total, message } = params;
    const onProgress = this.#pending.get(Number(params.progressToken))?.onProgress;
    if (!onProgress || typeof progress !== "number") return;
    try {
      onProgress({
        progress,
        ...(typeof total === "number" ? { total } : {}),
        ...(typeof message === "string" ? { message } : {}),
      });
    } catch {
      // A listener that throws may not break the connection for other calls.
    }
  }

  #chunk({ requestId = null, chunk = null }: JsonObject): void {
    const taking = this.#pending.get(Number(requestId))?.onChunk?.(chunk);
    const taken = () => this.notify("notifications/twintrack/taken", { requestId });
    // Who reads no more has given the request up: then nobody waits for this either.
    taking?.then(taken, () => undefined);
  }

  #rejectOversize(prefix: string): void {
    const id = Number(ID_IN_PREFIX.exec(prefix)?.[1]);
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(
      new TwintrackError("VALUE_TOO_LARGE", `${pending.what} was done; its answer is too large`, {
        hint: "Raise maxFrameBytes, or have the tool return less.",
      }),
    );
  }
}

function withProgressToken(params: JsonObject, id: number): JsonObject {
  const meta = isJsonObject(params._meta) ? params._meta : {};
  return { ...params, _meta: { ...meta, progressToken: id } };
}

async function answered(work: () => Promise<JsonValue>): Promise<object> {
  try {
    return { result: { value: toJson(await work()).value } };
  } catch (thrown) {
    return { error: { code: INTERNAL_ERROR, message: messageOf(thrown) } };
  }
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseLongIntegers(text);
  } catch {
    return undefined;
  }
}

export function timeoutError(what: string, timeoutMs: number): TwintrackError {
  return new TwintrackError("TIMEOUT", `${what} did not finish within ${timeoutMs} ms`);
}

export function cancelledError(what: string): TwintrackError {
  return new TwintrackError("CANCELLED", `${what} was cancelled by the caller`);
}

/** What comes first: the promise, the caller's deadline, or the caller's signal. */
export async function untilLimit<T>(
  promise: Promise<T>,
  { what, timeoutMs, elapsedMs = 0, signal }: RequestOptions,
): Promise<T> {
  const limit = Promise.withResolvers<never>();
  const expire = () => limit.reject(timeoutError(what, timeoutMs));
  const timer = setTimeout(expire, Math.min(timeoutMs - elapsedMs, LONGEST_TIMER_MS));
  const abort = () => limit.reject(cancelledError(what));
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, limit.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** A JSON-RPC error as ours. An internal error of the bridge does not say that nothing was done. */
function errorOf(what: string, error: JsonValue | undefined): TwintrackError {
  const fields = isJsonObject(error) ? error : {};
  const data = isJsonObject(fields.data) ? fields.data : {};
  const given = String(data.code);
  const fallback = fields.code === INTERNAL_ERROR ? "PYTHON_LOST" : "TOOL_FAILED";
  const code = Object.hasOwn(ERROR_CODES, given) ? (given as ErrorCode) : fallback;
  return new TwintrackError(code, `${what}: ${String(fields.message ?? "malformed answer")}`);
}
