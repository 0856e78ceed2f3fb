/**
 * The Python processes behind one target: one by default, or several.
 *
 * `shared`: a process runs many calls at once, and a new call goes where the fewest are running.
 * `process-per-call`: a process runs one call and is then given up for a new one, so that nothing
 * a call leaves behind is seen by the next, and a call that is given up is killed at once. Calls
 * beyond the number of workers wait, within their own deadline.
 */
import type { JsonObject } from "../core/json.ts";
import { type RequestOptions, untilLimit } from "./rpc.ts";
import { PythonStarter, type StarterOptions, type StartOptions } from "./starter.ts";
import { PythonSupervisor } from "./supervisor.ts";

export interface PythonOptions extends StartOptions {
  /** For calls that give no limit of their own. Default 60,000. */
  callTimeoutMs?: number;
  /** Processes. More than one help tools that compute in Python. Default 1. */
  workers?: number;
  /** Default `shared`. */
  isolation?: "shared" | "process-per-call";
}

type WorkersOptions = PythonOptions & StarterOptions;

const DEFAULT_CALL_MS = 60_000;

/** Somebody who waits for a free process. */
type Waiter = (worker: PythonSupervisor) => void;

export class PythonWorkers {
  readonly callTimeoutMs: number;
  readonly #starter: PythonStarter;
  readonly #all: PythonSupervisor[];
  readonly #alone: boolean;
  /** Only in `process-per-call`: those that run nothing, and the calls that wait for one. */
  readonly #free: PythonSupervisor[];
  readonly #waiting: Waiter[] = [];

  constructor({
    callTimeoutMs = DEFAULT_CALL_MS,
    workers = 1,
    isolation,
    ...start
  }: WorkersOptions) {
    this.callTimeoutMs = callTimeoutMs;
    this.#starter = new PythonStarter(start);
    this.#all = Array.from({ length: workers }, () => new PythonSupervisor(this.#starter));
    this.#free = [...this.#all];
    this.#alone = isolation === "process-per-call";
  }

  get graceMs(): number {
    return this.#starter.graceMs;
  }

  /** As {@link PythonSupervisor.request}. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    if (this.#alone) return this.#requestAlone(method, params, options);
    return this.#leastLoaded().request(method, params, options);
  }

  /** Resolves when a process can take a call. */
  async ready(options: RequestOptions): Promise<void> {
    await this.#leastLoaded().ready(options);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.close()));
  }

  #leastLoaded(): PythonSupervisor {
    for (const worker of this.#all) worker.warm();
    const usable = this.#all.filter((worker) => worker.usable);
    const candidates = usable.length > 0 ? usable : this.#all;
    return candidates.reduce((least, worker) => (worker.load < least.load ? worker : least));
  }

  async #requestAlone(
    method: string,
    params: JsonObject,
    options: RequestOptions,
  ): Promise<JsonObject> {
    const startedAt = performance.now();
    const worker = this.#free.shift() ?? (await this.#nextFree(options));
    let stuck = true;
    try {
      const elapsedMs = (options.elapsedMs ?? 0) + performance.now() - startedAt;
      const result = await worker.request(method, params, { ...options, elapsedMs });
      stuck = false;
      return result;
    } finally {
      worker.renew(stuck);
      this.#release(worker);
    }
  }

  #release(worker: PythonSupervisor): void {
    const next = this.#waiting.shift();
    if (next) next(worker);
    else this.#free.push(worker);
  }

  async #nextFree(options: RequestOptions): Promise<PythonSupervisor> {
    const { promise, resolve } = Promise.withResolvers<PythonSupervisor>();
    this.#waiting.push(resolve);
    try {
      return await untilLimit(promise, options);
    } catch (error) {
      this.#leave(resolve, promise);
      throw error;
    }
  }

  #leave(waiter: Waiter, promise: Promise<PythonSupervisor>): void {
    const place = this.#waiting.indexOf(waiter);
    if (place >= 0) this.#waiting.splice(place, 1);
    // It got a process in the same moment as it gave up.
    else void promise.then((worker) => this.#release(worker));
  }
}
