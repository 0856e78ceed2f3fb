/** The command line and the server as a user meets them: processes of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { CONFIG_FILE } from "./start.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const MAIN = fileURLToPath(new URL("../../harness/cli/main.ts", import.meta.url));
const LIMIT_MS = 120_000;

export interface CommandOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** What the command reads from standard input. */
  input?: string;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `twintrack …` to its end; one that does not end by itself is killed and fails the test. */
export async function command(
  args: readonly string[],
  { env = {}, cwd = ROOT, input = "" }: CommandOptions = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, ...env },
  });
  const output = collect(child);
  child.stdin.on("error", () => undefined); // A command that refuses its arguments reads nothing.
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  if (signal) throw new Error(`twintrack ${args.join(" ")} did not end: ${output.stderr}`);
  return { code, ...output };
}

// biome-ignore lint/suspicious/noExplicitAny: every command has a document of its own shape
type Json = any;

/** Runs a command with `--json`: its reply is all of stdout, or its failure is the last line of stderr. */
export async function document(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<{ code: number | null; reply: Json; error: Json }> {
  const { code, stdout, stderr } = await command([...args, "--json"], options);
  if (stdout !== "") return { code, reply: JSON.parse(stdout), error: undefined };
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  return { code, reply: undefined, error: JSON.parse(last).error };
}

export interface Serving {
  url: string;
  pid: number;
  process: ChildProcess;
  /** What it has said on stderr so far. */
  said(): string;
  /** Sends a signal and waits for the end. Returns the exit code; null when the signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `twintrack work` and waits until it is at work. */
export function startWork(env: Record<string, string>): Promise<Serving> {
  return spawnServe({ env, command: "work" }).listening;
}

export interface ServeOptions {
  command?: "serve" | "work";
  config?: string;
  env: Record<string, string>;
  args?: readonly string[];
  /** A shell command that comes first, in the same process: `ulimit -f 4`. */
  before?: string;
}

/** Starts `twintrack serve` on a free port and waits until it listens. */
export function startServe(options: ServeOptions): Promise<Serving> {
  return spawnServe(options).listening;
}

/** Starts `twintrack serve` on a free port, for whoever does not want to wait until it listens. */
export function spawnServe({
  command = "serve",
  config = CONFIG_FILE,
  env,
  args = [],
  before = ":",
}: ServeOptions): {
  process: ChildProcess;
  /** Rejects with what it said when it ends instead. */
  listening: Promise<Serving>;
} {
  const port = command === "serve" ? ["--port", "0"] : [];
  const words = [MAIN, command, ...port, "--json", "--config", config, ...args];
  const child = spawn("sh", ["-c", `${before}; exec "$0" "$@"`, process.execPath, ...words], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const ended = once(child, "exit");
  const line = once(createInterface(child.stdout), "line") as Promise<[string]>;
  const early = ended.then(() => Promise.reject(new Error(`serve ended: ${output.stderr}`)));
  const listening = Promise.race([line, early]).then(([first]): Serving => {
    const { data } = JSON.parse(first) as { data: { url: string } };
    return {
      url: data.url,
      pid: Number(child.pid),
      process: child,
      said: () => output.stderr,
      async end(signal = "SIGTERM") {
        if (child.exitCode === null && child.signalCode === null) child.kill(signal);
        await ended;
        return child.exitCode;
      },
    };
  });
  return { process: child, listening };
}

export interface HttpAnswer {
  status: number;
  body: Json;
  headers: Headers;
}

export async function invoke(
  url: string,
  flow: string,
  input: JsonValue,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const response = await fetch(`${url}/flows/${flow}/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ input }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

export async function getJson(url: string): Promise<{ status: number; body: Json }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
}

/** What the server says of itself, once it says so with this status. */
export function readiness(
  url: string,
  status: number,
  within: { timeout: number; interval: number },
): Promise<Json> {
  return vi.waitFor(async () => {
    const ready = await getJson(`${url}/readyz`);
    expect(ready.status).toBe(status);
    return ready.body;
  }, within);
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return output;
}
