/**
 * The local spool: one append per answer, before the answer is given.
 *
 * Modes. `disk`: frames are appended to this process's own file; a write survives kill -9 without
 * fsync, not the loss of power. `memory`: the folder refuses writes (full, read-only, gone); frames
 * wait in memory, bounded in bytes, and every append tries the disk again. `gap`: memory is full
 * too; the frame is given up and its number is accounted for. The answer is never delayed or changed.
 *
 * Files are `<pid>-<epoch>-<n>.spool`. A file is written by one process only; who finds one of a
 * dead process ships it.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync as openFile,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { messageOf } from "../core/error.ts";
import { makeDataFolder } from "./data-folder.ts";
import { encodeGap, type Gap } from "./frame.ts";
import { listFiles, liveEpochs, removeFile, type SpoolFile } from "./spool-folder.ts";
import { type Fsync, openSync } from "./sync.ts";

const ROTATE_BYTES = 8 * 1024 * 1024;
const MEMORY_BYTES = 64 * 1024 * 1024;
/** Frames without payload are still written up to this share of the limit. */
const OVERFLOW = 1.1;
/** As many numbers may be missing without a word when a process is killed while its spool is full. */
const WRITE_GAPS_EVERY = 100;

export interface Spool {
  /** Never throws. `epoch` is the frame's, when another process gave it its number. */
  append(frame: Buffer, seq: number, epoch?: string): void;
  /** Accounts for numbers whose frames will never come. */
  giveUp(epoch: string, fromSeq: number, toSeq: number, cause: string): void;
  /** Closed files of this and of dead processes, oldest first, then the active one. */
  files(): SpoolFile[];
  /** Ends the active file, so that it can be shipped and removed. */
  rotate(): void;
  /** Takes the frames that could not be written to disk. */
  takeMemory(): Buffer[];
  /** Takes the numbers of the frames that were given up. */
  takeGaps(): Gap[];
  /** There is no more room for payloads: what comes now is only to be counted. */
  isFull(): boolean;
  /** Gives up what has waited longer than the limit. Returns how many frames. */
  expire(now?: number): number;
  /** The last reason why the disk refused a write, while it does. */
  problem(): string | undefined;
  close(): void;
}

export interface SpoolOptions {
  folder: string;
  epoch: string;
  /** Default 64 MiB. */
  memoryBytes?: number;
  limits?: SpoolLimits;
}

/** How much may wait for the store, and how safe it is. */
export interface SpoolLimits {
  /** On disk; beyond it new triggers are answered and counted, and not compared. Default 1,024. */
  maxMib?: number;
  /** What could not be shipped for so long is given up, and counted. Default 168. */
  maxAgeHours?: number;
  /**
   * What a loss of power may take: everything not written by the system yet (`never`), the last
   * 100 ms (`interval`, the default), or nothing, for a wait in each answer (`each`). The death of
   * the process takes nothing in any case.
   */
  fsync?: Fsync;
}

interface ActiveFile {
  fd: number;
  path: string;
  bytes: number;
}

/** Why the disk refuses writes, and how large the refused one was. */
interface Problem {
  cause: string;
  bytes: number;
}

