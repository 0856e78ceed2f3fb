/** The command that runs a flow. */
import { readFileSync } from "node:fs";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonValue } from "../../core/json.ts";
import { parseLongIntegers } from "../../core/long-integer.ts";
import { type RunConfig, runConfigOf } from "../../core/run-config.ts";
import type { Difference } from "../compare/difference.ts";
import { loadConfig } from "../config.ts";
import type { Database } from "../store/database.ts";
import type { Cli } from "./main.ts";
import { differenceTable, EXIT } from "./reply.ts";

interface RunOptions {
  input: string;
  runConfig?: string;
}

export function addRunCommand(cli: Cli): void {
  const { program } = cli;
  program
    .command("run <flow>")
    .description("answer one trigger, as a caller would get it, and compare when the stage says so")
    .requiredOption("--input <json>", "JSON, @file, or - for standard input")
    .option("--run-config <json>", "LangChain's run configuration, likewise")
    .addHelpText(
      "after",
      `\nExamples:\n  twintrack run refunds --input '{"orderId":"A-1","email":"a@b.c","message":"broken"}'\n  twintrack run chat --input '"hello"' --run-config '{"configurable":{"thread_id":"t-1"}}'`,
    )
    .action((flow: string, options: RunOptions) => cli.run(() => runOnce(cli, flow, options)));
}

/** JSON as given, from a file (`@file`), or from standard input (`-`). */
export function readInput(text: string, option = "--input"): JsonValue {
  const json = textOf(text, option);
  try {
    return parseLongIntegers(json);
  } catch (cause) {
    throw new TwintrackError("USAGE", `${option} is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: `Quote it for the shell: ${option} '{"n":1}', or use ${option} @file.`,
    });
  }
}

/** @throws {TwintrackError} `USAGE`, or `REQUEST_INVALID` naming the key that cannot be carried. */
export function readRunConfig(text: string | undefined): { config?: RunConfig } {
  const config = text === undefined ? undefined : runConfigOf(readInput(text, "--run-config"));
  return config ? { config } : {};
}

/** @throws {TwintrackError} `USAGE` naming the file. */
function textOf(given: string, option: string): string {
  if (given !== "-" && !given.startsWith("@")) return given;
  try {
    return readFileSync(given === "-" ? 0 : given.slice(1), "utf8");
  } catch (cause) {
    throw new TwintrackError("USAGE", `${option} ${given} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function runOnce(cli: Cli, flow: string, { input, runConfig }: RunOptions) {
  const value = readInput(input);
  const config = readRunConfig(runConfig);
  const { openHarness, outputOf } = await import("../twintrack.ts");
  const harness = openHarness(await loadConfig(cli.options().config));
  try {
    // The stage that people have set is in the store.
    const db = await harness.database();
    await harness.stages.refresh(db);
    const answer = await harness.live.answer(flow, value, config);
    await harness.settle();
    const compared = await trialOf(db, answer.trialId);
    const { output, metadata } = outputOf(flow, answer);
    const data = { output, metadata, ...compared } as unknown as JsonValue;
    const text = [JSON.stringify(output, null, 2), ...renderTrial(compared)].join("\n");
    return { reply: { command: "run", exitCode: EXIT.ok, data }, text };
  } finally {
    await harness.close();
  }
}

interface Compared {
  verdict: string | null;
  reason: string | null;
  differences: Difference[];
}

async function trialOf(db: Database, id: string): Promise<Compared> {
  const [row] = await db.query<{ verdict: string | null; reason: string | null }>(
    "select verdict, reason from twintrack.trials where id = $1",
    [id],
  );
  const rows = await db.query<{ difference: string }>(
    "select difference from twintrack.differences where trial_id = $1 and compared = 'candidate' order by ordinal",
    [id],
  );
  const differences = rows.map(({ difference }) => JSON.parse(difference) as Difference);
  return { verdict: row?.verdict ?? null, reason: row?.reason ?? null, differences };
}

function renderTrial({ verdict, reason, differences }: Compared): string[] {
  return [
    `compared: ${verdict ?? "not yet"}${reason === null ? "" : ` (${reason})`}`,
    ...(differences.length > 0 ? [differenceTable(differences)] : []),
  ];
}
