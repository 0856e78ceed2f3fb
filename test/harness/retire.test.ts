/** Retirement: who still uses a legacy side, and the patch that takes it out of a real repository. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { type FlowConfig, loadConfig, type ResolvedConfig } from "../../harness/config.ts";
import { openSides } from "../../harness/side.ts";
import { noteMcpTool } from "../../harness/store/mcp-tools.ts";
import { command, ROOT } from "../app/command.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

/** The fixture apps in JavaScript, as a repository of their own. */
function fixtureRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-retire-"));
  for (const name of ["invoices", "refunds", "sink.ts", "seeded.ts"])
    cpSync(join(ROOT, "fixtures", name), join(folder, "app", name), { recursive: true });
  for (const name of ["chain.ts", "flow.ts"]) rmSync(join(folder, "app", "invoices", name));
  for (const name of ["harness", "core", "adapter", "node_modules", "package.json"])
    symlinkSync(join(ROOT, name), join(folder, name));
  writeFileSync(join(folder, ".gitignore"), "harness\ncore\nadapter\nnode_modules\npackage.json\n");
  writeFileSync(join(folder, "app", "twintrack.config.ts"), CONFIG);
  const git = (...words: string[]) => execFileSync("git", words, { cwd: folder });
  git("init", "-q");
  git("add", "-A");
  git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "as it was");
  return folder;
}

const CONFIG = `import { defineConfig } from "../harness/config.ts";
import { refundAgent } from "./refunds/agent.ts";

export default defineConfig({
  tools: {
    billing: {
      module: "./refunds/tools.ts",
      effects: { find_order: "read", lookup_customer: "read", refund: "write", send_mail: "write" },
    },
    invoices: { module: "./invoices/tools.ts", effects: { lookup_vendor: "read" } },
  },
  flows: {
    refunds: {
      legacy: () => refundAgent,
      candidate: () => import("./refunds/flow.ts").then((module) => module.refundFlow),
      extract: { legacy: (answer) => answer },
      noise: { sample: 0.1 },
      stage: "cutover",
    },
  },
});
`;

const ENTRIES = ["flows.refunds.legacy", "flows.refunds.extract", "flows.refunds.noise"];

