/**
 * When written bytes are forced to the disk.
 *
 * `each`: before the write returns. `interval`: in another thread, at most 100 ms later; the writer
 * never waits. `never`: when the system likes.
 */
import { close, closeSync, fdatasync, fdatasyncSync } from "node:fs";

export type Fsync = "never" | "interval" | "each";

export interface Sync {
  /** After each write. */
  wrote(fd: number): void;
  /** Closes the file, once what it holds is as safe as promised. */
  close(fd: number): void;
}

const INTERVAL_MS = 100;

export function openSync(policy: Fsync = "interval"): Sync {
  switch (policy) {
    case "never":
      return { wrote: () => undefined, close: closeSync };
    case "each":
      return { wrote: fdatasyncSync, close: closeSync };
    case "interval":
      return inIntervals();
    default:
      return policy satisfies never;
  }
}

function inIntervals(): Sync {
  let unsafe: number | undefined;
  const force = (done: () => void) => {
    if (unsafe === undefined) return done();
    const fd = unsafe;
    unsafe = undefined;
    fdatasync(fd, done); // A disk that refuses says so at the next write.
  };
  return {
    wrote(fd) {
      if (unsafe === undefined) setTimeout(force, INTERVAL_MS, () => undefined);
      unsafe = fd;
    },
    close(fd) {
      force(() => close(fd, () => undefined));
    },
  };
}
