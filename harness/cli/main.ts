#!/usr/bin/env node
/** The command line: `twintrack <command>`. Data on stdout, talk on stderr. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command, CommanderError } from "commander";
import { claimStdout } from "../../adapter/stdout.ts";
import { TwintrackError } from "../../core/error.ts";
import { ownMask } from "../privacy/mask.ts";
import { documentOf, EXIT, errorDocument, errorText, exitCodeOf, type Reply } from "./reply.ts";

export interface GlobalOptions {
  config?: string;
  json?: boolean;
  verbose?: boolean;
}

/** Runs one command and prints what it says; how it looks on a terminal is its own business. */
export type Print = (reply: Reply, text: string) => void;

export interface Cli {
  program: Command;
  options(): GlobalOptions;
  /** Wraps a command: prints its reply or its failure and sets the exit code. */
  run(work: () => Promise<{ reply: Reply; text: string }>): Promise<void>;
}

/** What adds a group of commands. */
type Adder = (cli: Cli) => void;

/** The groups of commands. Loading one takes longer than many a command, so only the one asked for is. */
const GROUPS: readonly { names: readonly string[]; load: () => Promise<Adder> }[] = [
  { names: ["tools"], load: async () => (await import("./tool-commands.ts")).addToolCommands },
  { names: ["run"], load: async () => (await import("./run-command.ts")).addRunCommand },
  {
    names: ["stage", "shadow", "cutover", "rollback", "retire"],
    load: async () => (await import("./stage-commands.ts")).addStageCommands,
  },
  {
    names: ["diff", "gate", "report", "rejudge"],
    load: async () => (await import("./judge-commands.ts")).addJudgeCommands,
  },
  { names: ["replay"], load: async () => (await import("./replay-command.ts")).addReplayCommand },
  { names: ["triage"], load: async () => (await import("./triage-command.ts")).addTriageCommand },
  { names: ["rules"], load: async () => (await import("./rules-command.ts")).addRulesCommand },
  {
    names: ["serve", "work", "migrate"],
    load: async () => (await import("./serve-commands.ts")).addServeCommands,
  },
  {
    names: ["keys", "audit"],
    load: async () => (await import("./access-command.ts")).addAccessCommands,
  },
  {
    names: ["export", "purge"],
    load: async () => (await import("./subject-command.ts")).addSubjectCommands,
  },
  { names: ["doctor"], load: async () => (await import("./doctor-command.ts")).addDoctorCommand },
];

/** Adds the group of the command that is asked for; every group when it is in none, for the help. */
async function addCommands(cli: Cli, argv: readonly string[]): Promise<void> {
  const [name = ""] = cli.program.parseOptions([...argv]).operands;
  const group = GROUPS.filter(({ names }) => names.includes(name));
  const adders = await Promise.all((group.length > 0 ? group : GROUPS).map(({ load }) => load()));
  for (const add of adders) add(cli);
  inheritOptions(cli.program);
}

function buildCli(): Cli {
  const program = new Command("twintrack")
    .description("Move off LangChain one flow at a time, with proof.")
    .version(packageVersion())
    .option("--config <file>", "configuration file (default: twintrack.config.ts)")
    .option("--json", "one JSON document on stdout")
    .option("--verbose", "stack traces")
    .exitOverride()
    .configureOutput({ outputError: () => undefined }); // Told by `main`, as every failure is.
  const options = () => program.opts<GlobalOptions>();
  const cli: Cli = {
    program,
    options,
    async run(work) {
      // What the user's own code prints goes to stderr: stdout carries the reply and nothing else.
      const out = claimStdout();
      try {
        const { reply, text } = await work();
        out.write(`${options().json ? JSON.stringify(documentOf(reply)) : text}\n`);
        if (!options().json) talk(reply);
        process.exitCode = reply.exitCode;
        if (reply.keepsRunning) return;
      } catch (error) {
        fail(error, options());
      }
      // A tool that hangs may hold timers and sockets; the command has ended all the same.
      out.end(() => process.exit());
    },
  };
  return cli;
}

/** `--json` and `--config` work before and after the command's name. */
function inheritOptions(program: Command): void {
  const visit = (command: Command) => {
    for (const child of command.commands) {
      child.exitOverride();
      if (child.commands.length === 0)
        child.option("--json").option("--config <file>").option("--verbose");
      child.hook("preAction", (_this, action) => {
        for (const [name, value] of Object.entries(action.opts())) {
          if (["json", "config", "verbose"].includes(name)) program.setOptionValue(name, value);
        }
      });
      visit(child);
    }
  };
  visit(program);
}

function talk({ warnings = [], next = [] }: Reply): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  for (const command of next) process.stderr.write(`next: ${command}\n`);
}

/** Standard error ends up in logs: what tools and chains say is masked, under a key of this process. */
function fail(error: unknown, { json, verbose }: GlobalOptions): void {
  const text = json ? JSON.stringify(errorDocument(error)) : errorText(error, verbose === true);
  process.stderr.write(`${ownMask().text(text)}\n`);
  process.exitCode = exitCodeOf(error);
}

function packageVersion(): string {
  // Of the sources and of the build, which lies one folder deeper.
  const manifest = findPackageJSON("..", import.meta.url);
  if (manifest === undefined) return "unknown";
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

export async function main(argv: readonly string[]): Promise<void> {
  const cli = buildCli();
  const json = argv.includes("--json");
  try {
    await addCommands(cli, argv);
    await cli.program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(error, cli.options());
    if (error.exitCode === 0) return; // Help and version are no failures.
    process.exitCode = EXIT.usage;
    // Without a command the help has been printed, to stderr: that says enough.
    if (error.code === "commander.help") return;
    const message = error.message.replace(/^error: /, "");
    fail(new TwintrackError("USAGE", message, { hint: "twintrack <command> --help" }), { json });
  }
}

if (import.meta.main) await main(process.argv.slice(2));
