/** A client that says damaged things to the real bridge: it stays, small, and answers what is right. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { expect } from "vitest";
import { seeded } from "../../fixtures/seeded.ts";
import { damagedFrame } from "./damage.ts";

const ALLOWED_BYTES = 64 * 1024 * 1024;

/** After so many frames the bridge has to show that it still answers. */
const FRAMES_PER_CHECK = 1_000;

interface Bridge {
  write(frame: Buffer): Promise<void>;
  /** The answer to a request with this id, which nobody else may use. */
  ask(id: string, method: string, params: object): Promise<unknown>;
  residentBytes(): number;
  /** Frames that were no JSON. */
  broken: string[];
  answers: number;
  errors: number;
  ended: string | undefined;
  kill(): void;
}

function startBridge(): Bridge {
  const pythonPath = [resolve("python-bridge/src"), resolve("test/faults")].join(delimiter);
  const child = spawn(resolve(".venv/bin/python"), ["-m", "twintrack_bridge", "fuzzed:ALL"], {
    env: { ...process.env, PYTHONPATH: pythonPath },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const gone = once(child, "close");
  const waiting = new Map<string, (answer: unknown) => void>();
  const bridge: Bridge = {
    broken: [],
    answers: 0,
    errors: 0,
    ended: undefined,
    write: async (frame) => {
      if (bridge.ended) throw new Error(`The bridge ended: ${bridge.ended}`);
      const drained = child.stdin.write(frame) || once(child.stdin, "drain");
      await Promise.race([drained, gone]).catch(() => gone);
    },
    ask: (id, method, params) => {
      const { promise, resolve: answered, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, answered);
      child.once("close", () => reject(new Error(`The bridge ended: ${bridge.ended}`)));
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      return promise;
    },
    residentBytes: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024;
    },
    kill: () => child.kill("SIGKILL"),
  };
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-4_000);
  });
  child.stdin.on("error", () => {});
  child.once("close", (code, signal) => {
    bridge.ended = `${code ?? signal}: ${said}`;
  });
  child.setMaxListeners(0);
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) hear(line, bridge, waiting);
  });
  return bridge;
}

function hear(line: string, bridge: Bridge, waiting: Map<string, (answer: unknown) => void>): void {
  try {
    const { id, result, error } = JSON.parse(line) as Record<string, unknown>;
    if (result !== undefined) bridge.answers += 1;
    if (error !== undefined) bridge.errors += 1;
    waiting.get(id as string)?.(result ?? error);
    waiting.delete(id as string);
  } catch {
    bridge.broken.push(line);
  }
}

/** @throws when it crashes, says what is no JSON, grows, or no longer answers. */
export async function expectBridgeSurvives(frames: number, seed: number): Promise<void> {
  const bridge = startBridge();
  const random = seeded(seed);
  const add = (id: string) =>
    bridge.ask(id, "tools/call", { name: "add", arguments: { a: 40, b: 2 } });
  try {
    for (let n = 0; n < 200; n++) await add(`warm-${n}`);
    const base = bridge.residentBytes();
    let peak = base;
    for (let n = 1; n <= frames; n++) {
      await bridge.write(damagedFrame(random, n));
      if (n % FRAMES_PER_CHECK > 0 && n < frames) continue;
      expect(await add(`check-${n}`)).toMatchObject({ content: [{ text: "42" }] });
      peak = Math.max(peak, bridge.residentBytes());
    }
    expect(bridge.ended).toBeUndefined();
    expect(bridge.broken).toEqual([]);
    // Both have to have happened: damage that is all refused, or not seen, shows nothing.
    expect(bridge.errors).toBeGreaterThan(frames * 0.1);
    expect(bridge.answers).toBeGreaterThan(frames * 0.1);
    expect(peak - base).toBeLessThan(ALLOWED_BYTES);
  } finally {
    bridge.kill();
  }
}
