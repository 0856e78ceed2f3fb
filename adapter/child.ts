/**
 * One Python process.
 *
 * open → retired → ended. A retired child takes no new requests, because a call in it passed its
 * deadline and did not stop, or left there what no other may find; it is killed as soon as its other calls are done, and each of those
 * has a deadline too. When a child ends, whatever was running in it rejects with `PYTHON_LOST`.
 * The child is its own process group, and is always killed with all that its tools have started.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { TwintrackError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import { permitEgress } from "./egress.ts";
import { FrameSplitter } from "./frame.ts";
import { type RequestOptions, RpcConnection } from "./rpc.ts";

export interface ChildSpec {
  interpreter: string;
  args: readonly string[];
  cwd: string;
  environment: Record<string, string>;
  graceMs: number;
  /** A longer answer is dropped and its call fails. */
  maxFrameBytes: number;
}

const STDERR_TAIL_BYTES = 64 * 1024;

/** How much of the tail goes into an error message. */
const STDERR_SHOWN_CHARACTERS = 2_000;

/** Python cancels, flushes and exits within 1.5 s once its stdin ends. */
const CLOSE_MS = 2_000;

/** How long the last of stderr may take once the process has ended. */
const LAST_WORDS_MS = 200;

export class PythonChild {
  /** What the bridge told of itself: `python`, `executable`, `langchain-core`, `protocol`, … */
  versions: JsonObject = {};
  /** It has answered a request of somebody's. */
  proven = false;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #connection: RpcConnection;
  readonly #ended = Promise.withResolvers<string>();
  #state: "open" | "retired" | "ended" = "open";
  #stderr: Buffer[] = [];
  #stderrBytes = 0;
  #drained: Promise<void> | undefined;
  #killed = false;

  constructor(spec: ChildSpec) {
    this.#process = permitEgress(() =>
      spawn(spec.interpreter, spec.args, {
        cwd: spec.cwd,
        env: spec.environment,
        stdio: "pipe",
        detached: true,
      }),
    );
    this.#connection = new RpcConnection({
      write: (text) => this.#write(text),
      drained: () => this.#waitForDrain(),
      onBusy: () => this.#holdOurProcess(true),
      onIdle: () => (this.#state === "retired" ? this.kill() : this.#holdOurProcess(false)),
      onSpent: () => this.#retire(),
      graceMs: spec.graceMs,
    });
    this.#listen(new FrameSplitter(spec.maxFrameBytes));
  }

  get usable(): boolean {
    return this.#state === "open";
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** How it ended, with the tail of its stderr; resolves when it has. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** @throws {TwintrackError} `PYTHON_LOST`, or as {@link RpcConnection.request}. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    if (this.#state !== "ended") return this.#connection.request(method, params, options);
    return Promise.reject(
      new TwintrackError("PYTHON_LOST", `${options.what}: Python ended before it was called`),
    );
  }

  notify(method: string, params: JsonObject): void {
    this.#connection.notify(method, params);
  }

  /** Ends stdin, waits, then kills the group. */
  async close(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "retired";
    this.#holdOurProcess(true);
    this.#process.stdin.end();
    const patience = setTimeout(() => this.kill(), CLOSE_MS);
    await this.ended;
    clearTimeout(patience);
  }

  kill(): void {
    const { pid } = this.#process;
    this.#killed = true;
    if (pid === undefined) return;
    try {
      permitEgress(() => process.kill(-pid, "SIGKILL"));
    } catch {
      this.#process.kill("SIGKILL"); // No such group: it is gone, or this is Windows.
    }
  }

  #listen(splitter: FrameSplitter): void {
    const { stdin, stdout, stderr } = this.#process;
    stdin.on("error", () => this.kill()); // EPIPE: it may live, but it cannot be talked to.
    stdout.on("error", () => this.kill());
    // A process that ends closes it too; one that lives on cannot be talked to.
    stdout.on("end", () => setTimeout(() => this.kill(), LAST_WORDS_MS).unref());
    stdout.on("data", (chunk: Buffer) => {
      for (const frame of splitter.feed(chunk)) this.#connection.receive(frame);
    });
    stderr.on("error", () => {});
    stderr.on("data", (chunk: Buffer) => this.#keepTail(chunk));
    this.#process.once("error", (cause) => this.#end(`could not be started: ${cause.message}`));
    this.#process.once("exit", (code, signal) => {
      const how = signal ? `was ended by ${this.#name(signal)}` : `exited with code ${code}`;
      this.kill();
      const end = () => this.#end(how);
      const late = setTimeout(end, LAST_WORDS_MS);
      this.#process.once("close", () => {
        clearTimeout(late);
        end();
      });
    });
  }

  #name(signal: string): string {
    const outside = signal === "SIGKILL" && !this.#killed;
    return outside ? "SIGKILL from outside (the kernel does that when memory runs out)" : signal;
  }

  #keepTail(chunk: Buffer): void {
    this.#stderr.push(chunk);
    this.#stderrBytes += chunk.length;
    while (this.#stderrBytes - (this.#stderr[0]?.length ?? 0) >= STDERR_TAIL_BYTES) {
      this.#stderrBytes -= this.#stderr.shift()?.length ?? 0;
    }
  }

  #end(why: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const tail = Buffer.concat(this.#stderr).toString("utf8").trim();
    const said = lastWords(tail.slice(-STDERR_SHOWN_CHARACTERS));
    this.#connection.fail(
      (what) => new TwintrackError("PYTHON_LOST", `Python ${why} during ${what}${said}`),
    );
    this.#ended.resolve(`Python ${why}${said}`);
  }

  #retire(): void {
    if (this.#state === "open") this.#state = "retired";
    if (this.#connection.idle) this.kill();
  }

  #write(text: string): void {
    const { stdin } = this.#process;
    if (stdin.writable) stdin.write(text);
  }

  #waitForDrain(): Promise<void> | undefined {
    const { stdin } = this.#process;
    if (!stdin.writableNeedDrain) return undefined;
    this.#drained ??= new Promise<void>((resolve) => {
      stdin.once("drain", () => {
        this.#drained = undefined;
        resolve();
      });
    });
    return this.#drained;
  }

  /** A running call keeps our own process alive; an idle child does not. */
  #holdOurProcess(hold: boolean): void {
    const { stdin, stdout, stderr } = this.#process;
    // Pipes are sockets at run time; the types say only that they are streams.
    const held = [this.#process, stdin, stdout, stderr] as { ref?(): void; unref?(): void }[];
    for (const one of held) {
      if (hold) one.ref?.();
      else one.unref?.();
    }
  }
}

/** What the bridge said itself is the cause; what packages of the user wrote before it is not. */
function lastWords(tail: string): string {
  if (tail === "") return "";
  const at = tail.search(/^twintrack_bridge: (?!not reloaded|at exit)/m);
  if (at === -1) return `; its last output:\n${tail}`;
  const before = tail.slice(0, at).trim();
  return `; ${tail.slice(at)}${before ? `\nBefore that it wrote:\n${before}` : ""}`;
}
