/**
 * Keeps one Python process ready: starts it when it is first needed, and again after it was lost.
 *
 * Starts that fail, and children lost before they answered anything, are followed by growing
 * pauses. After {@link BREAKER_FAILURES} in a row the breaker is open: calls fail at once with the
 * last reason until the pause is over. A lost call is never repeated, because it may have written.
 */
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TwintrackError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import { type ChildSpec, PythonChild } from "./child.ts";
import { childEnvironment, type EnvironmentPolicy, findInterpreter } from "./interpreter.ts";
import { cancelledError, type RequestOptions, timeoutError } from "./rpc.ts";

export interface PythonOptions extends EnvironmentPolicy {
  /** `package.module:attribute`; several for several modules of tools. */
  target: string | readonly string[];
  /** Default: the active virtual environment, `.venv` in `cwd`, `python3`. */
  interpreter?: string;
  /** Where the user's code is imported from. Default: the current folder. */
  cwd?: string;
  /** For sync tools. Default 32. */
  threads?: number;
  /** From spawn to the first answer. Default 30,000. */
  startTimeoutMs?: number;
  /** For calls that give no limit of their own. Default 60,000. */
  callTimeoutMs?: number;
  /** How long a cancelled call may go on before its process is given up. Default 1,000. */
  graceMs?: number;
  /** Larger answers are dropped. Default 16 MiB. */
  maxFrameBytes?: number;
}

interface SupervisorOptions extends PythonOptions {
  /** The bridge's own arguments. */
  args: readonly string[];
  role?: "shadow";
}

const BREAKER_FAILURES = 5;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const DEFAULT_CALL_MS = 60_000;
const DEFAULT_START_MS = 30_000;

