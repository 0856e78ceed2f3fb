/**
 * Starts Python processes for one target.
 *
 * Starts that fail, and children lost before they answered anything, are followed by growing
 * pauses. After {@link BREAKER_FAILURES} in a row the breaker is open: a start fails at once with
 * the last reason until the pause is over.
 */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TwintrackError } from "../core/error.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { type ChildSpec, PythonChild } from "./child.ts";
import { permitEgress } from "./egress.ts";
import {
  childEnvironment,
  type EnvironmentPolicy,
  findInterpreter,
  isInEnvironment,
} from "./interpreter.ts";

export interface StartOptions extends EnvironmentPolicy {
  /** `package.module:attribute`; several for several modules of tools. */
  target: string | readonly string[];
  /** A Python, or a virtual environment. Default: the active one, `.venv`, `venv` or `env` at or above `cwd`, `python3`. */
  interpreter?: string;
  /** Where the user's code is imported from. Default: the current folder. */
  cwd?: string;
  /** For sync tools. Default 32. */
  threads?: number;
  /** A Python object, `package.module:attribute`, that injects what JSON cannot: a store, a client. */
  bind?: string;
  /** From spawn to the first answer. Default 30,000. */
  startTimeoutMs?: number;
  /** How long a cancelled call may go on before its process is given up. Default 1,000. */
  graceMs?: number;
  /** Larger answers are dropped. Default 16 MiB. */
  maxFrameBytes?: number;
}

export interface StarterOptions extends StartOptions {
  /** The bridge's own arguments. */
  args: readonly string[];
  role?: "shadow";
  /** Looks at each new process before anybody uses it; a throw makes the start fail. */
  inspect?: (child: PythonChild, timeoutMs: number) => Promise<void>;
}

const BREAKER_FAILURES = 5;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const DEFAULT_START_MS = 30_000;
const DEFAULT_GRACE_MS = 1_000;
const BRIDGE_META_KEY = "twintrack/bridge";

export class PythonStarter {
  readonly #options: StarterOptions;
  #failures = 0;
  #pauseUntil = 0;
  #lastFailure: TwintrackError | undefined;
  #closed = false;
  readonly #starting = new Set<PythonChild>();

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  get graceMs(): number {
    return this.#options.graceMs ?? DEFAULT_GRACE_MS;
  }

  /** @throws {TwintrackError} `PYTHON_UNAVAILABLE` with the reason and a remedy. */
  async start(): Promise<PythonChild> {
    this.#refuseClosed();
    const pauseMs = this.#pauseUntil - performance.now();
    if (pauseMs > 0 && this.#failures >= BREAKER_FAILURES && this.#lastFailure) {
      throw this.#lastFailure;
    }
    if (pauseMs > 0) await delay(pauseMs);
    this.#refuseClosed();
    try {
      return await this.#spawn();
    } catch (error) {
      this.#failed(error as TwintrackError);
      throw error;
    }
  }

  /** A process has answered a request: whatever failed before is over. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** A process ended before it answered anything. */
  keepsEnding(how: string): void {
    this.#failed(new TwintrackError("PYTHON_UNAVAILABLE", `Python keeps ending: ${how}`));
  }

  /** What is still importing runs no call: nobody waits for the end of that. */
  close(): void {
    this.#closed = true;
    for (const child of this.#starting) child.kill();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TwintrackError("PYTHON_UNAVAILABLE", "This bridge was closed");
  }

  #failed(error: TwintrackError): void {
    this.#lastFailure = error;
    this.#failures += 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    this.#pauseUntil = performance.now() + pauseMs;
  }

