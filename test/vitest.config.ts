import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A third of the suite's time. By their size, as Vitest does it, some would begin when all others are done. */
const LONGEST: readonly string[] = [
  "test/harness/cli.test.ts",
  "test/faults/kill.test.ts",
  "test/adapter/python-faults.test.ts",
  "test/adapter/python.test.ts",
  "test/faults/candidate.test.ts",
  "test/demo.test.ts",
  "test/harness/bad-input.test.ts",
  "test/harness/work.test.ts",
  "test/faults/host.test.ts",
  "test/readme.test.ts",
  "test/harness/rejudge.test.ts",
  "test/harness/tap.test.ts",
  "test/adapter/python-chain.test.ts",
  "test/faults/database.test.ts",
  "test/harness/triage.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.indexOf(relative(root, moduleId));
      return found < 0 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  root,
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/faults/long/**"],
    globalSetup: ["test/compiled.ts", "test/postgres.ts", "test/template.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    sequence: { sequencer: LongestFirst },
    // One more than there are cores: a third of the time a test waits, for a process it has started or
    // for a limit to pass.
    maxWorkers: availableParallelism() + 1,
  },
});
