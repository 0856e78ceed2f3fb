/**
 * Keeps what Node and V8 make of every module for the whole suite. Each process that a test starts
 * would strip, parse and compile the same ones again, and for most commands that is two thirds of
 * their work.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function setup(): () => void {
  // A shadow process may write to temporary files only, and a cache that it cannot write it does not read.
  const folder = mkdtempSync(join(tmpdir(), "twintrack-compiled-"));
  process.env.NODE_COMPILE_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
