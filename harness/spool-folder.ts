/** The files of a spool's folder: `<pid>-<epoch>-<n>.spool`, each written by one process only. */
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { decodeFrames } from "./frame.ts";
import { isAlive } from "./store/lock.ts";

export interface SpoolFile {
  path: string;
  /** Still being written by this process. */
  active: boolean;
  bytes: number;
  /** Milliseconds since the epoch. */
  writtenAt: number;
}

/** Closed files of this and of dead processes, oldest first, then the active one. */
export function listFiles(
  folder: string,
  epoch: string,
  activePath: string | undefined,
): SpoolFile[] {
  const names = tryTo(() => readdirSync(folder).filter((name) => name.endsWith(".spool"))) ?? [];
  return names
    .filter((name) => isOurs(name, epoch))
    .sort()
    .map((name) => join(folder, name))
    .flatMap((path) => tryTo(() => fileAt(path, activePath)) ?? [])
    .sort((a, b) => Number(a.active) - Number(b.active));
}

/** Ours, or of a process that is dead. In a container a predecessor had our own pid, but another epoch. */
function isOurs(name: string, epoch: string): boolean {
  const pid = Number.parseInt(name, 10);
  if (pid === process.pid) return name.includes(epoch) || !liveEpochs.has(epochOf(name));
  return !isAlive(pid);
}

/** Epochs of the spools of this process: several spools may be open in one. */
export const liveEpochs = new Set<string>();

function epochOf(name: string): string {
  return name.slice(name.indexOf("-") + 1, name.lastIndexOf("-"));
}

/** Up to `maxBytes` of a spool file from `offset`. */
export function readSpool(path: string, offset: number, maxBytes: number): Buffer {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(maxBytes);
    return bytes.subarray(0, readSync(fd, bytes, 0, maxBytes, offset));
  } finally {
    closeSync(fd);
  }
}

function fileAt(path: string, activePath: string | undefined): SpoolFile {
  const { size, mtimeMs } = statSync(path);
  return { path, active: path === activePath, bytes: size, writtenAt: mtimeMs };
}

/** A whole file's numbers, for whoever gives its frames up. */
export function removeFile({ path, bytes }: SpoolFile): { epoch: string; seq: number }[] {
  const { frames } = decodeFrames(readSpool(path, 0, bytes));
  rmSync(path, { force: true });
  return frames.map(({ header: { epoch, seq } }) => ({ epoch, seq }));
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined; // Another process was faster.
  }
}
