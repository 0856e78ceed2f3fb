/** What the npm package brings beside its JavaScript. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What `prepare` copies, without what it compiles. */
function builtIn(folder: string): string {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: { prepare: string };
  };
  const copies = scripts.prepare.split(" && ").slice(1).join(" && ");
  for (const name of ["harness", "python-bridge"])
    symlinkSync(join(ROOT, name), join(folder, name));
  execFileSync("sh", ["-c", copies], { cwd: folder });
  return join(folder, "dist", "python-bridge");
}

test("pip installs the bridge from the npm package, and a service finds the tracer", () => {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-package-"));
  try {
    const bridge = builtIn(folder);
    const before = readdirSync(bridge).sort();
    expect(before).toEqual(["README.md", "pyproject.toml", "src"]);
    const fixtures = join(ROOT, ".venv", "bin", "python");
    const python = (...args: string[]) =>
      execFileSync(join(folder, "venv", "bin", "python"), args, { cwd: folder, encoding: "utf8" });
    execFileSync(fixtures, ["-m", "venv", join(folder, "venv")]);
    // The build backend and LangChain, which a service has or gets from its index.
    const packages = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    const beside = execFileSync(fixtures, ["-c", packages], { encoding: "utf8" });
    writeFileSync(join(python("-c", packages).trim(), "beside.pth"), beside);
    const offline = ["--no-index", "--no-deps", "--no-build-isolation"];
    python("-m", "pip", "install", "-q", ...offline, bridge);
    const said = python(
      "-c",
      `from twintrack_bridge import tracer
made = tracer.TwintrackTracer(flow="refunds", url="http://127.0.0.1:9")
print(tracer.__file__, made.counts)`,
    );
    expect(said).toContain(join(folder, "venv"));
    expect(said).toContain("{'sent': 0, 'dropped': {}, 'queued': 0, 'problem': None}");
    expect(readdirSync(bridge).sort()).toEqual(before);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

/** Makes Node say that it is an older one, which has not all that the command line imports. */
const OLDER = `
import { registerHooks } from "node:module";
Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } });
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.includes("main.")) throw new SyntaxError("this Node cannot load it");
    return next(specifier, context);
  },
});`;

test("a Node that is too old is told which one is needed and which one runs, and nothing else is loaded", () => {
  const hooks = `data:text/javascript,${encodeURIComponent(OLDER)}`;
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["--import", hooks, join(ROOT, "harness/cli/bin.ts"), ...args], {
      encoding: "utf8",
    });
  const told = run("--version");
  const asJson = run("tools", "list", "--json");
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    engines: { node: string };
  };

  expect(told).toMatchObject({ status: 2, stdout: "" });
  expect(told.stderr).toContain(`Node ${engines.node.slice(2)} or newer, and this is Node 20.20.2`);
  expect(asJson.status).toBe(2);
  expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: "USAGE" } });
});

test("a Node that is new enough gets the command line", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  const bin = join(ROOT, "harness/cli/bin.ts");
  expect(execFileSync(process.execPath, [bin, "--version"], { encoding: "utf8" })).toBe(
    `${version}\n`,
  );
});
