/** Which source files need which others: imports are followed as text, nothing is loaded. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ResolvedConfig } from "./config.ts";

/** The files that a side or a tool source names: a loader's imports, a Python target's module. */
export function entriesOf(config: ResolvedConfig, source: unknown): string[] {
  if (typeof source === "function") {
    const imported = [...String(source).matchAll(/import\(\s*["'`](\.[^"'`]+)["'`]\s*\)/g)];
    return imported.flatMap((match) =>
      match[1] === undefined ? [] : [resolve(config.baseDir, match[1])],
    );
  }
  if (typeof source !== "object" || source === null || !("python" in source)) return [];
  const { python: target, cwd } = source as { python: string; cwd?: string };
  const module = target.slice(0, target.indexOf(":")).replaceAll(".", "/");
  return [resolve(config.baseDir, cwd ?? ".", `${module}.py`)];
}

/** Follows relative imports from a file. */
export function reach(file: string, reached: Set<string>): void {
  if (reached.has(file)) return;
  const text = textOf(file);
  if (text === undefined) return;
  reached.add(file);
  const imports = file.endsWith(".py") ? pythonImports(file, text) : scriptImports(file, text);
  for (const next of imports) reach(next, reached);
}

export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

export function scriptImports(file: string, text: string): string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g);
  return [...found].flatMap((match) =>
    match[1] === undefined ? [] : [resolve(dirname(file), match[1])],
  );
}

export function pythonImports(file: string, text: string): string[] {
  const folder = dirname(file);
  const siblings = new Set(readdirSync(folder).filter((name) => name.endsWith(".py")));
  const words = [...text.matchAll(/^\s*(?:from\s+([\w.]+)\s+import\s+(.+)|import\s+([\w.]+))/gm)];
  return words
    .flatMap((match) => `${match[1] ?? ""} ${match[2] ?? ""} ${match[3] ?? ""}`.split(/[^\w]+/))
    .filter((word) => siblings.has(`${word}.py`))
    .map((word) => join(folder, `${word}.py`));
}

const SOURCE = /\.(?:[cm]?[jt]sx?|py)$/;
const MAX_FILES = 5_000;

/** Source files below a folder, without packages, builds and hidden folders. */
export function sourceFiles(folder: string): string[] {
  const files: string[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined && files.length < MAX_FILES; at = folders.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (/^\.|^(?:node_modules|dist|build|venv|__pycache__)$/.test(entry.name)) continue;
      if (entry.isDirectory()) folders.push(join(at, entry.name));
      else if (entry.isFile() && SOURCE.test(entry.name)) files.push(join(at, entry.name));
    }
  }
  return files;
}
