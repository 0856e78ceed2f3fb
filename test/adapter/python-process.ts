/** Python processes for tests, real ones and one that breaks the protocol, closed after each test. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, vi } from "vitest";
import { type PythonToolOptions, pythonTools } from "../../adapter/python.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import { TwintrackError } from "../../core/error.ts";
import { type ToolResult, textOf } from "../../core/tool.ts";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = dirname(dirname(here));
export const interpreter = join(root, ".venv/bin/python");
export const bridge = join(root, "python-bridge/src");

const opened: ToolServer[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

export function stubborn(options: Partial<PythonToolOptions> = {}): ToolServer {
  const server = pythonTools({ target: "stubborn:TOOLS", interpreter, cwd: here, ...options });
  opened.push(server);
  return server;
}

export function unruly(how: string, options: Partial<PythonToolOptions> = {}): ToolServer {
  return stubborn({ target: how, interpreter: join(here, "unruly.mjs"), ...options });
}

export function freshFile(): string {
  return join(mkdtempSync(join(tmpdir(), "twintrack-")), "file");
}

export async function rejection(promise: Promise<unknown>): Promise<TwintrackError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TwintrackError);
  return error as TwintrackError;
}

/** A zombie nobody reaped counts as gone. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
  } catch {
    return false;
  }
}

export const gone = (pid: number) =>
  vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 30_000, interval: 20 });
export const exists = (path: string) =>
  vi.waitFor(() => expect(existsSync(path) && readFileSync(path, "utf8")).toBeTruthy(), {
    timeout: 30_000,
    interval: 20,
  });
export const number = (result: ToolResult) => Number(textOf(result));
