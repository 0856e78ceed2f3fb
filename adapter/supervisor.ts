/**
 * Keeps one Python process ready: it is started when it is first needed, and again after it was
 * lost. A lost call is never repeated, because it may have written.
 */
import type { JsonObject } from "../core/json.ts";
import type { PythonChild } from "./child.ts";
import { type RequestOptions, untilLimit } from "./rpc.ts";
import type { PythonStarter } from "./starter.ts";

export class PythonSupervisor {
  readonly #starter: PythonStarter;
  #child: PythonChild | undefined;
  #starting: Promise<PythonChild> | undefined;
  #load = 0;

  constructor(starter: PythonStarter) {
    this.#starter = starter;
  }

  get usable(): boolean {
    return this.#child?.usable === true;
  }

  /** Requests that wait for it or run in it. */
  get load(): number {
    return this.#load;
  }

  /**
   * The deadline covers a start, when there has to be one.
   *
   * @throws {TwintrackError} `PYTHON_UNAVAILABLE`, `PYTHON_LOST`, `TIMEOUT`, `CANCELLED`, or the
   *   code the bridge gave.
   */
  async request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    const startedAt = performance.now();
    this.#load += 1;
    try {
      const child = await this.ready(options);
      options.admit?.();
      const elapsedMs = (options.elapsedMs ?? 0) + performance.now() - startedAt;
      const result = await child.request(method, params, { ...options, elapsedMs });
      child.proven = true;
      this.#starter.succeeded();
      return result;
    } finally {
      this.#load -= 1;
    }
  }

  /** The process, started if there has to be one, within the caller's limits. */
  async ready(options: RequestOptions): Promise<PythonChild> {
    // A start goes on when its caller gives up: the next one finds it done.
    return this.#child?.usable ? this.#child : untilLimit(this.#starts(), options);
  }

  /** Begins a start that nobody waits for yet; whoever comes next sees how it ended. */
  warm(): void {
    if (!this.usable) this.#starts().catch(() => {});
  }

  /** Gives the process up for a new one; at once when something in it may go on running. */
  renew(stuck: boolean): void {
    const old = this.#child;
    this.#child = undefined;
    if (!old) return;
    if (stuck) old.kill();
    else void old.close();
    this.warm();
  }

  async close(): Promise<void> {
    this.#starter.close();
    const starting = await this.#starting?.catch(() => undefined);
    await (starting ?? this.#child)?.close();
  }

  #starts(): Promise<PythonChild> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    this.#starting.catch(() => {}); // Whoever still waits for it sees the rejection.
    return this.#starting;
  }

  async #start(): Promise<PythonChild> {
    const child = await this.#starter.start();
    this.#child = child;
    void child.ended.then((how) => {
      if (this.#child === child && !child.proven) this.#starter.keepsEnding(how);
    });
    return child;
  }
}