export class PythonSupervisor {
  readonly #options: SupervisorOptions;
  #child: PythonChild | undefined;
  #starting: Promise<PythonChild> | undefined;
  #failures = 0;
  /** The current child has answered a request. */
  #proven = false;
  #pauseUntil = 0;
  #lastFailure: TwintrackError | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get callTimeoutMs(): number {
    return this.#options.callTimeoutMs ?? DEFAULT_CALL_MS;
  }

  get graceMs(): number {
    return this.#options.graceMs ?? 1_000;
  }

  /** The running process, if there is one. */
  get pid(): number | undefined {
    return this.#child?.usable ? this.#child.pid : undefined;
  }

  /**
   * The deadline covers a start, when there has to be one.
   *
   * @throws {TwintrackError} `PYTHON_UNAVAILABLE`, `PYTHON_LOST`, `TIMEOUT`, `CANCELLED`, or the
   *   code the bridge gave.
   */
  async request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    const startedAt = performance.now();
    const child = await this.ready(options);
    const elapsedMs = (options.elapsedMs ?? 0) + performance.now() - startedAt;
    const result = await child.request(method, params, { ...options, elapsedMs });
    this.#failures = 0;
    this.#proven = true;
    return result;
  }

  /** The process, started if there has to be one, within the caller's limits. */
  async ready(options: RequestOptions): Promise<PythonChild> {
    return this.#child?.usable ? this.#child : await this.#startWithin(options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const starting = await this.#starting?.catch(() => undefined);
    await (starting ?? this.#child)?.close();
  }

  /** The child, or the caller's own limit, whichever comes first; the start itself goes on. */
  async #startWithin({ what, timeoutMs, signal }: RequestOptions): Promise<PythonChild> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(timeoutError(what, timeoutMs)), timeoutMs);
    const abort = () => reject(cancelledError(what));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([this.#starts(), promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #starts(): Promise<PythonChild> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    this.#starting.catch(() => {}); // Whoever still waits for it sees the rejection.
    return this.#starting;
  }

  async #start(): Promise<PythonChild> {
    if (this.#closed) throw new TwintrackError("PYTHON_UNAVAILABLE", "This bridge was closed");
    const pauseMs = this.#pauseUntil - performance.now();
    if (pauseMs > 0 && this.#failures >= BREAKER_FAILURES && this.#lastFailure) {
      throw this.#lastFailure;
    }
    if (pauseMs > 0) await delay(pauseMs);
    try {
      this.#child = await this.#spawn();
      return this.#child;
    } catch (error) {
      this.#lastFailure = error as TwintrackError;
      this.#pause();
      throw error;
    }
  }

  #pause(): void {
    this.#failures += 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    this.#pauseUntil = performance.now() + pauseMs;
  }

  async #spawn(): Promise<PythonChild> {
    const { cwd: folder, startTimeoutMs = DEFAULT_START_MS, role } = this.#options;
    const cwd = resolve(folder ?? ".");
    const environment = childEnvironment(this.#options, process.env, role);
    const interpreter = await findInterpreter(this.#options.interpreter, cwd, environment);
    if (interpreter === undefined) throw this.#interpreterMissing();
    const child = new PythonChild(this.#childSpec(interpreter, cwd, environment));
    try {
      await handshake(child, startTimeoutMs);
    } catch (cause) {
      throw await this.#startFailed(child, interpreter, cwd, cause);
    }
    this.#proven = false;
    void child.ended.then((how) => {
      if (this.#child !== child || this.#proven || this.#closed) return;
      this.#lastFailure = new TwintrackError("PYTHON_UNAVAILABLE", `Python keeps ending: ${how}`);
      this.#pause();
    });
    return child;
  }

  #childSpec(interpreter: string, cwd: string, environment: Record<string, string>): ChildSpec {
    const { threads, args, maxFrameBytes = 16 * 1024 * 1024 } = this.#options;
    const threadArgs = threads === undefined ? [] : ["--threads", String(threads)];
    return {
      interpreter,
      args: ["-m", "twintrack_bridge", ...threadArgs, ...args],
      cwd,
      environment,
      graceMs: this.graceMs,
      maxFrameBytes,
    };
  }

  #interpreterMissing(): TwintrackError {
    const name = this.#options.interpreter ?? "python3";
    return new TwintrackError(
      "PYTHON_UNAVAILABLE",
      `There is no Python interpreter "${name}", wanted for ${this.#options.args.join(" ")}`,
      { hint: "python3 -m venv .venv && .venv/bin/pip install langchain-core" },
    );
  }

  async #startFailed(
    child: PythonChild,
    interpreter: string,
    cwd: string,
    cause: unknown,
  ): Promise<TwintrackError> {
    const timedOut = cause instanceof TwintrackError && cause.code === "TIMEOUT";
    child.kill();
    const ended = await child.ended;
    const reason = timedOut ? `${cause.message}. ${ended}` : ended;
    const what = `${interpreter} -m twintrack_bridge ${this.#options.args.join(" ")}`;
    return new TwintrackError(
      "PYTHON_UNAVAILABLE",
      `"${what}" in ${cwd} did not start: ${reason}`,
      { cause, hint: hintFor(reason, interpreter, cwd, String(this.#options.target)) },
    );
  }
}

async function handshake(child: PythonChild, timeoutMs: number): Promise<void> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "twintrack", version: "0" },
  };
  await child.request("initialize", params, { what: "the start of Python", timeoutMs });
  child.notify("notifications/initialized", {});
}

function hintFor(reason: string, interpreter: string, cwd: string, target: string): string {
  if (reason.includes("langchain-core is not in")) {
    return `cd ${cwd} && python3 -m venv .venv && .venv/bin/pip install langchain-core`;
  }
  const missing = /No module named '([^'.]+)/.exec(reason)?.[1];
  if (missing && target.startsWith(missing)) return `Set cwd to the folder that holds ${missing}.`;
  if (missing === "twintrack_bridge") return "Reinstall twintrack: python-bridge/src is missing.";
  if (missing) return `${interpreter} -m pip install ${missing}`;
  return "Run the command by hand in that folder to see all of its output.";
}
