import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/faults/long/**"],
    globalSetup: ["test/postgres.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Two cores, and some tests start servers and Python beside themselves.
    maxWorkers: 2,
  },
});
