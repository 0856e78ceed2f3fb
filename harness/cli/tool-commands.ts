/** Commands on tools alone: they need no flow, no database, and with --module or --python no configuration. */
import type { Command } from "commander";
import { type Catalog, type CatalogEntry, catalog } from "../../adapter/catalog.ts";
import { catalogServer } from "../../adapter/catalog-server.ts";
import { claimStdout } from "../../adapter/stdout.ts";
import type { ToolServer } from "../../adapter/tool-server.ts";
import type { Effect } from "../../core/effect.ts";
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { loadConfig, type ResolvedConfig, resolveConfig, type ToolSource } from "../config.ts";
import { openSides, openToolServer } from "../side.ts";
import { type LockOptions, lockContracts } from "./contract-locks.ts";
import { runStoreCommand } from "./desk.ts";
import type { Cli } from "./main.ts";
import { MAX_PORT, MAX_TIMEOUT_MS, wholeNumber } from "./option.ts";
import { EXIT, table } from "./reply.ts";
import { readInput, readRunConfig } from "./run-command.ts";
import { type CallOptions, CONTRACTS, call } from "./tool-call.ts";

export interface ToolOptions {
  module?: string;
  export?: string;
  python?: string;
  interpreter?: string;
  cwd?: string;
  read?: string;
}

export interface Opened {
  catalog: Catalog;
  /** The tools under names that MCP allows. */
  server: ToolServer;
  /** Ad hoc tools have no server id in front of their name. */
  nameOf(entry: CatalogEntry): string;
  close(): Promise<void>;
}

const AD_HOC = "tools";

export function addToolCommands(cli: Cli): void {
  const tools = cli.program.command("tools").description("list, call and serve the tools you have");
  const command = (name: string, what: string) => withSource(tools.command(name).description(what));
  command("list", "every tool with its contract, and what cannot be bridged")
    .addHelpText(
      "after",
      "\nExamples:\n  twintrack tools list --module ./tools.ts\n  twintrack tools list --python my_app.tools:TOOLS --interpreter .venv/bin/python",
    )
    .action((options: ToolOptions) => cli.run(() => opened(cli, options, list)));
  command("call <tool>", "call one tool and check its contract")
    .option("--input <json>", "JSON, @file, or - for standard input", "{}")
    .option("--run-config <json>", "LangChain's run configuration for the tool, likewise")
    .option("--timeout <ms>", "limit of the call", "60000")
    .addHelpText(
      "after",
      `\nExample:\n  twintrack tools call find_order --module ./tools.ts --input '{"orderId":"A-1"}'`,
    )
    .action((tool: string, options: CallOptions) =>
      cli.run(async () => {
        const timeoutMs = wholeNumber("--timeout", options.timeout, MAX_TIMEOUT_MS);
        const args = readInput(options.input);
        const limits = { timeoutMs, ...readRunConfig(options.runConfig) };
        return opened(cli, options, (source) => call(source, tool, args, limits));
      }),
    );
  command("serve", "an MCP server on stdio, or over HTTP with --port")
    .option("--port <port>", "streamable HTTP on this port")
    .option("--host <host>", "address to bind", "127.0.0.1")
    .addHelpText("after", "\nExample:\n  twintrack tools serve --module ./tools.ts --port 4200")
    .action((options: ToolOptions & { port?: string; host: string }) => serve(cli, options));
  command("contracts", "write or check the lock files in contracts/")
    .option("--write", "write contracts/<tool>.json")
    .option("--check", "exit 3 when a contract differs from its file, with what breaks callers")
    .option("--learn", "with --write: learn missing output schemas from recorded runs")
    .option("--dir <folder>", "folder of the lock files", CONTRACTS)
    .addHelpText("after", "\nExample:\n  twintrack tools contracts --write --module ./tools.ts")
    .action((options: ToolOptions & LockOptions & { learn?: boolean }) =>
      cli.run(async () => {
        const learned = options.learn ? await learnedOutputs(cli, options) : new Map();
        return opened(cli, options, (source) => contracts(source, options, learned));
      }),
    );
}

export function withSource(command: Command): Command {
  return command
    .option("--module <file>", "a JavaScript or TypeScript module")
    .option("--export <name>", "its export with the tools", "tools")
    .option("--python <target>", "a Python object, package.module:attribute")
    .option("--interpreter <path>", "the Python to run it in")
    .option("--cwd <folder>", "the folder that holds the Python package")
    .option("--read <names>", "tools that only read, separated by commas");
}

async function open(cli: Cli, options: ToolOptions): Promise<Opened> {
  const source = sourceOf(options);
  if (!source) return openConfigured(await loadConfig(cli.options().config));
  const config = resolveConfig({ flows: {} });
  const server = await openToolServer(config, AD_HOC, source);
  const found = catalog({ [AD_HOC]: { server, effects: source.effects ?? {} } });
  return {
    catalog: found,
    server,
    nameOf: (entry) => entry.contract.name,
    close: () => server.close(),
  };
}

