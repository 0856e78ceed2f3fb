/** Every fault of the catalogue, and the long runs: more kills, more candidates. `npm run test:faults` */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: [
      "test/faults/**/*.test.ts",
      // Where faults of the catalogue are tested among other things.
      "test/core/json.test.ts",
      "test/harness/{backlog,bad-input,compare-faults,http,memory,model,noise,shipper,spool,stage,trace}.test.ts",
      "test/harness/store/{migrate,trials}.test.ts",
      "test/peers/model.test.ts",
    ],
    reporters: ["default", "./test/faults/table.ts"],
    globalSetup: ["test/compiled.ts", "test/postgres.ts", "test/template.ts"],
    testTimeout: 900_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
