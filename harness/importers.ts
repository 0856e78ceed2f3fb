/**
 * Who in the project may use which files: by an import, or by a name in a string, a manifest, a
 * workflow or a shell script. A use that is only possible counts: whoever asks wants to delete.
 */
import { dirname, extname, resolve } from "node:path";
import {
  folderOfLevel,
  moduleFiles,
  type PythonName,
  packagesAround,
  pythonNames,
  startsOf,
} from "./python-imports.ts";
import { type ProjectFile, scriptImports, textOf } from "./source-files.ts";

/** Files by every end of their path, without the ending: `app/graph`, `graph`. */
type FileIndex = ReadonlyMap<string, readonly string[]>;

/**
 * The candidates that something else in the project may use, each with its users. What is used by a
 * candidate that stays, stays.
 */
export function usersOf(
  candidates: ReadonlySet<string>,
  project: readonly ProjectFile[],
  roots: readonly string[],
): Map<string, string[]> {
  const users = new Map<string, string[]>();
  if (candidates.size === 0) return users;
  const index = indexOf(candidates);
  const queue = project.filter(({ path }) => !candidates.has(path));
  for (const user of queue) {
    for (const used of new Set(usesOf(user, index, candidates, roots))) {
      const known = users.get(used);
      if (!known) queue.push({ path: used, kind: "source" });
      if (used !== user.path) users.set(used, [...(known ?? []), user.path]);
    }
  }
  return users;
}

function indexOf(files: Iterable<string>): FileIndex {
  const index = new Map<string, string[]>();
  for (const file of files) {
    const stem = file.slice(0, -extname(file).length).replaceAll("\\", "/");
    for (const path of new Set([stem, stem.replace(/\/(?:__init__|__main__|index)$/, "")])) {
      const parts = path.split("/");
      for (const at of parts.keys()) {
        const end = parts.slice(at).join("/");
        index.set(end, [...(index.get(end) ?? []), file]);
      }
    }
  }
  return index;
}

function usesOf(
  user: ProjectFile,
  index: FileIndex,
  candidates: ReadonlySet<string>,
  roots: readonly string[],
): string[] {
  const text = user.text ?? codeOf(user.path);
  const isPython = /\.(?:py|ipynb)$/.test(user.path);
  const imported = isPython
    ? pythonNames(text).flatMap((name) => pythonUses(user.path, name, index, roots))
    : scriptImports(user.path, text);
  const packages = isPython ? [user.path, ...imported].flatMap(packagesAround) : [];
  const found = [...imported, ...packages, ...mentions(user, text, index, roots)];
  return found.filter((file) => candidates.has(file));
}

/** A notebook's cells are its code. */
function codeOf(file: string): string {
  const text = textOf(file) ?? "";
  if (!file.endsWith(".ipynb")) return text;
  try {
    const { cells } = JSON.parse(text) as { cells: { source: string | string[] }[] };
    return cells.map(({ source }) => [source].flat().join("")).join("\n");
  } catch {
    return text;
  }
}

/** A name that leads to files from where it stands means those; else any file that is called so. */
function pythonUses(
  user: string,
  { level, module, isOpen }: PythonName,
  index: FileIndex,
  roots: readonly string[],
): readonly string[] {
  const parts = module.split(".").filter(Boolean);
  const path = level > 0 ? resolve(folderOfLevel(user, level), ...parts) : parts.join("/");
  const named = [...(index.get(path) ?? []), ...(isOpen ? below(path, index) : [])];
  if (level > 0 || isOpen || named.length === 0) return named;
  const exact = startsOf(user, roots).flatMap((folder) => moduleFiles(folder, module));
  return exact.length > 0 ? exact : named;
}

/** Every file that lies in a folder of this name. */
function below(folder: string, index: FileIndex): string[] {
  return [...index].flatMap(([end, files]) => (end.startsWith(`${folder}/`) ? files : []));
}