async function openConfigured(config: ResolvedConfig): Promise<Opened> {
  if (Object.keys(config.tools).length === 0) {
    throw new TwintrackError("USAGE", "The configuration names no tools", {
      hint: "Add tools: { name: { module: … } }, or use --module or --python.",
    });
  }
  const sides = openSides(config);
  const found = await sides.catalog();
  return {
    catalog: found,
    server: catalogServer(found),
    nameOf: (entry) => entry.qualified,
    close: () => sides.close(),
  };
}

/** The tools that the command line names; undefined when it names none. */
export function sourceOf(options: ToolOptions): ToolSource | undefined {
  const names = options.read?.split(",").map((name) => name.trim()) ?? [];
  const effects = Object.fromEntries(names.map((name): [string, Effect] => [name, "read"]));
  if (options.module !== undefined)
    return { module: options.module, export: options.export ?? "tools", effects };
  if (options.python === undefined) return undefined;
  const { python, interpreter, cwd } = options;
  return {
    python,
    ...(interpreter === undefined ? {} : { interpreter }),
    ...(cwd === undefined ? {} : { cwd }),
    effects,
  };
}

async function opened<T>(
  cli: Cli,
  options: ToolOptions,
  work: (source: Opened) => Promise<T>,
): Promise<T> {
  const source = await open(cli, options);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function list(source: Opened) {
  const entries = await source.catalog.entries();
  const unsupported = (await source.catalog.unsupported()).map(({ name, reason }) => ({
    name,
    reason,
  }));
  const tools = entries.map((entry) => {
    const { originalName, language, description, inputSchema, outputSchema, contractHash } =
      entry.contract;
    return {
      name: source.nameOf(entry),
      originalName,
      language,
      description,
      inputSchema,
      outputSchema: outputSchema ?? null,
      effect: entry.effect,
      contractHash,
    };
  });
  const rows = tools.map((tool) => [
    tool.name,
    tool.language,
    tool.effect,
    tool.contractHash.slice(7, 15),
    tool.description.split("\n")[0] ?? "",
  ]);
  const text = [
    table([["tool", "language", "effect", "contract", "description"], ...rows]),
    ...unsupported.map(({ name, reason }) => `not bridged: ${name}: ${reason}`),
  ].join("\n");
  return {
    reply: {
      command: "tools-list",
      exitCode: EXIT.ok,
      data: { tools, unsupported } as unknown as JsonValue,
    },
    text,
  };
}

async function serve(
  cli: Cli,
  options: ToolOptions & { port?: string; host: string },
): Promise<void> {
  if (options.port === undefined) {
    // Standard output carries the protocol and nothing else, also while the user's modules load.
    claimStdout();
    const source = await open(cli, options).catch((error: unknown) =>
      cli.run(() => Promise.reject(error)),
    );
    if (source) await (await import("../../adapter/mcp-server.ts")).serveMcpStdio(source.server);
    return source?.close();
  }
  const given = options.port;
  await cli.run(async () => {
    const port = wholeNumber("--port", given, MAX_PORT);
    const source = await open(cli, options);
    const { serveMcpHttp } = await import("../../adapter/mcp-server.ts");
    const { url } = await serveMcpHttp(source.server, { host: options.host, port }).catch(
      async (error: unknown) => {
        await source.close();
        throw error;
      },
    );
    const data = { url };
    return {
      reply: { command: "tools-serve", exitCode: EXIT.ok, data, keepsRunning: true },
      text: `MCP on ${url}`,
    };
  });
}

async function contracts(
  source: Opened,
  options: LockOptions,
  learned: ReadonlyMap<string, JsonObject>,
) {
  const entries = await source.catalog.entries();
  const named = entries.map((entry) => ({
    name: source.nameOf(entry),
    contract: entry.contract,
    learned: learned.get(entry.qualified),
  }));
  return lockContracts(named, options);
}

/** @throws {TwintrackError} `USAGE` for tools without a configuration: nothing of them is recorded. */
async function learnedOutputs(
  cli: Cli,
  options: ToolOptions & LockOptions,
): Promise<Map<string, JsonObject>> {
  if (!options.write || sourceOf(options)) {
    throw new TwintrackError("USAGE", "--learn needs --write, and a configuration with flows", {
      hint: "twintrack tools contracts --write --learn",
    });
  }
  const config = await loadConfig(cli.options().config);
  const { data } = await runStoreCommand(config, "learned outputs", {});
  const { learned } = data as unknown as { learned: { tool: string; schema: JsonObject }[] };
  return new Map(learned.map(({ tool, schema }) => [tool, schema]));
}
