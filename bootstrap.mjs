// Sets a fresh clone up and runs a command in it: `node bootstrap.mjs [--python-optional] [command …]`.
//
// Runs on any Node from 20 on, with npm and Python 3.10 or newer as the only things present. What
// is already there is not done again: each part leaves a stamp of what it was made from.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const venv = join(root, ".venv");
const needsPython = process.argv[2] !== "--python-optional";
const command = process.argv.slice(needsPython ? 2 : 3);

process.exitCode = main();

function main() {
  installPackages();
  const python = installPython();
  if (python !== undefined && needsPython) {
    console.error(`setup: ${python}`);
    return 5;
  }
  if (command.length === 0) return 0;
  const env = {
    ...process.env,
    PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
  };
  if (python !== undefined) env.TWINTRACK_PYTHON_PROBLEM = python;
  const [name, ...args] = command;
  const result = spawnSync(name, args, { cwd: root, env, stdio: "inherit" });
  if (result.error) console.error(`setup: ${name} cannot be started: ${result.error.message}`);
  return result.status ?? (result.signal === "SIGINT" ? 130 : 1);
}

/** npm packages from the lock file; the `node` among them runs everything else. */
function installPackages() {
  const stamp = join(root, "node_modules", ".twintrack-stamp");
  const made = digest("package-lock.json");
  if (read(stamp) === made) return;
  step("installing npm packages");
  // Not `npm ci`: it refuses a lock file that lacks a binary for a platform the registry did not
  // have. This one takes the same versions and integrities, and leaves the lock file as it is.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
  const node = spawnSync(join(root, "node_modules", ".bin", "node"), ["--version"], {
    encoding: "utf8",
  });
  if (node.status !== 0) {
    // Some npm settings forbid install scripts; this one only links the binary that npm brought.
    run("npm", ["rebuild", "node", "--foreground-scripts", "--loglevel=error"]);
  }
  writeFileSync(stamp, made);
}

/** A virtual environment with LangChain for the fixtures. Returns what is missing, or undefined. */
function installPython() {
  const stamp = join(venv, ".twintrack-stamp");
  const requirements = join("python-bridge", "requirements.txt");
  const made = digest(requirements);
  if (read(stamp) === made) return undefined;
  const python = ["python3", "python"].find((name) => isPython(name));
  if (python === undefined)
    return "Python 3.10 or newer is not on the path; install python3 and python3-venv";
  step("installing Python packages");
  mkdirSync(venv, { recursive: true });
  const created = spawnSync(python, ["-m", "venv", venv], { cwd: root, encoding: "utf8" });
  if (created.status !== 0)
    return `${python} -m venv failed: ${lastLine(created)}; install python3-venv`;
  const pip = spawnSync(
    join(venv, "bin", "python"),
    ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  if (pip.status !== 0) return `pip install -r ${requirements} failed: ${lastLine(pip)}`;
  writeFileSync(stamp, made);
  return undefined;
}

function isPython(name) {
  const check = "import sys; sys.exit(sys.version_info < (3, 10))";
  return spawnSync(name, ["-c", check], { stdio: "ignore" }).status === 0;
}

function lastLine({ stderr, stdout, error }) {
  return String(error?.message ?? (stderr || stdout))
    .trim()
    .split("\n")
    .at(-1);
}

function run(name, args) {
  const result = spawnSync(name, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (result.status === 0) return;
  console.error(
    `setup: ${name} ${args.join(" ")} failed${result.error ? `: ${result.error.message}` : ""}`,
  );
  process.exit(result.signal === "SIGINT" ? 130 : 5);
}

function step(what) {
  console.error(`setup: ${what}`);
}

function digest(file) {
  return createHash("sha256")
    .update(readFileSync(join(root, file)))
    .digest("hex");
}

function read(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
