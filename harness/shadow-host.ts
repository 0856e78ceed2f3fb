/**
 * Where trials are judged: a child process with its own memory limit, started when first needed and
 * again after it died; or, for a config that no process can load, this process.
 *
 * A trial whose process dies rejects with `SHADOW_LOST`; one that does not end in time takes the
 * process with it and rejects with `TIMEOUT`.
 */
import { type ChildProcess, fork } from "node:child_process";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { shadowEnvironment } from "../adapter/egress.ts";
import { type ErrorCode, TwintrackError } from "../core/error.ts";
import type { ResolvedConfig } from "./config.ts";
import { entryBeside } from "./entry.ts";
import type { RunsJudgement } from "./judgement.ts";
import { judgeOrLose } from "./lost-trial.ts";
import { privacyOf } from "./privacy/privacy.ts";
import type { FromShadow, ToShadow } from "./shadow-process.ts";
import { isPython, openSides, type Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { StoredTrial } from "./store/stored-trials.ts";
import type { OpenTrial } from "./store/trials.ts";
import { rejudgeTrial } from "./trial.ts";

export interface ShadowHost {
  judge(trial: OpenTrial, limitMs: number): Promise<JudgedTrial>;
  /** Compares stored runs once more; null when too little of them was kept. */
  rejudge(trial: StoredTrial, limitMs: number): Promise<RunsJudgement | null>;
  /** Pid of the process, while there is one. */
  pid(): number | undefined;
  /** Ends what is under way, and the process in which it is; the next trial starts another. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export function openShadowHost(config: ResolvedConfig): ShadowHost {
  const launch = launchOf(config);
  return launch === undefined ? inProcessHost(config) : launchedHost(launch);
}

/** How the shadow process is started: data only, so that any thread can do it. */
export interface Launch {
  configFile: string;
  dataDir: string;
  env: NodeJS.ProcessEnv;
  permissions: string[];
}

/** Undefined for a configuration that no other process can load. */
export function launchOf(config: ResolvedConfig): Launch | undefined {
  const { file, dataDir, egress } = config;
  if (file === undefined) return undefined;
  const env = shadowEnvironment(egress);
  return { configFile: file, dataDir, env, permissions: permissions(config) };
}

/** Judges in this process: tools are isolated as strictly, but a candidate shares memory with the caller. */
function inProcessHost(config: ResolvedConfig): ShadowHost {
  const sides: Sides = openSides(config);
  const privacy = privacyOf(config);
  return {
    judge: (trial) => judgeOrLose(trial, sides, privacy),
    rejudge: async (trial) => rejudgeTrial(trial, sides, privacy),
    pid: () => undefined,
    stop: async () => undefined, // Nothing can end a candidate that shares our process.
    close: () => sides.close(),
  };
}

interface Waiting {
  resolve(answer: FromShadow): void;
  reject(error: Error): void;
}

interface Child {
  process: ChildProcess;
  ready: Promise<void>;
  waiting: Map<string, Waiting>;
}

/** Heap limit of the child. */
const MEMORY_MIB = 512;

/** What the child may print in all; a candidate that floods its log must not fill ours. */
const LOG_BYTES = 64 * 1024;

/** The kill switch promises an end within a second. */
const END_MS = 500;

/** @param onPid hears of each process that is started, and that there is none */
export function launchedHost(
  launch: Launch,
  onPid: (pid: number | undefined) => void = () => undefined,
): ShadowHost {
  let child: Child | undefined;
  const use = (next: Child | undefined) => {
    child = next;
    onPid(next?.process.pid);
  };
  const current = (): Child => {
    if (child) return child;
    const started = startChild(launch, forget);
    use(started);
    return started;
  };
  const forget = (gone: ChildProcess) => {
    if (child?.process === gone) use(undefined);
  };
  const stop = async () => {
    if (child) await dismiss(child.process);
  };
  const ask = async (message: ToShadow, limitMs: number): Promise<FromShadow> => {
    const host = current();
    await host.ready;
    const { id } = message.trial;
    const { promise, resolve, reject } = Promise.withResolvers<FromShadow>();
    host.waiting.set(id, { resolve, reject });
    // At once, not when its end is reported: the next trial must not be given to a dying process.
    const replace = (error: TwintrackError) => {
      reject(error);
      forget(host.process);
      kill(host.process);
    };
    host.process.send(message, (error) => {
      if (error)
        replace(lost("SHADOW_LOST", `The shadow process does not take trials: ${error.message}`));
    });
    const timer = setTimeout(() => {
      const text = `The trial did not end within ${limitMs} ms; its process was replaced`;
      replace(lost("TIMEOUT", text));
    }, limitMs);
    return promise.finally(() => {
      clearTimeout(timer);
      host.waiting.delete(id);
    });
  };
  return {
    pid: () => child?.process.pid,
    async judge(trial, limitMs) {
      const answer = await ask({ kind: "judge", trial }, limitMs);
      if (answer.kind === "judged") return answer.trial;
      throw lost("SHADOW_LOST", `The shadow process answered ${answer.kind}`);
    },
    async rejudge(trial, limitMs) {
      const answer = await ask({ kind: "rejudge", trial }, limitMs);
      if (answer.kind === "rejudged") return answer.judgement;
      throw lost("SHADOW_LOST", `The shadow process answered ${answer.kind}`);
    },
    stop,
    close: stop,
  };
}

/** It exits by itself when it is disconnected, unless a candidate blocks it. */
function dismiss(running: ChildProcess): Promise<void> {
  const dismissal = dismissals.get(running) ?? dismissed(running);
  dismissals.set(running, dismissal);
  return dismissal;
}

const dismissals = new WeakMap<ChildProcess, Promise<void>>();

async function dismissed(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const exited = new Promise((resolve) => running.once("exit", resolve));
  if (running.connected) running.disconnect();
  const timer = setTimeout(() => kill(running), END_MS);
  await exited;
  clearTimeout(timer);
}

function startChild(
  { configFile, dataDir, env, permissions }: Launch,
  onExit: (gone: ChildProcess) => void,
): Child {
  const entry = fileURLToPath(entryBeside(import.meta.url, "shadow-process"));
  const process_ = fork(entry, [configFile, dataDir], {
    env,
    ...limited([`--max-old-space-size=${MEMORY_MIB}`, ...permissions]),
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const log = keepTail(process_);
  const waiting = new Map<string, Waiting>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined); // Whoever judges waits for it; nobody else has to.
  process_.on("message", (message: FromShadow) => {
    if (message.kind === "ready") ready.resolve();
    else if (message.kind === "failed") ready.reject(lost("SHADOW_LOST", message.error.message));
    else waiting.get(idOf(message))?.resolve(message);
    if (message.kind === "judged" && message.tired) retire();
  });
  // The next trial starts another process; this one ends with the last of its own.
  const retire = () => {
    onExit(process_);
    const whenIdle = () => void (waiting.size === 0 && dismiss(process_));
    process_.on("message", () => setImmediate(whenIdle));
    setImmediate(whenIdle);
  };
  const end = (what: string) => {
    onExit(process_);
    const error = lost(
      "SHADOW_LOST",
      `The shadow process ${what}${log() ? `; it said: ${log()}` : ""}`,
    );
    ready.reject(error);
    for (const waiter of waiting.values()) waiter.reject(error);
  };
  process_.on("error", (error) => end(`cannot be started: ${error.message}`));
  process_.on("exit", (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
  return { process: process_, ready: ready.promise, waiting };
}

/** How many files and sockets the process may hold, as its shell sets it; Windows has no such limit. */
const MAX_DESCRIPTORS = 1_024;

function limited(execArgv: string[]): { execPath?: string; execArgv: string[] } {
  if (process.platform === "win32") return { execArgv };
  const script = `ulimit -n ${MAX_DESCRIPTORS}; exec "$0" "$@"`;
  return { execPath: "/bin/sh", execArgv: ["-c", script, process.execPath, ...execArgv] };
}

/**
 * What the process may do to files and to other processes, held by Node itself. Commands are allowed
 * where a chain or a tool is in Python; which ones, the egress guard says.
 */
function permissions({ egress, tools, flows }: ResolvedConfig): string[] {
  const sources = [...Object.values(tools), ...Object.values(flows).map(({ legacy }) => legacy)];
  const commands = egress.commands === true || sources.some((source) => source && isPython(source));
  const folders = [tmpdir(), realpathSync(tmpdir()), "/dev/null", ...(egress.files ?? [])];
  return [
    "--permission",
    "--disable-warning=SecurityWarning",
    "--allow-fs-read=*",
    ...[...new Set(folders)].map((folder) => `--allow-fs-write=${folder}`),
    // The watchdog is a thread; the guard refuses all others. Addons and WASI are the user's tools.
    "--allow-worker",
    "--allow-addons",
    "--allow-wasi",
    ...(commands ? ["--allow-child-process"] : []),
  ];
}

function idOf(message: Extract<FromShadow, { kind: "judged" | "rejudged" }>): string {
  return message.kind === "judged" ? message.trial.id : message.id;
}

/** Drains both streams, so that the child never blocks on a full pipe, and keeps the end. */
function keepTail(child: ChildProcess): () => string {
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      tail = (tail + text).slice(-LOG_BYTES);
    });
  }
  return () => tail.trim().slice(-500);
}

/** The whole group: a Python child of the shadow process must not outlive it. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function lost(
  code: Extract<ErrorCode, "SHADOW_LOST" | "TIMEOUT">,
  message: string,
): TwintrackError {
  return new TwintrackError(code, message);
}
