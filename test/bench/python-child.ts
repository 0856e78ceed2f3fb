/** A Python child that is spoken to in bare frames: the same client for every child compared. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";

type Answer = { id: number; result?: unknown; error?: { message: string } };

/** The venv's own interpreter, not a shim. */
const PYTHON = resolve(".venv/bin/python");
const FOLDER = resolve("test/bench/python");

const NEWLINE = 0x0a;

export class PythonBenchChild {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #rest = "";
  #lastId = 0;

  /** @param pycache where compiled code is kept, as an installed package has it. */
  constructor(args: readonly string[], pycache: string) {
    const { PYTHONDONTWRITEBYTECODE: _, ...inherited } = process.env;
    const path = [resolve("python-bridge/src"), FOLDER].join(delimiter);
    const env = { ...inherited, PYTHONPATH: path, PYTHONPYCACHEPREFIX: pycache };
    this.#process = spawn(PYTHON, args, {
      cwd: FOLDER,
      env,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#process.stdout.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
  }

  /** @throws {Error} what the child answered. */
  async ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve: answered } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, answered);
    this.#process.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const { result, error } = await promise;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async initialize(): Promise<void> {
    await this.ask("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "bench", version: "0" },
    });
    const initialized = { jsonrpc: "2.0", method: "notifications/initialized" };
    this.#process.stdin.write(`${JSON.stringify(initialized)}\n`);
  }

  /** Resident memory, in bytes. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split(String.fromCharCode(NEWLINE));
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    }
  }
}
