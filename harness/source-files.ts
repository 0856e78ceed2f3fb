/** The project's files as text, and which source files need which others; nothing is loaded. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { ResolvedConfig } from "./config.ts";
import { moduleFiles, packagesAround, pythonImports } from "./python-imports.ts";

/** The files that a side or a tool source names: a loader's imports, a Python target's module. */
export function entriesOf(config: ResolvedConfig, source: unknown): string[] {
  if (typeof source === "function") {
    const imported = [...String(source).matchAll(/import\(\s*["'`](\.[^"'`]+)["'`]\s*\)/g)];
    return imported.flatMap((match) =>
      match[1] === undefined ? [] : [resolve(config.baseDir, match[1])],
    );
  }
  if (typeof source !== "object" || source === null || !("python" in source)) return [];
  const module = String(source.python).split(":", 1)[0] ?? "";
  const files = moduleFiles(pythonFolder(config, source), module);
  return files.flatMap((file) => [file, ...packagesAround(file)]);
}

/** Where the interpreter of a Python source imports from. */
function pythonFolder(config: ResolvedConfig, source: object): string {
  const cwd = "cwd" in source && typeof source.cwd === "string" ? source.cwd : ".";
  return resolve(config.baseDir, cwd);
}

/** The folders from which the configured Python sources import, and a `src` in each. */
export function pythonRoots(config: ResolvedConfig): string[] {
  const sides = Object.values(config.flows).map(({ legacy }) => legacy);
  const sources = [...sides, ...Object.values(config.tools)].flatMap((source) =>
    typeof source === "object" && "python" in source ? pythonFolder(config, source) : [],
  );
  const folders = [...new Set([...sources, config.baseDir])];
  return folders.flatMap((folder) => [folder, join(folder, "src")]);
}

/** Follows the imports of a file that certainly are some. */
export function reach(file: string, reached: Set<string>, roots: readonly string[]): void {
  if (reached.has(file)) return;
  const text = textOf(file);
  if (text === undefined) return;
  reached.add(file);
  const imports = file.endsWith(".py")
    ? pythonImports(file, text, roots)
    : scriptImports(file, text);
  for (const next of imports) reach(next, reached, roots);
}

export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

const SCRIPT_ENDINGS = ["", ".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/** Relative imports, with the endings and the `index` that bundlers and CommonJS leave out. */
export function scriptImports(file: string, text: string): string[] {
  const found = text.matchAll(/(?:from|import|require)\s*\(?\s*["'`](\.{1,2}(?:\/[^"'`]*)?)["'`]/g);
  return [...found].flatMap((match) => {
    const path = resolve(dirname(file), match[1] ?? "");
    // TypeScript lets the source `a.ts` be imported as `a.js`.
    const stems = [path, path.replace(/\.([cm]?)jsx?$/, ""), join(path, "index")];
    const named = stems.flatMap((stem) => SCRIPT_ENDINGS.map((ending) => stem + ending));
    return [...new Set(named)].filter(isFile);
  });
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

const SOURCE = /\.(?:[cm]?[jt]sx?|py|ipynb)$/;
/** What starts programs, or names them, without being source: manifests, workflows, containers, shells. */
const WIRING =
  /\.(?:toml|cfg|ini|conf|ya?ml|jsonc?|sh|bash|ps1|bat|cmd|service|env|mk|tf|xml)$|^[^.]+$|Dockerfile|Containerfile|^\.env/i;
const MAX_WIRING_BYTES = 1_048_576;
const NOT_OURS = /^(?:node_modules|dist|build|__pycache__|site-packages)$/;
const HIDDEN_BUT_OURS = /^\.(?:github|gitlab|circleci|buildkite|devcontainer|vscode)$/;

export interface ProjectFile {
  path: string;
  kind: "source" | "wiring";
  /** Where it is another one than on disk. */
  text?: string;
}

/** The files below a folder in which a use may stand, without packages, environments and builds. */
export function projectFiles(folder: string): ProjectFile[] {
  const files: ProjectFile[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const entries = readdirSync(at, { withFileTypes: true });
    if (entries.some(({ name }) => name === "pyvenv.cfg")) continue;
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && isOurs(entry.name)) folders.push(path);
      const kind = entry.isFile() ? kindOf(path) : undefined;
      if (kind) files.push({ path, kind });
    }
  }
  return files;
}

function isOurs(folder: string): boolean {
  return folder.startsWith(".") ? HIDDEN_BUT_OURS.test(folder) : !NOT_OURS.test(folder);
}

function kindOf(path: string): ProjectFile["kind"] | undefined {
  const name = basename(path);
  if (SOURCE.test(name)) return "source";
  return WIRING.test(name) && statSync(path).size <= MAX_WIRING_BYTES ? "wiring" : undefined;
}
