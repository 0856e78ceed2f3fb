/**
 * The load generator of the live benchmark, in a process of its own.
 *
 * Open loop: every request has a time at which it is due, whatever became of those before it. Its
 * latency counts from when it was sent, or from when a timer should have sent it at the latest (no
 * coordinated omission): to be exact to less than a timer's tick the generator would have to turn
 * its event loop all the time, and take a core from who is measured. Closed loop: as many
 * requests at a time as there are connections, each sent when the one before it was answered.
 *
 * HTTP/1.1 is spoken by hand over kept connections: Node's own client would cost more than the
 * trivial route it measures.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { quantile } from "./measure.ts";

export interface Load {
  port: number;
  path: string;
  bodies: string[];
  /** Open: when each request is due, in ms from the start. Closed: how many at a time. */
  plan: { kind: "open"; dueMs: number[] } | { kind: "closed"; requests: number; atOnce: number };
}

export interface LoadResult {
  requests: number;
  /** Answers with another status than 200. */
  failed: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  durationMs: number;
}

interface Connection {
  /** Resolves with the status when the whole answer is there. */
  send(request: string): Promise<number>;
  /** The server has closed it: it does so with one that was idle for long. */
  isClosed(): boolean;
  close(): void;
}

const HEADER_END = "\r\n\r\n";

async function openConnection(port: number): Promise<Connection> {
  const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });
  let received = "";
  let answer: { resolve: (status: number) => void; reject: (error: Error) => void } | undefined;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    received += chunk;
    const status = wholeAnswer(received);
    if (status === undefined) return;
    received = "";
    answer?.resolve(status);
  });
  socket.on("close", () => answer?.reject(new Error("The server closed a connection")));
  return {
    send(request) {
      answer = Promise.withResolvers<number>();
      socket.write(request);
      return (answer as PromiseWithResolvers<number>).promise;
    },
    isClosed: () => socket.destroyed || socket.readableEnded,
    close: () => socket.destroy(),
  };
}

/** The status, when header and body are complete. Every answer under test has a content length. */
function wholeAnswer(received: string): number | undefined {
  const headerEnd = received.indexOf(HEADER_END);
  if (headerEnd < 0) return undefined;
  const length = /content-length: (\d+)/i.exec(received.slice(0, headerEnd))?.[1];
  if (received.length < headerEnd + HEADER_END.length + Number(length)) return undefined;
  return Number(received.slice(9, 12));
}

function requestOf(path: string, body: string): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}${HEADER_END}${body}`;
}

interface Tally {
  latenciesMs: number[];
  failed: number;
  durationMs: number;
}

/** Opened before the first request; more are opened when all of them wait. */
const OPEN_LOOP_CONNECTIONS = 32;

async function runOpen({ port, path, bodies }: Load, dueMs: readonly number[]): Promise<Tally> {
  const tally: Tally = { latenciesMs: [], failed: 0, durationMs: 0 };
  const requests = bodies.map((body) => requestOf(path, body));
  const opened = await openAll(port, OPEN_LOOP_CONNECTIONS);
  const idle = [...opened];
  const pending: Promise<void>[] = [];
  const startedMs = performance.now();
  const sendOne = async (n: number, latestMs: number) => {
    const fromMs = Math.min(performance.now(), latestMs);
    const connection = openOne(idle) ?? (await another(port, opened));
    const status = await connection.send(requests[n % requests.length] ?? "");
    tally.latenciesMs.push(performance.now() - fromMs);
    if (status !== 200) tally.failed++;
    idle.push(connection);
  };
  for (let n = 0; n < dueMs.length; n++) {
    const atMs = startedMs + (dueMs[n] ?? 0);
    await until(atMs);
    pending.push(sendOne(n, atMs + TICK_MS));
  }
  await Promise.all(pending);
  tally.durationMs = performance.now() - startedMs;
  for (const connection of opened) connection.close();
  return tally;
}

function openOne(idle: Connection[]): Connection | undefined {
  let connection = idle.pop();
  while (connection?.isClosed()) connection = idle.pop();
  return connection;
}

/** How late a timer may be by itself. */
const TICK_MS = 1;

async function until(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await pause(waitMs);
}

async function another(port: number, opened: Connection[]): Promise<Connection> {
  const connection = await openConnection(port);
  opened.push(connection);
  return connection;
}

function openAll(port: number, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => openConnection(port)));
}

async function runClosed(
  { port, path, bodies }: Load,
  { requests, atOnce }: { requests: number; atOnce: number },
): Promise<Tally> {
  const tally: Tally = { latenciesMs: [], failed: 0, durationMs: 0 };
  const texts = bodies.map((body) => requestOf(path, body));
  const opened = await openAll(port, atOnce);
  let next = 0;
  const startedMs = performance.now();
  const client = async (connection: Connection) => {
    for (let n = next++; n < requests; n = next++) {
      const sentMs = performance.now();
      if ((await connection.send(texts[n % texts.length] ?? "")) !== 200) tally.failed++;
      tally.latenciesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(opened.map(client));
  tally.durationMs = performance.now() - startedMs;
  for (const connection of opened) connection.close();
  return tally;
}

async function run(load: Load): Promise<LoadResult> {
  const tally =
    load.plan.kind === "open"
      ? await runOpen(load, load.plan.dueMs)
      : await runClosed(load, load.plan);
  const { latenciesMs, failed, durationMs } = tally;
  return {
    requests: latenciesMs.length,
    failed,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    maxMs: quantile(latenciesMs, 1),
    durationMs,
  };
}

process.on("message", (load: Load) => {
  run(load).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
