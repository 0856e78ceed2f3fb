/** The MCP conformance suite against a server made of LangChain tools. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { toolServer } from "../../adapter/in-process.ts";
import { serveMcpHttp } from "../../adapter/mcp-server.ts";
import { EXPECTED_FAILURES } from "./conformance-expected.ts";
import { CONFORMANCE_TOOLS } from "./conformance-tools.ts";

const SUITE = fileURLToPath(
  new URL("node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url),
);

interface Check {
  id: string;
  status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
}

/** Each scenario's checks; the suite writes one folder for each, `server-<scenario>-<time>`. */
async function runSuite(revision: string): Promise<Record<string, Check[]>> {
  const server = await serveMcpHttp(toolServer(CONFORMANCE_TOOLS));
  const folder = mkdtempSync(join(tmpdir(), "conformance-"));
  const which = ["--suite", "all", "--spec-version", revision];
  const args = [SUITE, "server", "--url", server.url, ...which, "-o", folder];
  // It exits with 1 when any scenario fails; what failed is in the folder.
  await new Promise<void>((resolve) => execFile(process.execPath, args, () => resolve()));
  await server.close();
  const scenarios = readdirSync(folder).map((name): [string, Check[]] => [
    name.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, ""),
    JSON.parse(readFileSync(join(folder, name, "checks.json"), "utf8")) as Check[],
  ]);
  rmSync(folder, { recursive: true });
  return Object.fromEntries(scenarios);
}

test.each(Object.entries(EXPECTED_FAILURES))(
  "in %s, what fails is what is known to fail, and nothing more",
  async (revision, expected) => {
    const scenarios = await runSuite(revision);
    const failed = Object.entries(scenarios).flatMap(([name, checks]) =>
      checks.filter(({ status }) => status === "FAILURE").map(({ id }) => `${name}: ${id}`),
    );

    expect(Object.keys(scenarios).length).toBeGreaterThan(30);
    expect(failed.toSorted()).toEqual(Object.keys(expected).toSorted());
    const passed = Object.values(scenarios)
      .flat()
      .filter(({ status }) => status === "SUCCESS");
    expect(passed.length).toBeGreaterThan(50);
  },
);