  async #spawn(): Promise<PythonChild> {
    const { cwd: folder, startTimeoutMs = DEFAULT_START_MS, role, inspect } = this.#options;
    const cwd = resolve(folder ?? ".");
    this.#refuseMissing(cwd);
    const environment = childEnvironment(this.#options, process.env, role);
    const interpreter = await permitEgress(() =>
      findInterpreter(this.#options.interpreter, cwd, environment),
    );
    if (interpreter === undefined) throw this.#interpreterMissing();
    const child = new PythonChild(this.#childSpec(interpreter, cwd, environment));
    this.#starting.add(child);
    try {
      await handshake(child, startTimeoutMs);
      await inspect?.(child, startTimeoutMs);
      return child;
    } catch (cause) {
      throw await this.#startFailed(child, interpreter, cwd, cause);
    } finally {
      this.#starting.delete(child);
    }
  }

  #childSpec(interpreter: string, cwd: string, environment: Record<string, string>): ChildSpec {
    const { threads, bind, args, maxFrameBytes = 16 * 1024 * 1024 } = this.#options;
    const threadArgs = threads === undefined ? [] : ["--threads", String(threads)];
    const bindArgs = bind === undefined ? [] : ["--inject", bind];
    return {
      interpreter,
      args: ["-m", "twintrack_bridge", ...threadArgs, ...bindArgs, ...args],
      cwd,
      environment,
      graceMs: this.graceMs,
      maxFrameBytes,
    };
  }

  #refuseMissing(cwd: string): void {
    if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) return;
    throw new TwintrackError(
      "PYTHON_UNAVAILABLE",
      `cwd ${cwd} is no folder, and Python would import ${this.#options.target} from there`,
      {
        hint: "Set cwd to the folder that holds the package; it is taken from that of the configuration.",
      },
    );
  }

  #interpreterMissing(): TwintrackError {
    const name = this.#options.interpreter ?? "python3";
    return new TwintrackError(
      "PYTHON_UNAVAILABLE",
      `There is no Python interpreter "${name}", wanted for ${this.#options.args.join(" ")}`,
      {
        hint:
          this.#options.interpreter === undefined
            ? "python3 -m venv .venv && .venv/bin/pip install langchain-core"
            : "Name a Python, or the folder of a virtual environment.",
      },
    );
  }

  async #startFailed(
    child: PythonChild,
    interpreter: string,
    cwd: string,
    cause: unknown,
  ): Promise<TwintrackError> {
    // What the process itself answered says more than the end that we make of it now.
    const lost = cause instanceof TwintrackError && cause.code === "PYTHON_LOST";
    child.kill();
    const ended = await child.ended;
    const reason = lost ? ended : `${(cause as Error).message}. ${ended}`;
    const what = `${interpreter} -m twintrack_bridge ${this.#options.args.join(" ")}`;
    return new TwintrackError(
      "PYTHON_UNAVAILABLE",
      `"${what}" in ${cwd} did not start: ${reason}`,
      { cause, hint: this.#hintFor(reason, interpreter, cwd) },
    );
  }

  #hintFor(reason: string, interpreter: string, cwd: string): string {
    if (!reason.includes("langchain-core is not in"))
      return hintFor(reason, interpreter, String(this.#options.target));
    const isNamed = this.#options.interpreter !== undefined;
    return isNamed ? installIn(interpreter) : environmentHint(interpreter, cwd);
  }
}

function installIn(interpreter: string, name = "langchain-core"): string {
  return `${interpreter} -m pip install ${name}`;
}

/** Nobody said which Python: there is one elsewhere, or it lacks a package, or it has to be made. */
function environmentHint(interpreter: string, cwd: string): string {
  // These keep their environments out of the folder.
  if (existsSync(join(cwd, "poetry.lock")))
    return `Name its interpreter: poetry -C ${cwd} env info --executable`;
  if (existsSync(join(cwd, "Pipfile.lock")))
    return `Name its interpreter: cd ${cwd} && pipenv --py`;
  if (isInEnvironment(interpreter)) return installIn(interpreter);
  return `cd ${cwd} && python3 -m venv .venv && .venv/bin/pip install langchain-core`;
}

async function handshake(child: PythonChild, timeoutMs: number): Promise<void> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "twintrack", version: "0" },
  };
  const answer = await child.request("initialize", params, {
    what: "the start of Python",
    timeoutMs,
  });
  child.versions = versionsIn(answer);
  child.notify("notifications/initialized", {});
}

function versionsIn({ protocolVersion, _meta }: JsonObject): JsonObject {
  const told = isJsonObject(_meta) ? _meta[BRIDGE_META_KEY] : undefined;
  return { ...(isJsonObject(told) ? told : {}), protocol: protocolVersion ?? null };
}

function hintFor(reason: string, interpreter: string, target: string): string {
  const [file = "", attribute = "TOOLS"] = target.split(":");
  if (/[/\\]|\.py$/.test(file)) {
    const dotted = file
      .replace(/\.py$/, "")
      .split(/[/\\]/)
      .filter((part) => part !== "." && part !== "");
    return `A module is written with dots: ${dotted.join(".")}:${attribute}`;
  }
  const missing = /No module named '([^'.]+)/.exec(reason)?.[1];
  if (missing && target.startsWith(missing)) return `Set cwd to the folder that holds ${missing}.`;
  if (missing === "twintrack_bridge") return "Reinstall twintrack: python-bridge/src is missing.";
  if (missing) return installIn(interpreter, missing);
  return VARIABLE_MISSING.test(reason) ? SET_VARIABLE : importByHand(interpreter, target);
}

/** As `os.environ[…]` and the clients of models say it. */
const VARIABLE_MISSING = /KeyError: '?[A-Z][A-Z0-9_]+'?|environment variable|_API_KEY|api_key/i;
const SET_VARIABLE =
  "Set the variable in the shell, or in env: { … } of this source; a .env file is not loaded by itself.";

/** What the bridge does first, and works without it. */
function importByHand(interpreter: string, target: string): string {
  const modules = target.split(",").map((one) => one.split(":")[0]);
  return `To see all of its output, in that folder: ${interpreter} -c "import ${modules.join(", ")}"`;
}
