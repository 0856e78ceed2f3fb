/** What the npm package brings beside its JavaScript. */
import { execFileSync } from "node:child_process";
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
