/**
 * Where the live path is measured: a Postgres, servers and a load generator, each a process of its
 * own, so that the CPU time and the memory of a server are its own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { seeded } from "../../fixtures/seeded.ts";
import { type Books, books } from "../../harness/store/books.ts";
import type { Database } from "../../harness/store/database.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { type PostgresServer, startPostgres } from "../postgres.ts";
import type { FromServer } from "./live-server.ts";
import type { Load, LoadResult } from "./load.ts";

const BOOKS_POLL_MS = 20;

export interface Stand {
  postgres: PostgresServer;
  db: Database;
  /** `direct` is a Fastify route that calls legacy; `shadow` is Twintrack with everything on. */
  start(kind: "direct" | "shadow"): Promise<ServerProcess>;
  /** @throws when an answer has another status than 200. */
  send(server: ServerProcess, flow: string, load: Traffic): Promise<LoadResult>;
  /** Waits until the store has so many answered triggers, each with its verdict. */
  settled(triggers: number, withinMs: number): Promise<Books>;
}

export interface Traffic {
  bodies: string[];
  plan: Load["plan"];
}

export interface ServerProcess {
  port: number;
  usage(): Promise<Usage>;
  /** Requests sent to it so far. */
  sent: number;
}

export interface Usage {
  mainThreadUs: number;
  rssBytes: number;
}

export async function openStand(stack: AsyncDisposableStack): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-bench-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres();
  stack.defer(postgres.stop);
  const env = {
    TWINTRACK_DATABASE_URL: postgres.url,
    TWINTRACK_DATA_DIR: folder,
    TWINTRACK_SINK: join(folder, "effects.ndjson"),
  };
  const generator = startProcess(stack, "load.ts", [], env);
  const db = openPostgres({ url: postgres.url, maxConnections: 1 });
  stack.defer(() => db.close());
  return {
    postgres,
    db,
    start: (kind) => serverOf(startProcess(stack, "live-server.ts", [kind], env)),
    async send(server, flow, traffic) {
      const path = `/flows/${flow}/invoke`;
      const result = await ask<LoadResult>(generator, { port: server.port, path, ...traffic });
      server.sent += result.requests;
      if (result.failed > 0) throw new Error(`${result.failed} requests to ${path} failed`);
      return result;
    },
    async settled(triggers, withinMs) {
      const deadlineMs = performance.now() + withinMs;
      for (;;) {
        const seen = await books(db);
        if (seen.answered === triggers && seen.open === 0) return seen;
        if (performance.now() > deadlineMs) {
          const { answered, open } = seen;
          throw new Error(`${triggers} triggers were sent, ${answered} arrived, ${open} are open`);
        }
        await pause(BOOKS_POLL_MS);
      }
    },
  };
}

/** Arrivals of independent callers: exponential gaps, the same for equal seeds. */
export function randomTimes(count: number, perSecond: number, seed: number): number[] {
  const random = seeded(seed);
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond;
    return atMs;
  });
}

function startProcess(
  stack: AsyncDisposableStack,
  module: string,
  args: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
    env: { ...process.env, ...env },
  });
  stack.defer(async () => {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode !== null) return;
    child.disconnect();
    await exited;
  });
  return child;
}

async function serverOf(child: ChildProcess): Promise<ServerProcess> {
  const first = await reply<FromServer>(child);
  if (first.kind !== "listening") throw new Error("The server did not say where it listens");
  return {
    port: Number(new URL(first.url).port),
    sent: 0,
    async usage() {
      const answer = await ask<FromServer>(child, { kind: "usage" });
      if (answer.kind !== "usage") throw new Error("The server did not say what it uses");
      return answer;
    },
  };
}

function ask<Answer>(child: ChildProcess, question: object): Promise<Answer> {
  const answer = reply<Answer>(child);
  child.send(question);
  return answer;
}

function reply<Answer>(child: ChildProcess): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const ended = () => reject(new Error("A process of the benchmark ended too early"));
  child.once("exit", ended);
  child.once("message", (message: Answer) => {
    child.off("exit", ended);
    resolve(message);
  });
  return promise;
}