export function openSpool({
  folder,
  epoch,
  memoryBytes = MEMORY_BYTES,
  limits: { maxMib = 1_024, maxAgeHours = 168, fsync } = {},
}: SpoolOptions): Spool {
  const maxBytes = maxMib * 1024 * 1024;
  const sync = openSync(fsync);
  let active: ActiveFile | undefined;
  let files = 0;
  let problem: Problem | undefined;
  let memory: Buffer[] = [];
  let memoryUsed = 0;
  let gaps: Gap[] = [];
  // On disk when last looked at, and written since.
  let waitingBytes = 0;
  let unwritten = 0;

  liveEpochs.add(epoch);
  const openActive = (): ActiveFile => {
    makeDataFolder(dirname(folder));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${process.pid}-${epoch}-${String(++files).padStart(6, "0")}.spool`);
    return { fd: openFile(path, "ax+", 0o600), path, bytes: 0 };
  };
  const rotate = () => {
    if (active) sync.close(active.fd);
    active = undefined;
  };
  // Somebody removed the file under us: what it holds is reachable through our descriptor alone.
  const rescue = () => {
    if (!active || fstatSync(active.fd).nlink > 0) return;
    const frames = readWhole(active);
    rotate();
    memory.push(frames);
    memoryUsed += frames.length;
    active = openActive();
    writeWhole(active, frames);
    memory.pop();
    memoryUsed -= frames.length;
  };
  const writeToDisk = (frame: Buffer) => {
    rescue();
    if (active && active.bytes >= ROTATE_BYTES) rotate();
    active ??= openActive();
    writeWhole(active, frame);
    sync.wrote(active.fd);
    waitingBytes += frame.length;
    problem = undefined;
  };
  const look = (): SpoolFile[] => {
    tryTo(rescue);
    const files = listFiles(folder, epoch, active?.path);
    waitingBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    return files;
  };
  // Without traffic nothing else would notice that the disk takes writes again.
  const probe = ({ bytes }: Problem) => {
    const file = openActive();
    try {
      // Not zeros: whoever finds them after a crash must not take them for a frame.
      writeWhole(file, Buffer.alloc(bytes, 0xff));
      problem = undefined;
    } finally {
      closeSync(file.fd);
      rmSync(file.path, { force: true });
    }
  };
  const keepInMemory = (frame: Buffer, seq: number, cause: string, frameEpoch: string) => {
    problem = { cause, bytes: frame.length };
    if (memoryUsed + frame.length > memoryBytes) {
      noteGap(gaps, { epoch: frameEpoch, fromSeq: seq, toSeq: seq, cause });
      return;
    }
    memory.push(frame);
    memoryUsed += frame.length;
  };
  // What nobody took yet must not be forgotten with this process.
  const writeGaps = () => {
    for (const gap of gaps) writeToDisk(encodeGap(gap));
    gaps = [];
  };
  look();
  return {
    append(frame, seq, frameEpoch = epoch) {
      if (waitingBytes > maxBytes * OVERFLOW) {
        noteGap(gaps, { epoch: frameEpoch, fromSeq: seq, toSeq: seq, cause: "spool_full" });
        if (++unwritten % WRITE_GAPS_EVERY === 0) tryTo(writeGaps);
        return;
      }
      try {
        writeToDisk(frame);
      } catch (error) {
        keepInMemory(frame, seq, messageOf(error), frameEpoch);
        // Another file may take what this one does not. One that took nothing is kept: a full disk
        // would else fill with empty files.
        if (active && !isEmpty(active)) {
          tryTo(rotate);
          active = undefined;
        }
      }
    },
    giveUp(ofEpoch, fromSeq, toSeq, cause) {
      noteGap(gaps, { epoch: ofEpoch, fromSeq, toSeq, cause });
    },
    files: look,
    isFull: () => waitingBytes > maxBytes,
    expire(now = Date.now()) {
      const old = look().filter(({ writtenAt }) => now - writtenAt > maxAgeHours * 3_600_000);
      const given = old.filter((file) => !file.active).flatMap(removeFile);
      for (const { epoch: ofEpoch, seq } of given)
        noteGap(gaps, { epoch: ofEpoch, fromSeq: seq, toSeq: seq, cause: "expired" });
      return given.length;
    },
    rotate() {
      tryTo(rescue);
      rotate();
    },
    takeMemory() {
      const taken = memory;
      memory = [];
      memoryUsed = 0;
      return taken;
    },
    takeGaps() {
      const taken = gaps;
      gaps = [];
      return taken;
    },
    problem() {
      if (problem) tryTo(() => problem && probe(problem));
      return problem?.cause;
    },
    close() {
      tryTo(rescue);
      tryTo(writeGaps);
      tryTo(rotate);
      liveEpochs.delete(epoch);
    },
  };
}

/** A disk that fills up writes half a frame: it is cut off again, so that the next one can be read. */
function writeWhole(active: ActiveFile, frame: Buffer): void {
  try {
    let written = 0;
    while (written < frame.length) written += writeSync(active.fd, frame, written);
    active.bytes += frame.length;
  } catch (error) {
    tryTo(() => ftruncateSync(active.fd, active.bytes));
    throw error;
  }
}

function readWhole({ fd, bytes }: ActiveFile): Buffer {
  const whole = Buffer.alloc(bytes);
  let read = 0;
  while (read < bytes) read += readSync(fd, whole, read, bytes - read, read);
  return whole;
}

function isEmpty({ fd }: ActiveFile): boolean {
  return tryTo(() => fstatSync(fd).size) === 0;
}

function noteGap(gaps: Gap[], gap: Gap & { epoch: string }): void {
  const last = gaps.at(-1);
  const goesOn =
    last?.epoch === gap.epoch && last.toSeq === gap.fromSeq - 1 && last.cause === gap.cause;
  if (last && goesOn) last.toSeq = gap.toSeq;
  else gaps.push(gap);
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
