/** README stays true: its tutorial is run as a reader would, its tables equal the code. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ERROR_CODES } from "../core/error.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

interface Block {
  info: string;
  text: string;
}

const blocks: Block[] = [...readme.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
  info: match[1] ?? "",
  text: match[2] ?? "",
}));

/** How many the tutorial sends. */
const SALES = Number(/seq 1 (\d+)/.exec(readme)?.[1]);

describe("the tutorial", () => {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-tutorial-"));
  const bin = join(folder, ".bin");
  const env = {
    ...process.env,
    PATH: [bin, join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
  };
  let server: ChildProcess | undefined;

  beforeAll(() => {
    // The published build, as `npm install` would bring it.
    execFileSync("npm", ["run", "--silent", "prepare"], { cwd: root, env });
    for (const { info, text } of blocks) {
      const file = /file=(\S+)/.exec(info)?.[1];
      if (file) writeFileSync(join(folder, file), text);
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    installInto(folder, bin);
  });
  afterAll(async () => {
    const exited = server && new Promise((resolve) => server?.once("exit", resolve));
    server?.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });

  test("works command by command, from the first look at the tools to the retired chain", async () => {
    const printed: string[] = [];
    for (const { info, text } of blocks) {
      if (info === "sh tutorial server") server = await startServer(text, folder, env);
      if (info !== "sh tutorial") continue;
      for (const command of text.trim().split("\n")) {
        printed.push(
          execFileSync("sh", ["-c", command], {
            cwd: folder,
            env,
            encoding: "utf8",
            stdio: ["ignore", "pipe", "pipe"],
          }),
        );
        if (command.startsWith("for n in")) await untilJudged(SALES);
      }
    }
    const said = printed.join("\n");
    expect(said).toMatch(/rate\s+javascript/);
    expect(said).toContain("gate open");
    expect(said).toContain("sale: shadow → cutover");
    expect(said).toMatch(/can be deleted:\n\s+chain\.ts/);
    expect(said).toMatch(/sale\s+retired/);
    expect(said).toMatch(/intact: \d+ entries/);
    expect(said).toMatch(/\d+ trials in exports\/sale\.ndjson/);
    expect(said).toMatch(/viewer\s.*dashboard/);
    expect(existsSync(join(folder, "report.html"))).toBe(true);
    // Every sale was booked, each once, whatever ran in the shadow.
    const booked = readFileSync(join(folder, "ledger.txt"), "utf8").trim().split("\n");
    expect(booked).toHaveLength(SALES);
    expect(new Set(booked).size).toBe(SALES);
  }, 180_000);
});

/** `twintrack` and LangChain as packages of the reader's project, and an `npx` that runs the build. */
function installInto(folder: string, bin: string): void {
  mkdirSync(join(folder, "node_modules", "@langchain"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules", "twintrack"));
  for (const name of ["zod", "@langchain/core"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  mkdirSync(bin);
  writeFileSync(
    join(bin, "npx"),
    `#!/bin/sh\nshift\nexec node "${join(root, "dist/harness/cli/bin.js")}" "$@"\n`,
  );
  chmodSync(join(bin, "npx"), 0o755);
}

async function startServer(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ChildProcess> {
  const server = spawn("sh", ["-c", `exec ${command}`], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    server.once("exit", (code) => reject(new Error(`serve ended with ${code}`)));
    server.stdout?.on("data", (text: Buffer) => {
      if (text.toString().includes("twintrack on")) resolve();
    });
  });
  return server;
}

/** The reader's eyes: the report is looked at again until nothing is open. */
async function untilJudged(count: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const report = await (await fetch("http://localhost:4100/api/report")).json();
      expect(report).toMatchObject({ books: { open: 0, answered: count } });
    },
    { timeout: 120_000, interval: 200 },
  );
}

test("the file that the reader is told to install is the one that npm packs, with the command in it", () => {
  // Without its scripts: the tutorial has built already what they would build.
  const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const said = execFileSync("npm", pack, { cwd: root, encoding: "utf8" });
  const [packed] = Object.values(JSON.parse(said)) as {
    filename: string;
    files: { path: string }[];
  }[];
  const [install] = blocks.filter(({ info }) => info === "sh install");
  const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    bin: { twintrack: string };
  };
  expect(install?.text).toContain(`npm install ../twintrack/${packed?.filename}`);
  expect(packed?.files.map(({ path }) => `./${path}`)).toContain(bin.twintrack);
});

test("every shell command outside the tutorial is a script that exists, or brings up the compose file", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const commands = blocks
    .filter(({ info }) => info === "sh")
    .flatMap(({ text }) => text.trim().split("\n"));
  const unknown = commands.filter((command) => {
    const script = /^npm (?:run )?([\w:]+)$/.exec(command)?.[1];
    return (
      !(script && scripts[script]) && !/^TWINTRACK_API_KEY=\S+ docker compose up$/.test(command)
    );
  });
  expect(commands.length).toBeGreaterThan(4);
  expect(unknown).toEqual([]);
});

test("the table of error codes equals the registry, with its statuses and exit codes", () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (.+) \| (\d+) \| (\d+) \|$/gm)];
  const listed = rows.map(([, code, , http, exit]) => [code, Number(http), Number(exit)]);
  const registered = Object.entries(ERROR_CODES).map(([code, { httpStatus, exitCode }]) => [
    code,
    httpStatus,
    exitCode,
  ]);
  expect(listed).toEqual(registered);
});
