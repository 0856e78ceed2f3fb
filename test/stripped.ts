/**
 * Strips the types off our sources once for the suite. Every process that a test starts would do so
 * again for itself, and for most commands that is more than half of their work.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Ignored by git. Candidates may write to temporary files, and what they are loaded from is none. */
const DATA = join(ROOT, ".twintrack");
/** What processes load; the tests themselves are Vitest's. */
const SOURCES = "{adapter,core,fixtures,harness,test/app}/**/*.ts";

export default function setup(): () => void {
  mkdirSync(DATA, { recursive: true });
  const folder = mkdtempSync(join(DATA, "stripped-"));
  const { emitWarning } = process;
  process.emitWarning = () => undefined; // Node calls its function experimental, which is no news for whoever tests.
  for (const file of globSync(SOURCES, { cwd: ROOT })) {
    const stripped = join(folder, file);
    mkdirSync(dirname(stripped), { recursive: true });
    writeFileSync(stripped, stripTypeScriptTypes(readFileSync(join(ROOT, file), "utf8")));
  }
  process.emitWarning = emitWarning;
  const hook = new URL("stripped-hook.mjs", import.meta.url);
  hook.search = pathToFileURL(folder).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --import=${hook.href}`.trim();
  return () => rmSync(folder, { recursive: true, force: true });
}
