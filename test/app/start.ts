/** The test application as a running harness, on a database and folder of its own. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { type Backend, freshPlace } from "../database.ts";

export const CONFIG_FILE = fileURLToPath(new URL("twintrack.config.ts", import.meta.url));

export interface App {
  harness: Harness;
  config: ResolvedConfig;
  /** Lines the tools wrote, with the role of the process that wrote them. */
  effects(): { tool: string; cents: number; role: string }[];
  close(): Promise<void>;
}

export async function startApp(
  backend: Backend = "postgres",
  configFile = CONFIG_FILE,
): Promise<App> {
  const fresh = await freshPlace(backend);
  const sink = join(fresh.dataDir, "sink.ndjson");
  process.env.TWINTRACK_SINK = sink;
  const config = {
    ...(await loadConfig(configFile)),
    dataDir: fresh.dataDir,
    databaseUrl: fresh.url,
  };
  const harness = openHarness(config);
  return {
    harness,
    config,
    effects: () => (existsSync(sink) ? readLines(sink) : []),
    async close() {
      await harness.close();
      await fresh.drop();
    },
  };
}

function readLines(file: string) {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as { tool: string; cents: number; role: string });
}
