import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { childEnvironment, findInterpreter } from "../../adapter/interpreter.ts";
import { pythonTools } from "../../adapter/python.ts";
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
  const nearest = place(folder, ".venv");
  expect(await found()).toBe(nearest);
  environment.VIRTUAL_ENV = active;
  const ofActive = place(active);
  expect(await found()).toBe(ofActive);
  expect(await found(above)).toBe(above);
  expect(await found("../../.venv/bin/python")).toBe(above);
  expect(await found("/no/such/python")).toBeUndefined();
});

test.each([
  ["poetry.lock", /poetry -C .* env info --executable/],
  ["Pipfile.lock", /pipenv --py/],
  ["other.lock", /python3 -m venv/],
])("a Python without LangChain beside %s says how to name the right one", async (lock, hint) => {
  const cwd = fresh();
  writeFileSync(join(cwd, lock), "");
  const bare = join(cwd, "bare");
  execFileSync(interpreter, ["-m", "venv", "--without-pip", bare]);
  const server = pythonTools({ target: "x:y", cwd, interpreter: join(bare, "bin/python") });
  await expect(server.listTools()).rejects.toMatchObject({
    code: "PYTHON_UNAVAILABLE",
    hint: expect.stringMatching(hint),
  });
  await server.close();
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
