/** An exclusive claim on a folder: a file beside it with the pid of the one process that may open it. */
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { TwintrackError } from "../../core/error.ts";
import { makeDataFolder } from "../data-folder.ts";

interface Owner {
  pid: number;
  /** Distinguishes two owners in one process, and a reused pid. */
  token: string;
}

const tokensOfThisProcess = new Set<string>();

/**
 * Claims the folder and returns the function that gives it back.
 *
 * @throws {TwintrackError} `STORE_LOCKED` with the owner's pid. A lock of a dead process is taken over.
 */
export function lockFolder(folder: string): () => void {
  const file = `${folder}.lock`;
  const owner: Owner = { pid: process.pid, token: crypto.randomUUID() };
  tokensOfThisProcess.add(owner.token);
  makeDataFolder(dirname(folder));
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(file, owner)) return () => release(file, owner);
    const other = read(file);
    if (other && isHeld(other)) throw locked(folder, other.pid);
    removeStale(file, other);
  }
  throw locked(folder, read(file)?.pid ?? 0);
}

/** The pid that holds the folder, when a living process does. */
export function lockHolder(folder: string): number | undefined {
  const owner = read(`${folder}.lock`);
  return owner && isHeld(owner) ? owner.pid : undefined;
}

function create(file: string, owner: Owner): boolean {
  try {
    const fd = openSync(file, "wx", 0o600);
    writeSync(fd, JSON.stringify(owner));
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
  } catch {
    return undefined; // Gone, or being written just now: the caller tries again.
  }
}

/** Renaming is atomic: of two takers one moves the stale file; who moved a live one puts it back. */
function removeStale(file: string, stale: Owner | undefined): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    const moved = read(aside);
    if (moved && moved.token !== stale?.token && isHeld(moved)) linkSync(aside, file);
    rmSync(aside, { force: true });
  } catch {
    // Another taker was faster; the next attempt sees its lock.
  }
}

function release(file: string, owner: Owner): void {
  if (read(file)?.token === owner.token) rmSync(file, { force: true });
}

/** In a container every start has the same pid: our own pid with a token we never made is a dead owner. */
function isHeld(owner: Owner): boolean {
  return owner.pid === process.pid ? tokensOfThisProcess.has(owner.token) : isAlive(owner.pid);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function locked(folder: string, pid: number): TwintrackError {
  return new TwintrackError(
    "STORE_LOCKED",
    `The embedded database ${folder} is open in process ${pid}`,
    {
      hint: `Stop it (kill ${pid}), or use a Postgres that several processes can share: TWINTRACK_DATABASE_URL.`,
    },
  );
}
