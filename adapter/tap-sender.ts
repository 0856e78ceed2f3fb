/**
 * Sends tapped runs in the background, in order, in batches.
 *
 * The service never waits for it and never sees an error of it: what the queue has no room for is
 * given up and counted, and a server that is away, slow or failing is tried again later.
 */
import { messageOf } from "../core/error.ts";
import { MAX_TAPPED_BYTES, MAX_TAPPED_RUNS, type TapGap, type TappedRun } from "../core/tap.ts";
import { quietPost } from "./quiet-post.ts";

export interface SenderOptions {
  /** `POST` here. */
  url: string;
  apiKey?: string | undefined;
  /** Runs that wait for the server; more are given up. Default 1,000. */
  maxQueuedRuns?: number | undefined;
  /** Their size in all. Default 16 MiB. */
  maxQueuedBytes?: number | undefined;
}

export interface TapCounts {
  sent: number;
  /** By cause. */
  dropped: Record<string, number>;
  queued: number;
  /** Why the last request failed, while it does. */
  problem?: string;
}

const REQUEST_MS = 5_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;
const BATCH_BYTES = 1024 * 1024;
/** The server takes no more in one request. */
const MAX_GAPS = 1_000;

interface Queued {
  seq: number;
  text: string;
  bytes: number;
}

/** Gaps that touch and have one cause are one. */
function joined(gaps: readonly TapGap[]): TapGap[] {
  const result: TapGap[] = [];
  for (const gap of gaps) {
    const last = result.at(-1);
    if (last && last.cause === gap.cause && last.toSeq === gap.fromSeq - 1) last.toSeq = gap.toSeq;
    else result.push({ ...gap });
  }
  return result;
}

type Reply = { kind: "taken" } | { kind: "refused" | "failed"; problem: string };

export class TapSender {
  readonly #options: SenderOptions;
  readonly #epoch = crypto.randomUUID();
  #lastSeq = 0;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #gaps: TapGap[] = [];
  #sending: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  readonly #counts: { sent: number; dropped: Record<string, number> } = { sent: 0, dropped: {} };
  #problem: string | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get counts(): TapCounts {
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { ...this.#counts, queued: this.#queue.length, ...problem };
  }

  /** Takes a run, or gives it up; at once in either case. */
  offer(run: Omit<TappedRun, "seq">): void {
    const { maxQueuedRuns = 1_000, maxQueuedBytes = 16 * 1024 * 1024 } = this.#options;
    const seq = ++this.#lastSeq;
    const text = JSON.stringify({ seq, ...run });
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_TAPPED_BYTES) this.#drop(seq, seq, "oversize");
    else if (this.#queue.length >= maxQueuedRuns || this.#queuedBytes + bytes > maxQueuedBytes) {
      this.#drop(seq, seq, "queue_full");
    } else {
      this.#queue.push({ seq, text, bytes });
      this.#queuedBytes += bytes;
    }
    this.#start();
  }

  /** Resolves when all was sent, or when the time is up. */
  async flush(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    this.#wake?.(); // A server that was away may be back.
    await Promise.race([this.#sending, timeUp]);
    clearTimeout(timer);
  }

  #drop(fromSeq: number, toSeq: number, cause: string): void {
    const { dropped } = this.#counts;
    dropped[cause] = (dropped[cause] ?? 0) + toSeq - fromSeq + 1;
    this.#gaps = joined([...this.#gaps, { fromSeq, toSeq, cause }]);
  }

  #start(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    let waitMs = FIRST_RETRY_MS;
    while (this.#queue.length > 0 || this.#gaps.length > 0) {
      const batch = this.#nextBatch();
      const gaps = this.#gaps.splice(0, MAX_GAPS);
      const reply = await this.#post(batch, gaps);
      this.#problem = reply.kind === "taken" ? undefined : reply.problem;
      // Nothing of a refused batch was taken, and gaps are seldom what is wrong with it.
      if (reply.kind === "failed" || (reply.kind === "refused" && batch.length > 0)) {
        this.#gaps = joined([...gaps, ...this.#gaps]);
      }
      if (reply.kind === "failed") {
        await this.#rest(waitMs);
        waitMs = Math.min(waitMs * 2, LAST_RETRY_MS);
        continue;
      }
      waitMs = FIRST_RETRY_MS;
      this.#forget(batch, reply.kind === "refused");
    }
  }

  #nextBatch(): Queued[] {
    let total = 0;
    const fits = this.#queue.findIndex(({ bytes }, index) => {
      total += bytes;
      return index >= MAX_TAPPED_RUNS || (index > 0 && total > BATCH_BYTES);
    });
    return this.#queue.slice(0, fits === -1 ? undefined : fits);
  }

  #forget(batch: readonly Queued[], isRefused: boolean): void {
    const [first, last] = [batch[0], batch.at(-1)];
    this.#queue.splice(0, batch.length);
    for (const { bytes } of batch) this.#queuedBytes -= bytes;
    if (!isRefused) this.#counts.sent += batch.length;
    else if (first && last) this.#drop(first.seq, last.seq, "refused");
  }

  async #post(batch: readonly Queued[], gaps: readonly TapGap[]): Promise<Reply> {
    const { url, apiKey } = this.#options;
    const runs = batch.map(({ text }) => text).join(",");
    const authorization: Record<string, string> =
      apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    try {
      const { status, text } = await quietPost(url, {
        headers: { "content-type": "application/json", ...authorization },
        body: `{"epoch":"${this.#epoch}","runs":[${runs}],"gaps":${JSON.stringify(gaps)}}`,
        timeoutMs: REQUEST_MS,
      });
      return replyOf(status, `${url} answered ${status}: ${text}`);
    } catch (error) {
      return { kind: "failed", problem: `${url} does not answer: ${messageOf(error)}` };
    }
  }

  /** Does not keep the service's process alive. */
  async #rest(waitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs).unref();
      this.#wake = resolve;
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

/** What the server finds wrong with the runs stays wrong; a key, a flow or a server can be put right. */
const REFUSED = [400, 413, 422];

function replyOf(status: number, problem: string): Reply {
  if (status < 300) return { kind: "taken" };
  return { kind: REFUSED.includes(status) ? "refused" : "failed", problem };
}
