/** The walls of the house: who may import whom, and how long a file may be. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAX_LINES = 300;

const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => /^(core|adapter|harness)\/.*\.ts$/.test(file));

interface Import {
  file: string;
  target: string;
}

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g);
  return [...found].map((match) => ({ file, target: targetOf(file, match[1] ?? "") }));
});

/** A relative import as a path from the root; a package as its name. */
function targetOf(file: string, specifier: string): string {
  return specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : specifier;
}

function offenders(isBad: (one: Import) => boolean): string[] {
  return imports.filter(isBad).map(({ file, target }) => `${file} imports ${target}`);
}

describe("imports", () => {
  test("were read: the test would pass on an empty list", () => {
    expect(files.length).toBeGreaterThan(80);
    expect(imports.length).toBeGreaterThan(300);
  });

  /** They turn one value into another. */
  const CONVERTERS = ["zod", "zod-to-json-schema"];

  test("of core stay in core, with no package beside it but what converts schemas", () => {
    expect(
      offenders(
        ({ file, target }) =>
          file.startsWith("core/") &&
          !target.startsWith("core/") &&
          !target.startsWith("node:") &&
          !CONVERTERS.includes(target),
      ),
    ).toEqual([]);
  });

  test("of core reach no file, network or process", () => {
    const allowed = ["node:crypto"];
    expect(
      offenders(
        ({ file, target }) =>
          file.startsWith("core/") && target.startsWith("node:") && !allowed.includes(target),
      ),
    ).toEqual([]);
  });

  test("of adapter never reach into harness", () => {
    expect(
      offenders(({ file, target }) => file.startsWith("adapter/") && target.startsWith("harness/")),
    ).toEqual([]);
  });

  test("of product code never reach into fixtures or tests", () => {
    expect(offenders(({ target }) => /^(fixtures|test)\//.test(target))).toEqual([]);
  });

  test.each([
    ["pg", "harness/store/"],
    ["@electric-sql/pglite", "harness/store/"],
    ["fastify", "harness/http/"],
    ["@modelcontextprotocol/", "adapter/"],
    ["@langchain/", "adapter/"],
    ["langchain", "adapter/"],
  ])("of %s are only in %s", (name, home) => {
    const isIt = (target: string) =>
      name.endsWith("/") ? target.startsWith(name) : target === name;
    expect(offenders(({ file, target }) => isIt(target) && !file.startsWith(home))).toEqual([]);
  });

  test("of compare are data in, data out: no clock, no files, no processes", () => {
    expect(
      offenders(
        ({ file, target }) =>
          file.startsWith("harness/compare/") &&
          target.startsWith("node:") &&
          target !== "node:crypto",
      ),
    ).toEqual([]);
    const impure = files
      .filter(
        (file) =>
          file.startsWith("harness/compare/") ||
          file === "harness/gate.ts" ||
          file === "harness/statistics.ts",
      )
      .filter((file) =>
        /Date\.now\(|Math\.random\(|performance\.|new Date\(\)/.test(
          readFileSync(join(root, file), "utf8"),
        ),
      );
    expect(impure).toEqual([]);
  });
});

test(`no source file is longer than ${MAX_LINES} lines`, () => {
  const long = files
    .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES);
  expect(long).toEqual([]);
});
