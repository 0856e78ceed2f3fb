/**
 * G15: what importing us costs a process that has no LangChain loaded, against `import "langchain"`.
 *
 * Each measurement is a fresh process: the time of one `import()`, and the memory that the process
 * holds after it beyond what an empty one holds. Packages are imported as they are published: ours
 * from `dist`, which is built first.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Comparison, interleave } from "./measure.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ROUNDS = 9;
const WARM_UP_ROUNDS = 1;

interface Cost {
  importMs: number;
  rssMb: number;
}

const MEASURE = `
  const before = process.memoryUsage.rss();
  const startedMs = performance.now();
  await import(process.argv[1]);
  const importMs = performance.now() - startedMs;
  console.log(JSON.stringify({ importMs, rssMb: (process.memoryUsage.rss() - before) / 2 ** 20 }));
  process.exit();
`;

function costOf(specifier: string): Cost {
  const args = ["--input-type=module", "--eval", MEASURE, specifier];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" })) as Cost;
}

/** The command line without any command: what every call of it pays before it does anything. */
const OURS = {
  "twintrack/adapter": "./dist/adapter/index.js",
  "twintrack/tracer": "./dist/adapter/tracer.js",
  "twintrack, the library": "./dist/harness/index.js",
};

export async function importCost(): Promise<Comparison[]> {
  execFileSync("npm", ["run", "--silent", "prepare"], { cwd: ROOT, stdio: "ignore" });
  const comparisons: Comparison[] = [];
  for (const [name, file] of Object.entries(OURS)) {
    const cases = {
      ours: async () => costOf(fileURLToPath(new URL(`../../${file}`, import.meta.url))),
      base: async () => costOf("langchain"),
      again: async () => costOf("langchain"),
    };
    await interleave(cases, WARM_UP_ROUNDS);
    const { ours, base, again } = await interleave(cases, ROUNDS);
    const compared = (metric: string, of: (cost: Cost) => number): Comparison => ({
      metric,
      base: { name: 'import "langchain"', rounds: base.map(of), again: again.map(of) },
      ours: { name, rounds: ours.map(of) },
      goal: { kind: "atMost", ratio: 0.5 },
    });
    comparisons.push(
      compared(`${name}: import, ms`, ({ importMs }) => importMs),
      compared(`${name}: memory, MiB`, ({ rssMb }) => rssMb),
    );
  }
  return comparisons;
}