describe("retiring", () => {
  let fresh: TestDatabase;
  let folder: string;
  let config: ResolvedConfig;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
    folder = fixtureRepository();
    const loaded = await loadConfig(join(folder, "app", "twintrack.config.ts"));
    config = { ...loaded, dataDir: fresh.dataDir };
    await fresh.db.query("insert into twintrack.flows (name, stage) values ('refunds', 'cutover')");
  });
  afterAll(async () => {
    await fresh.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function retire(args: object) {
    const sides = openSides(config);
    try {
      const desk = { config, db: fresh.db, sides };
      const given = { flow: "refunds", who: "ann", why: "a test", dryRun: true, ...args };
      return (await STORE_COMMANDS.retire?.(desk, given as never))?.data as {
        deletableFiles: string[];
        keptFiles: object[];
        configEntries: string[];
        usedTools: { tool: string; by: string[] }[];
        unusedTools: string[];
        patch: string;
      };
    } finally {
      await sides.close();
    }
  }

  test("says what goes: the entries, the files that only legacy needs, the tools that nobody calls", async () => {
    const { deletableFiles, configEntries, usedTools } = await retire({});
    expect(configEntries).toEqual([...ENTRIES, "tools.invoices"]);
    expect(deletableFiles).toContain("refunds/agent.ts");
    expect(deletableFiles).toContain("invoices/tools.ts");
    expect(deletableFiles).not.toContain("refunds/flow.ts");
    expect(deletableFiles).not.toContain("refunds/tools.ts");
    expect(usedTools.map(({ tool }) => tool)).toContain("billing.refund");
  });

  test("keeps a tool that an MCP client called in the last days, and its source", async () => {
    await noteMcpTool(fresh.db, "invoices.lookup_vendor");
    const { configEntries, usedTools } = await retire({});
    expect(configEntries).toEqual(ENTRIES);
    expect(usedTools).toContainEqual({
      tool: "invoices.lookup_vendor",
      by: [expect.stringMatching(/^MCP clients, last on \d{4}-/)],
    });
    await fresh.db.query("update twintrack.mcp_tools set last_seen = now() - interval '31 days'");
    expect((await retire({})).configEntries).toContain("tools.invoices");
    expect((await retire({ days: 40 })).configEntries).not.toContain("tools.invoices");
    await fresh.db.query("delete from twintrack.mcp_tools");
  });

  test("keeps a file that something else in the project imports, and says what", async () => {
    const script = join(folder, "app", "script.ts");
    writeFileSync(script, 'import { refundAgent } from "./refunds/agent.ts";\nrefundAgent;\n');
    const { deletableFiles, keptFiles } = await retire({});
    rmSync(script);
    expect(deletableFiles).not.toContain("refunds/agent.ts");
    expect(keptFiles).toContainEqual({ file: "refunds/agent.ts", by: ["script.ts"] });
  });

  test("keeps a graph that langgraph.json serves, and says so", async () => {
    const manifest = join(folder, "langgraph.json");
    writeFileSync(manifest, '{ "graphs": { "agent": "./app/refunds/agent.ts:refundAgent" } }');
    const { deletableFiles, keptFiles } = await retire({});
    rmSync(manifest);
    expect(deletableFiles).not.toContain("refunds/agent.ts");
    expect(keptFiles).toContainEqual({ file: "refunds/agent.ts", by: ["../langgraph.json"] });
  });

  test("keeps the tools that another legacy side imports, or may need, though nobody saw it call them", async () => {
    const others = { file: join(folder, "app", "invoices", "chain.ts") };
    writeFileSync(
      others.file,
      'import { tools } from "./tools.ts";\nexport const chain = () => tools.length;\n',
    );
    const given = config.flows;
    const sourcesWith = async (legacy: FlowConfig["legacy"]) => {
      config.flows = { ...given, invoices: { ...(legacy && { legacy }) } };
      const { configEntries } = await retire({});
      config.flows = given;
      return configEntries.filter((entry) => entry.startsWith("tools."));
    };
    expect(await sourcesWith(() => import("./invoices/chain.ts" as string))).toEqual([]);
    expect(await sourcesWith({ url: "http://localhost:1" })).toEqual([]);
    expect(await sourcesWith(undefined)).toEqual(["tools.invoices"]);
    rmSync(others.file);
  });

  test("is refused with every reason at once", async () => {
    await fresh.db.query("update twintrack.flows set stage = 'canary'");
    await fresh.db.query(
      `insert into twintrack.trials (id, epoch, seq, flow, trigger_id, source, stage, authoritative, received_at)
       values ('r1', gen_random_uuid(), 1, 'refunds', 'r1', 'http', 'canary', 'legacy', now() + interval '1 minute')`,
    );
    await expect(retire({})).rejects.toMatchObject({
      code: "STAGE_REFUSED",
      message: expect.stringMatching(
        /at canary.*; 1 triggers were answered by legacy.*; 1 trials are not judged/,
      ),
    });
    await fresh.db.query("delete from twintrack.trials");
    await fresh.db.query("update twintrack.flows set stage = 'cutover'");
  });

  test("gives a patch that git applies; then the configuration loads and the flow answers", async () => {
    const { patch, deletableFiles } = await retire({ patch: true });
    const file = join(folder, "retire.patch");
    writeFileSync(file, patch);
    execFileSync("git", ["apply", "--check", file], { cwd: folder });
    execFileSync("git", ["apply", file], { cwd: folder });
    for (const name of deletableFiles) expect(existsSync(join(folder, "app", name))).toBe(false);
    // A module is loaded once per process: another one has to load the new text.
    const text = readFileSync(join(folder, "app", "twintrack.config.ts"), "utf8");
    expect(text).not.toMatch(/refundAgent|invoices|extract|noise/);
    const input =
      '{"orderId":"A-10001","email":"elif.fischer.1@example.com","message":"The parcel arrived and one item is broken."}';
    const run = await command(["run", "refunds", "--input", input, "--json"], {
      cwd: join(folder, "app"),
      env: { TWINTRACK_DATA_DIR: join(folder, "data") },
    });
    expect(run.stderr).not.toMatch(/error/i);
    expect(JSON.parse(run.stdout)).toMatchObject({
      ok: true,
      data: { metadata: { side: "candidate" } },
    });
    execFileSync("git", ["checkout", "-q", "."], { cwd: folder });
  });
});

test("a configuration that no patch can edit keeps its flow at cutover", async () => {
  const fresh = await freshDatabase("postgres");
  const folder = mkdtempSync(join(tmpdir(), "twintrack-retire-"));
  try {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "twintrack.config.mjs");
    const flow =
      "{ sale: { legacy: () => () => 1, candidate: { name: 'sale', hash: 'h', steps: [] } } }";
    writeFileSync(file, `const flows = () => (${flow});\nexport default { flows: flows() };\n`);
    const config = { ...(await loadConfig(file)), dataDir: fresh.dataDir };
    await fresh.db.query("insert into twintrack.flows (name, stage) values ('sale', 'cutover')");
    const desk = { config, db: fresh.db, sides: openSides(config) };
    const args = { flow: "sale", who: "ann", why: "-", patch: true };
    await expect(STORE_COMMANDS.retire?.(desk, args)).rejects.toMatchObject({
      code: "STAGE_REFUSED",
      message: expect.stringContaining("flows.sale.legacy"),
    });
    const [row] = await fresh.db.query("select stage from twintrack.flows");
    expect(row).toEqual({ stage: "cutover" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await fresh.drop();
  }
});
