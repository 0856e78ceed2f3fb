/** Which Python runs the user's code, and with which environment. */
import { execFile } from "node:child_process";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SHADOW_VARIABLES } from "./egress.ts";

const run = promisify(execFile);

/** What of our environment the Python process sees. */
export interface EnvironmentPolicy {
  /** Variables of its own, set last. */
  env?: Readonly<Record<string, string>>;
  /** `true` (default) all of ours, `false` nothing, or the names to pass on. */
  inheritEnv?: boolean | readonly string[];
}

type Environment = Record<string, string>;

const WINDOWS = process.platform === "win32";

/**
 * The path of the interpreter: the given one, or that of the given environment; else that of the
 * active virtual environment, of the nearest `.venv`, `venv` or `env` at or above the folder, of the
 * active conda environment, else `python3`. Undefined when there is none.
 */
export async function findInterpreter(
  given: string | undefined,
  cwd: string,
  environment: Environment,
): Promise<string | undefined> {
  const name = given ?? virtualEnvironments(cwd, environment).find(isExecutable) ?? "python3";
  const path = locate(name, cwd, environment);
  return path && behindShim(path, environment);
}

function virtualEnvironments(cwd: string, environment: Environment): string[] {
  const nearest = foldersFrom(cwd).flatMap((folder) =>
    [".venv", "venv", "env"].map((name) => join(folder, name)),
  );
  const folders = [environment.VIRTUAL_ENV, ...nearest, environment.CONDA_PREFIX];
  return folders
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => inEnvironment(String(folder)));
}

function inEnvironment(folder: string): string {
  return join(folder, WINDOWS ? "Scripts/python.exe" : "bin/python");
}

/** True when packages may be installed into it: it is that of a virtual environment. */
export function isInEnvironment(interpreter: string): boolean {
  return existsSync(join(dirname(dirname(interpreter)), "pyvenv.cfg"));
}

function foldersFrom(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...foldersFrom(parent)];
}

function locate(name: string, cwd: string, environment: Environment): string | undefined {
  const path = resolve(cwd, name);
  if (isExecutable(inEnvironment(path))) return inEnvironment(path);
  if (isAbsolute(name) || name.includes("/")) return isExecutable(path) ? path : undefined;
  const folders = (environment.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, WINDOWS ? `${name}.exe` : name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile(); // A folder may be entered.
  } catch {
    return false;
  }
}

const shims = new Map<string, Promise<string>>();

/**
 * pyenv's and asdf's `python3` is a script that decides anew on each start, and that stands
 * between us and the process we may have to kill. It is asked once.
 */
function behindShim(path: string, environment: Environment): Promise<string> {
  if (!startsWithShebang(path)) return Promise.resolve(path);
  const known = shims.get(path);
  if (known !== undefined) return known;
  const asked = run(path, ["-c", "import sys; print(sys.executable)"], {
    env: environment,
    timeout: 10_000,
  }).then(
    ({ stdout }) => stdout.trim() || path,
    () => path, // Whatever is wrong with it shows when it is started.
  );
  shims.set(path, asked);
  return asked;
}

function startsWithShebang(path: string): boolean {
  try {
    const file = openSync(path, "r");
    const start = Buffer.alloc(2);
    readSync(file, start, 0, 2, 0);
    closeSync(file);
    return start.toString("latin1") === "#!";
  } catch {
    return false;
  }
}

/** What opens our own data and doors is no business of a tool, unless its source names it. */
const OUR_SECRETS = /^TWINTRACK_(?:KEY|API_KEY|DATABASE_URL)(?:_FILE)?$/;

/** The environment of the Python process; the bridge is found through PYTHONPATH. */
export function childEnvironment(
  { env = {}, inheritEnv: inherit = true }: EnvironmentPolicy,
  own: NodeJS.ProcessEnv,
  role: string | undefined,
): Environment {
  const isPassed = (name: string) =>
    typeof inherit === "boolean" ? inherit && !OUR_SECRETS.test(name) : inherit.includes(name);
  const passed = Object.entries(own).filter(
    ([name]) => isPassed(name) || SHADOW_VARIABLES.includes(name),
  );
  const environment = { ...(Object.fromEntries(passed) as Environment), ...env };
  const pythonPath = [bridgeFolder(), environment.PYTHONPATH].filter(Boolean).join(delimiter);
  const fixed = { ...environment, PYTHONPATH: pythonPath, PYTHONUTF8: "1" };
  return role === undefined ? fixed : { ...fixed, TWINTRACK_ROLE: role };
}

/** `python-bridge/src`, seen from the sources and from the published build one folder deeper. */
function bridgeFolder(): string {
  const places = ["../python-bridge/src", "../../python-bridge/src"];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return paths.find((path) => existsSync(join(path, "twintrack_bridge"))) ?? String(paths[0]);
}
