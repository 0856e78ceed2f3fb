// Sets a fresh clone up and runs a command in it: `node bootstrap.mjs [--demo | --test] [command …]`.
//
// Runs on any Node from 20 on, with npm and Python 3.10 or newer as the only things present. What
// is already there is not done again: each part leaves a stamp of what it was made from. `--demo`
// goes on without Python; `--test` brings what others wrote and the tests meet, too (test/peers).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const PROJECT = join("python-bridge", "requirements.txt");
const mode = ["--demo", "--test"].find((flag) => flag === process.argv[2]);
const command = process.argv.slice(mode === undefined ? 2 : 3);

process.exitCode = main();

function main() {
  installPackages(".");
  if (mode === "--test") installPackages(join("test", "peers"));
  const python =
    installPython(".venv", [PROJECT]) ?? (mode === "--test" ? installPeers() : undefined);
  if (python !== undefined && mode !== "--demo") {
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

/** npm packages from a folder's lock file; the `node` among the project's runs everything else. */
function installPackages(folder) {
  const stamp = join(root, folder, "node_modules", ".twintrack-stamp");
  const made = digest([join(folder, "package-lock.json")]);
  if (read(stamp) === made) return;
  step(folder === "." ? "installing npm packages" : `installing npm packages of ${folder}`);
  // Not `npm ci`: it refuses a lock file that lacks a binary for a platform the registry did not
  // have. This one takes the same versions and integrities, and leaves the lock file as it is.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], folder);
  const node = spawnSync(join(root, "node_modules", ".bin", "node"), ["--version"], {
    encoding: "utf8",
  });
  if (node.status !== 0) {
    // Some npm settings forbid install scripts; this one only links the binary that npm brought.
    run("npm", ["rebuild", "node", "--foreground-scripts", "--loglevel=error"]);
  }
  writeFileSync(stamp, made);
}

/** The Python packages of the tests, beside those of the fixtures and apart from them. */
function installPeers() {
  const peers = join("test", "peers");
  return (
    installPython(".venv", [PROJECT, join(peers, "requirements.txt")]) ??
    installPython(join(peers, ".venv"), [join(peers, "requirements-mcp1.txt")])
  );
}

/** A virtual environment that holds these requirements. Returns what is missing, or undefined. */
function installPython(folder, requirements) {
  const venv = join(root, folder);
  const stamp = join(venv, `.twintrack-stamp-${requirements.length}`);
  const made = digest(requirements);
  if (read(stamp) === made) return undefined;
  const python = ["python3", "python"].find((name) => isPython(name));
  if (python === undefined)
    return "Python 3.10 or newer is not on the path; install python3 and python3-venv";
  step(`installing Python packages of ${requirements.at(-1)}`);
  mkdirSync(venv, { recursive: true });
  const created = spawnSync(python, ["-m", "venv", venv], { cwd: root, encoding: "utf8" });
  if (created.status !== 0)
    return `${python} -m venv failed: ${lastLine(created)}; install python3-venv`;
  const pip = spawnSync(
    join(venv, "bin", "python"),
    ["-m", "pip", "install", "-q", "--disable-pip-version-check"].concat(
      requirements.flatMap((file) => ["-r", file]),
    ),
    { cwd: root, encoding: "utf8" },
  );
  if (pip.status !== 0)
    return `pip install -r ${requirements.join(" -r ")} failed: ${lastLine(pip)}`;
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

function run(name, args, folder = ".") {
  const result = spawnSync(name, args, {
    cwd: join(root, folder),
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status === 0) return;
  console.error(
    `setup: ${name} ${args.join(" ")} failed${result.error ? `: ${result.error.message}` : ""}`,
  );
  process.exit(result.signal === "SIGINT" ? 130 : 5);
}

function step(what) {
  console.error(`setup: ${what}`);
}

function digest(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

function read(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
