/**
 * `node test/peers/corpus.ts CHECKOUT`: the tools that LangChain's own tests define, as we publish them.
 *
 * CHECKOUT is a clone of langchain-ai/langchainjs near the installed version; none of it is kept
 * here. Its tests run against the installed packages, every tool they make is published by our
 * adapter (corpus-tools.ts), and the schema is compared with what LangChain itself would tell a
 * model. Each difference has to have a reason (corpus-reason.ts); the exit code is 1 when one has none.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import type { Published } from "./corpus-tools.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LISTENER = fileURLToPath(new URL("corpus-tools.ts", import.meta.url));
const PACKAGES = { "langchain-core": "@langchain/core", langchain: "langchain" } as const;
/** Benchmarks of the type checker, and tests that need the network. */
const EXCLUDED = ["**/*.int.test.ts", "**/*.bench.test.ts", "**/*.test-d.ts"];

/** A test's relative import of its package's source → the same file of the installed package. */
function installedFile(checkout: string, path: string): string | undefined {
  for (const [folder, name] of Object.entries(PACKAGES)) {
    const source = join(checkout, "libs", folder, "src/");
    if (!path.startsWith(source)) continue;
    const inner = path.slice(source.length);
    const file = join(ROOT, "node_modules", name, "dist", inner);
    return inner.includes("tests/") || !existsSync(file) ? undefined : file;
  }
  return undefined;
}

interface Resolving {
  resolve(source: string, importer: string, options: object): Promise<{ id: string } | null>;
}

function fromInstalled(checkout: string) {
  return {
    name: "installed-langchain",
    enforce: "pre" as const,
    async resolveId(this: Resolving, source: string, importer: string | undefined) {
      // This folder has a copy of LangChain too; tests and listener have to share one.
      if (!importer?.startsWith(checkout) && importer !== LISTENER) return undefined;
      if (source.startsWith(".")) {
        if (importer === LISTENER) return undefined;
        const path = join(dirname(importer), source);
        return installedFile(checkout, path) ?? path.replace(/\.js$/, ".ts");
      }
      // The checkout has no packages of its own.
      return this.resolve(source, join(ROOT, "package.json"), { skipSelf: true });
    },
  };
}

async function collect(checkout: string, found: string): Promise<string> {
  const include = Object.keys(PACKAGES).map(
    (folder) => `libs/${folder}/src/**/*tool*/**/*.test.ts`,
  );
  const more = [
    "libs/langchain-core/src/runnables/tests/runnable_tools.test.ts",
    "libs/langchain/src/agents/**/*.test.ts",
  ];
  const vitest = await startVitest(
    "test",
    [],
    {
      root: checkout,
      config: false,
      watch: false,
      include: [...include, ...more],
      exclude: EXCLUDED,
      setupFiles: [LISTENER],
      env: { CORPUS_FOUND: found },
      reporters: [],
      fsModuleCache: false,
      testTimeout: 20_000,
      maxWorkers: 2,
    },
    {
      plugins: [fromInstalled(checkout)],
      // The checkout's own is in a package that is not installed.
      oxc: { tsconfig: false } as object,
      cacheDir: dirname(found),
      server: { fs: { strict: false } },
    },
  );
  const modules = vitest.state.getTestModules();
  for (const module of modules) {
    for (const { message } of module.errors()) console.error(`${module.moduleId}: ${message}`);
  }
  const passed = modules.filter((module) => module.ok()).length;
  await vitest.close();
  return `${modules.length} test files, ${passed} of them pass against the installed packages`;
}

function report(published: readonly Published[]): number {
  const reasons = new Map<string, number>();
  for (const { reasons: found } of published) {
    for (const reason of found) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const unexplained = published.filter((one) => one.difference !== undefined);
  for (const one of published) console.log(JSON.stringify(one));
  console.log(`\n${published.length} tools`);
  for (const [reason, count] of [...reasons].toSorted(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(6)}  ${reason}`);
  }
  console.log(`${String(unexplained.length).padStart(6)}  unexplained`);
  return published.length > 0 && unexplained.length === 0 ? 0 : 1;
}

const [checkout] = process.argv.slice(2);
if (checkout === undefined) {
  console.error("Usage: node test/peers/corpus.ts CHECKOUT_OF_LANGCHAINJS");
  process.exitCode = 2;
} else {
  const folder = mkdtempSync(join(tmpdir(), "corpus-"));
  const found = join(folder, "found.jsonl");
  const given = resolve(checkout);
  // Some of these tests write files beside themselves: here they go with the folder.
  process.chdir(folder);
  const summary = await collect(given, found);
  const lines = existsSync(found) ? readFileSync(found, "utf8").trimEnd().split("\n") : [];
  process.chdir(ROOT);
  rmSync(folder, { recursive: true });
  process.exitCode = report(lines.map((line) => JSON.parse(line) as Published));
  console.log(summary);
}
