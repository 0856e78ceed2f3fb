/** What Python files import, read as text. */
import { existsSync } from "node:fs";
import { dirname, join, sep } from "node:path";

/** A name in an import that may be a module's: `from .a import b` has `.a` and `.a.b`. */
export interface PythonName {
  /** Dots before it; 0 is absolute. */
  level: number;
  module: string;
  /** `import *`, or a name that is put together: every module below may be meant. */
  isOpen: boolean;
}

const IMPORT = /(?:^|[;:])[ \t]*import[ \t]+([^\n;#]+)/gm;
const FROM_IMPORT =
  /(?:^|[;:])[ \t]*from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]*(\((?:[^)#]|#[^\n]*)*\)|[^\n;#]+)/gm;
const DYNAMIC = /(?:import_module|__import__)\(\s*[rf]?["'](\.*)([\w.]*)(["'{%])/g;

/** Every name that an import in this text may mean, wherever it stands. */
export function pythonNames(text: string): PythonName[] {
  const code = text.replace(/\\\r?\n/g, " ");
  const plain = [...code.matchAll(IMPORT)].flatMap(([, list = ""]) =>
    namesOf(list).map((module) => ({ level: 0, module, isOpen: false })),
  );
  const from = [...code.matchAll(FROM_IMPORT)].flatMap(([, dots = "", module = "", list = ""]) => {
    const names = namesOf(list.replace(/#[^\n]*/g, "").replace(/[()]/g, ""));
    const below = names.map((name) => [module, name].filter(Boolean).join("."));
    const level = dots.length;
    return [
      { level, module, isOpen: list.trim() === "*" },
      ...below.map((name) => ({ level, module: name, isOpen: false })),
    ];
  });
  const dynamic = [...code.matchAll(DYNAMIC)].map(([, dots = "", module = "", end = ""]) => ({
    level: dots.length,
    module: module.replace(/\.$/, ""),
    isOpen: end === "{" || end === "%",
  }));
  return [...plain, ...from, ...dynamic];
}

/** `a.b as c, d` names `a.b` and `d`. */
function namesOf(list: string): string[] {
  return list.split(",").flatMap((one) => /^\s*([\w.]+)/.exec(one)?.[1] ?? []);
}

/** The files that a module's name stands for below a folder. */
export function moduleFiles(folder: string, module: string): string[] {
  const path = join(folder, ...module.split("."));
  const files = module === "" ? [] : [`${path}.py`];
  return [...files, join(path, "__init__.py")].filter((file) => existsSync(file));
}

/** The `__init__.py` of every package that a file lies in: they run before it does. */
export function packagesAround(file: string): string[] {
  const found: string[] = [];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const init = join(folder, "__init__.py");
    if (!existsSync(init)) return found;
    if (init !== file) found.push(init);
  }
}

/** The folder that a relative name starts from: one dot is the file's own package. */
export function folderOfLevel(file: string, level: number): string {
  return join(dirname(file), ...Array.from({ length: level - 1 }, () => ".."));
}

/** The folders an absolute name may start from: the file's own and those above it, and the roots. */
export function startsOf(file: string, roots: readonly string[]): string[] {
  const own = dirname(file).split(sep);
  const above = own.map((_, index) => own.slice(0, own.length - index).join(sep)).filter(Boolean);
  return [...new Set([...above.flatMap((folder) => [folder, join(folder, "src")]), ...roots])];
}

/**
 * The files that a Python file certainly imports. A name that could be two files is the first of
 * them, as it is for Python; what only a documentation string says is none.
 */
export function pythonImports(file: string, text: string, roots: readonly string[]): string[] {
  const code = text.replace(/("""|''')[\s\S]*?\1/g, '""');
  const imported = pythonNames(code).flatMap(({ level, module }) => {
    if (level > 0) return moduleFiles(folderOfLevel(file, level), module);
    const starts = [...roots, ...startsOf(file, [])];
    const start = starts.find((folder) => moduleFiles(folder, module).length > 0);
    return module === "" || start === undefined ? [] : moduleFiles(start, module);
  });
  return [...imported, file].flatMap((one) => [one, ...packagesAround(one)]);
}
