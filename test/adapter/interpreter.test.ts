import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { childEnvironment, findInterpreter } from "../../adapter/interpreter.ts";
import { type PythonOptions, pythonTools } from "../../adapter/python.ts";
import type { TwintrackError } from "../../core/error.ts";
import { interpreter } from "./python-process.ts";

const fresh = () => realpathSync(mkdtempSync(join(tmpdir(), "twintrack-interpreter-")));

/** Looking for an interpreter runs none, so an executable file stands for one. */
function place(...path: string[]): string {
  const file = join(...path, "bin/python");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "binary");
  chmodSync(file, 0o755);
  return file;
}

test("the interpreter is the given one, the active environment's, the nearest .venv's, conda's, python3", async () => {
  const [project, active, conda, path] = [fresh(), fresh(), fresh(), fresh()];
  const folder = join(project, "services", "billing");
  mkdirSync(folder, { recursive: true });
  const python3 = join(path, "python3");
  writeFileSync(python3, "binary");
  chmodSync(python3, 0o755);
  const environment: Record<string, string> = { PATH: path };
  const found = (given?: string) => findInterpreter(given, folder, environment);

  expect(await found()).toBe(python3);
  environment.CONDA_PREFIX = conda;
  const ofConda = place(conda);
  expect(await found()).toBe(ofConda);
  const above = place(project, ".venv");
  expect(await found()).toBe(above);
  const other = place(folder, "env");
  expect(await found()).toBe(other);
  const usual = place(folder, "venv");
  expect(await found()).toBe(usual);
  const nearest = place(folder, ".venv");
  expect(await found()).toBe(nearest);
  environment.VIRTUAL_ENV = active;
  const ofActive = place(active);
  expect(await found()).toBe(ofActive);
  expect(await found(above)).toBe(above);
  expect(await found("../../.venv/bin/python")).toBe(above);
  expect(await found("venv")).toBe(usual);
  expect(await found("../../.venv")).toBe(above);
  expect(await found(join(project, ".venv"))).toBe(above);
  expect(await found("/no/such/python")).toBeUndefined();
  expect(await found(project)).toBeUndefined();
});

/** A Python that has no packages at all, as an environment or as one that stands on the path. */
function bare(cwd: string, name = "bare"): string {
  execFileSync(interpreter, ["-m", "venv", "--without-pip", join(cwd, name)]);
  return join(cwd, name, "bin", "python");
}

async function refused(options: PythonOptions) {
  const server = pythonTools(options);
  const error = await server.listTools().then(
    () => undefined,
    (thrown: TwintrackError) => thrown,
  );
  await server.close();
  expect(error).toMatchObject({ code: "PYTHON_UNAVAILABLE" });
  return { message: String(error?.message), hint: String(error?.hint) };
}

test.each([
  ["poetry.lock", /poetry -C .* env info --executable/],
  ["Pipfile.lock", /pipenv --py/],
  ["other.lock", /bare\/bin\/python3? -m pip install langchain-core$/],
])("a Python without LangChain beside %s says how to get the right one", async (lock, hint) => {
  const cwd = fresh();
  writeFileSync(join(cwd, lock), "");
  const env = { VIRTUAL_ENV: "", CONDA_PREFIX: "", PATH: dirname(bare(cwd)) };
  expect((await refused({ target: "x:y", cwd, env })).hint).toMatch(hint);
});

test("a hint about an interpreter that was named, or found, is about that one", async () => {
  const cwd = fresh();
  writeFileSync(join(cwd, "poetry.lock"), "");
  const named = bare(cwd);
  const { hint } = await refused({ target: "x:y", cwd, interpreter: "bare" });
  expect(hint).toBe(`${named} -m pip install langchain-core`);
  const missing = await refused({ target: "x:y", cwd, interpreter: "no-such" });
  expect(missing.hint).not.toContain("-m venv");
  const project = fresh();
  const found = bare(project, "venv");
  const env = { VIRTUAL_ENV: "" };
  expect((await refused({ target: "x:y", cwd: project, env })).hint).toContain(found);
});

test("a folder that does not exist is named, not taken for a missing Python", async () => {
  const cwd = join(fresh(), "no", "such");
  const { message, hint } = await refused({ target: "x:y", cwd, interpreter });
  expect(message).toContain(`cwd ${cwd} is no folder`);
  expect(hint).toMatch(/^Set cwd/);
});

test("the cause of a start that failed comes before the warnings of packages", async () => {
  const cwd = fresh();
  writeFileSync(
    join(cwd, "noisy.py"),
    'import warnings\nwarnings.warn("old is deprecated", FutureWarning)\nraise RuntimeError("no key")\n',
  );
  const { message } = await refused({ target: "noisy:TOOLS", cwd, interpreter });
  expect(message).toMatch(
    /RuntimeError: no key[\s\S]*Before that it wrote:[\s\S]*old is deprecated/,
  );
});

test("our own secrets are inherited only by name", () => {
  const own = { TWINTRACK_KEY: "k", TWINTRACK_API_KEY_FILE: "f", TWINTRACK_DATA_DIR: "d" };
  const passed = (inheritEnv: boolean | string[]) =>
    childEnvironment({ inheritEnv }, own, undefined);
  expect(passed(true)).toMatchObject({ TWINTRACK_DATA_DIR: "d" });
  expect(Object.keys(passed(true))).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/KEY/)]),
  );
  expect(passed(["TWINTRACK_KEY"])).toMatchObject({ TWINTRACK_KEY: "k" });
});

test("what a process inherits is a policy, and the bridge is always found", () => {
  const own = { PATH: "/bin", SECRET: "s", PYTHONPATH: "/lib", TWINTRACK_ROLE: "shadow" };
  const passed = (inheritEnv: boolean | string[]) =>
    childEnvironment({ inheritEnv }, own, undefined);
  expect(passed(true)).toMatchObject({ PATH: "/bin", SECRET: "s" });
  expect(passed(["PATH"])).not.toHaveProperty("SECRET");
  expect(passed(false)).toMatchObject({ TWINTRACK_ROLE: "shadow" });
  expect(passed(true).PYTHONPATH).toMatch(/python-bridge.src.*\/lib$/);
  expect(passed(false).PYTHONPATH).toMatch(/python-bridge.src$/);
});