const LITERAL = /(?<quote>["'`])(?<word>[\w./\\@~#-]+?)(?<attribute>:[\w.]+)?\k<quote>/g;
const WORD = /(?<word>[\w./\\@~-]+)(?<attribute>:[A-Za-z_]\w*)?/g;
const MODULE_AND_ATTRIBUTE = /(?<word>[A-Za-z_]\w*(?:\.\w+)+)(?<attribute>:[A-Za-z_]\w*)/g;
const RUN_AS_MODULE = /(?:^|[\s"'[])-m["',\s]+(?<word>[\w.]+)/g;

/** Modules and paths that are named: `"app.graph:build"`, `python -m app.graph`, `./app/graph.py`. */
function mentions(
  { path: user, kind }: ProjectFile,
  text: string,
  index: FileIndex,
  roots: readonly string[],
): string[] {
  const folders = [dirname(user), ...roots];
  const words = kind === "wiring" ? wordsOf(text, WORD) : namesInSource(text);
  const said = words.flatMap(({ word, attribute }) => {
    if (isPath(word)) return pathUses(word, folders, kind, index);
    return word.includes(".") || attribute ? named(word, index) : [];
  });
  return [...said, ...wordsOf(text, RUN_AS_MODULE).flatMap(({ word }) => named(word, index))];
}

interface Word {
  word: string;
  attribute: string | undefined;
}

function wordsOf(text: string, pattern: RegExp): Word[] {
  return [...text.matchAll(pattern)].map(({ groups }) => ({
    word: groups?.word ?? "",
    attribute: groups?.attribute,
  }));
}

/** In source only whole strings name something, and never those that say what to import. */
function namesInSource(text: string): Word[] {
  const rest = text.replace(/(?:from|import|require)\s*\(?\s*(["'`])[^"'`\n]+\1/g, "");
  return [...wordsOf(rest, LITERAL), ...wordsOf(rest, MODULE_AND_ATTRIBUTE)];
}

function isPath(word: string): boolean {
  return /[/\\]/.test(word) || /\.(?:[cm]?[jt]sx?|py)$/.test(word);
}

/** `app.graph.build` may be the module `app.graph` and its attribute. */
function named(word: string, index: FileIndex): readonly string[] {
  const parts = word.split(".");
  const shortest = Math.min(2, parts.length);
  for (let length = parts.length; length >= shortest; length--) {
    const files = index.get(parts.slice(0, length).join("/"));
    if (files) return files;
  }
  return [];
}

function pathUses(
  word: string,
  folders: readonly string[],
  kind: ProjectFile["kind"],
  index: FileIndex,
): readonly string[] {
  const ending = /\.(?:[cm]?[jt]sx?|py)$/.exec(word)?.[0] ?? "";
  const stem = word.slice(0, word.length - ending.length).replaceAll("\\", "/");
  const isRelative = /^\.{1,2}\//.test(stem);
  const isExact = isRelative || (!stem.includes("/") && kind === "source");
  const exact = isExact
    ? folders.flatMap((folder) => index.get(resolve(folder, stem)) ?? [])
    : called(stem, ending !== "", index);
  // In a manifest or a container file the folder that a relative path starts from is not known.
  const isLoose = isRelative && kind === "wiring";
  const loose = isLoose ? called(stem.replace(/^[./]+/, ""), ending !== "", index) : [];
  return [...exact, ...loose].filter((file) => ending === "" || isEnding(file, ending));
}

/** An absolute path may be one inside of a container, and an alias stands for any folder. */
function called(stem: string, isFile: boolean, index: FileIndex): readonly string[] {
  const parts = stem.replace(/^(?:[@~#]\/?|\/)/, "").split("/");
  const isAlias = /^[@~#]/.test(stem);
  if (!isFile && !isAlias && parts.length < 2) return [];
  const shortest = isFile && stem.startsWith("/") ? 1 : parts.length;
  for (let length = parts.length; length >= shortest; length--) {
    const files = index.get(parts.slice(parts.length - length).join("/"));
    if (files) return files;
  }
  return [];
}

function isEnding(file: string, ending: string): boolean {
  return file.endsWith(ending) || file.endsWith(ending.replace("js", "ts"));
}
