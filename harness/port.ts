/** Questions and answers between threads: each question is answered or fails, and so do all when the other side ends. */
import {
  type MessagePort,
  type Transferable,
  Worker,
  type WorkerOptions,
} from "node:worker_threads";
import {
  ERROR_CODES,
  type ErrorCode,
  isTwintrackError,
  messageOf,
  TwintrackError,
} from "../core/error.ts";

interface Question {
  id: number;
  question: unknown;
}

type Reply =
  | { id: number; answer: unknown }
  | { id: number; error: { message: string; code?: string; hint?: string } };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export interface Asker {
  /** While a question waits for its answer, the port keeps the process alive. */
  ask<Answer>(question: object, transfer?: readonly Transferable[]): Promise<Answer>;
  /** The other side is gone: what waits and what comes fails with this. */
  lose(error: Error): void;
}

/** @param hear gets what the other side says unasked */
export function askerOf(
  port: Worker | MessagePort,
  hear: (news: unknown) => void = () => undefined,
): Asker {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let gone: Error | undefined;
  port.on("message", (message: Reply | { news: unknown }) => {
    if ("news" in message) return hear(message.news);
    const waiter = waiting.get(message.id);
    waiting.delete(message.id);
    if (waiting.size === 0) port.unref();
    if ("error" in message) waiter?.reject(revived(message.error));
    else waiter?.resolve(message.answer);
  });
  port.unref();
  return {
    ask<Answer>(question: object, transfer: readonly Transferable[] = []) {
      if (gone) return Promise.reject(gone);
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      port.ref();
      port.postMessage({ id, question } satisfies Question, [...transfer]);
      return promise as Promise<Answer>;
    },
    lose(error) {
      gone ??= error;
      for (const waiter of waiting.values()) waiter.reject(gone);
      waiting.clear();
    },
  };
}

/** A thread that answers questions. */
export interface Thread extends Pick<Asker, "ask"> {
  end(): Promise<void>;
}

export interface ThreadHooks {
  /** The error of every question once the thread is gone; may be called twice, the first one counts. */
  lost(what: string, cause?: unknown): Error;
  hear?(news: unknown): void;
}

/** Starts a thread, and waits until it has answered `{ kind: "open" }`; it is ended when it refuses. */
export async function startThread(
  file: URL,
  options: WorkerOptions,
  { lost, hear }: ThreadHooks,
): Promise<Thread> {
  const worker = new Worker(file, options);
  const { ask, lose } = askerOf(worker, hear);
  worker.on("error", (cause) => lose(lost(`stopped: ${messageOf(cause)}`, cause)));
  worker.on("exit", () => lose(lost("has ended")));
  const end = async () => void (await worker.terminate());
  await ask({ kind: "open" }).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return { ask, end };
}

/** Answers what comes over the port, several at a time if they come so. */
export function answerOn<Asked>(
  port: MessagePort,
  answer: (question: Asked) => Promise<unknown>,
): void {
  port.on("message", ({ id, question }: Question) => {
    void answer(question as Asked).then(
      (answered) => port.postMessage({ id, answer: answered } satisfies Reply),
      (thrown: unknown) => port.postMessage({ id, error: told(thrown) } satisfies Reply),
    );
  });
}

/** Says something unasked. */
export function tell(port: MessagePort, news: unknown): void {
  port.postMessage({ news });
}

function told(thrown: unknown): { message: string; code?: string; hint?: string } {
  const { message, code } = thrown as { message?: unknown; code?: unknown };
  const hint = isTwintrackError(thrown) ? thrown.hint : undefined;
  return {
    message: String(message ?? thrown),
    ...(typeof code === "string" && { code }),
    ...(hint !== undefined && { hint }),
  };
}

function revived({
  message,
  code,
  hint,
}: {
  message: string;
  code?: string;
  hint?: string;
}): Error {
  if (code !== undefined && isOurs(code))
    return new TwintrackError(code, message, hint === undefined ? {} : { hint });
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

function isOurs(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
