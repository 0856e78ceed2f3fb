/** What the npm package brings beside its JavaScript. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  engines: { node: string };
  version: string;
  scripts: { prepare: string };
};

/** What `prepare` copies, without what it compiles. */
function builtIn(folder: string): string {
  const copies = PACKAGE.scripts.prepare.split(" && ").slice(1).join(" && ");
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
  const needed = PACKAGE.engines.node.slice(2);

  expect(told).toMatchObject({ status: 2, stdout: "" });
  expect(told.stderr).toContain(`Node ${needed} or newer, and this is Node 20.20.2`);
  expect(asJson.status).toBe(2);
  expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: "USAGE" } });
});

test("a Node that is new enough gets the command line", () => {
  const bin = join(ROOT, "harness/cli/bin.ts");
  expect(execFileSync(process.execPath, [bin, "--version"], { encoding: "utf8" })).toBe(
    `${PACKAGE.version}\n`,
  );
});

/** A service's project: the built package, and beside it only what the tracer imports. */
function serviceProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-service-"));
  const modules = join(folder, "node_modules");
  const compiler = join(ROOT, "node_modules/.bin/tsc");
  const dist = join(modules, "twintrack", "dist");
  execFileSync(compiler, ["-p", "tsconfig.build.json", "--outDir", dist], { cwd: ROOT });
  for (const name of ["ajv", "ajv-formats", "zod", "zod-to-json-schema", "@langchain"])
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  writeFileSync(join(modules, "twintrack", "package.json"), JSON.stringify(PACKAGE));
  return folder;
}

/** A service that taps one run, with a server of its own to send it to. */
const SERVICE = `
const server = http.createServer(async (request, response) => {
  for await (const part of request) process.stdout.write(part);
  response.end("{}");
});
const book = tool(async ({ id, cents }) => ({ booked: id, cents }), {
  name: "book",
  description: "Books.",
  schema: z.object({ id: z.string(), cents: z.number().default(5) }),
});
server.listen(0, "127.0.0.1", async () => {
  const tracer = new TwintrackTracer({ flow: "sale", url: "http://127.0.0.1:" + server.address().port });
  await tracer.ready;
  const chain = RunnableLambda.from((sale, config) => book.invoke(sale, config));
  await chain.invoke({ id: "S-1" }, { callbacks: [tracer] });
  await tracer.close();
  server.close();
});`;

const USED = [
  ["http", "node:http"],
  ["{ RunnableLambda }", "@langchain/core/runnables"],
  ["{ tool }", "@langchain/core/tools"],
  ["{ z }", "zod"],
  ["{ TwintrackTracer }", "twintrack/tracer"],
];

/** A Node that is too old for the rest of Twintrack, where the machine has one beside the project's. */
function olderNode(): string | undefined {
  const nodes = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "node"));
  return nodes.find((node) => {
    if (!existsSync(node)) return false;
    const [major = 0] = execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" })
      .split(".")
      .map(Number);
    return major >= 20 && major < 22;
  });
}

const older = olderNode();

test.runIf(older).each([
  ["mjs", (name: string, from: string) => `import ${name} from "${from}";`],
  ["cjs", (name: string, from: string) => `const ${name} = require("${from}");`],
])(
  "a service on Node 20 tells of its tools with the built package, as .%s",
  (ending, load) => {
    const folder = serviceProject();
    try {
      const file = join(folder, `service.${ending}`);
      const loads = USED.map(([name = "", from = ""]) => load(name, from));
      writeFileSync(file, `${loads.join("\n")}${SERVICE}`);
      const said = execFileSync(older ?? "", [file], { encoding: "utf8", stdio: "pipe" });
      expect(JSON.parse(said)).toMatchObject({
        runs: [
          {
            input: { id: "S-1" },
            outcome: { status: "returned", value: { booked: "S-1", cents: 5 } },
            calls: [{ tool: "book", args: { id: "S-1", cents: 5 } }],
          },
        ],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);

/** What came after Node 20, of what one is tempted to use. */
const NEWER_THAN_20 =
  /findPackageJSON|registerHooks|zstd|withResolvers|groupBy|fromAsync|Promise\.try|RegExp\.escape|node:sqlite/;

/** The files that one file loads, itself among them. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(file, "utf8");
  for (const [, path = ""] of text.matchAll(/^(?:import|export) (?!type\b)[^;]*?"(\.[^"]+)"/gm))
    loadedBy(join(dirname(file), path), seen);
  return seen;
}

test("what the tracer loads names nothing that Node 20 has not", () => {
  const files = [...loadedBy(join(ROOT, "adapter/tracer.ts"))];
  const named = files.filter((file) => {
    const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    return NEWER_THAN_20.test(code);
  });
  expect(files.length).toBeGreaterThan(20);
  expect(named).toEqual([]);
});
