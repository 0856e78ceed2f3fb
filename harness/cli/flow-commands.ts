/** Commands that run flows and move them from stage to stage. */
import { readFileSync } from "node:fs";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Difference } from "../compare/difference.ts";
import { loadConfig } from "../config.ts";
import type { Database } from "../store/database.ts";
import { openHarness, outputOf } from "../twintrack.ts";
import { runStoreCommand } from "./desk.ts";
import { type Cli, currentUser } from "./main.ts";
import { EXIT, type Reply, shown, table } from "./reply.ts";

export function addFlowCommands(cli: Cli): void {
  const { program } = cli;
  program
    .command("run <flow>")
    .description("answer one trigger, as a caller would get it, and compare when the stage says so")
    .requiredOption("--input <json>", "JSON, @file, or - for standard input")
    .addHelpText(
      "after",
      `\nExample:\n  twintrack run refunds --input '{"orderId":"A-1","email":"a@b.c","message":"broken"}'`,
    )
    .action((flow: string, options: { input: string }) =>
      cli.run(() => runOnce(cli, flow, options.input)),
    );
  program
    .command("stage [flow]")
    .description("show the stage of every flow, or of one")
    .addHelpText("after", "\nExample:\n  twintrack stage refunds")
    .action((flow?: string) =>
      cli.run(() => store(cli, "stage", flow ? { flow } : {}, renderStages)),
    );
  addShadow(cli);
  addMoves(cli);
}

function addShadow(cli: Cli): void {
  const shadow = cli.program
    .command("shadow")
    .description("compare a flow's two sides on live triggers");
  for (const [name, what] of [
    ["on", "legacy answers, the candidate is compared"],
    ["off", "back to legacy alone"],
  ] as const) {
    shadow
      .command(`${name} <flows...>`)
      .description(what)
      .option("--why <text>", "reason, kept in the log", `shadow ${name}`)
      .option("--who <name>", "who does it", currentUser())
      .addHelpText("after", `\nExample:\n  twintrack shadow ${name} refunds triage`)
      .action((flows: string[], options: { why: string; who: string }) =>
        cli.run(() =>
          storeEach(cli, `shadow ${name}`, flows, { why: options.why, who: options.who }),
        ),
      );
  }
}

interface MoveOptions {
  why: string;
  who: string;
  to?: string;
  override?: boolean;
  dryRun?: boolean;
}

function addMoves(cli: Cli): void {
  const move = (name: string, what: string) =>
    cli.program
      .command(`${name} <flow>`)
      .description(what)
      .requiredOption("--why <text>", "reason, kept in the log")
      .option("--who <name>", "who does it", currentUser());
  move("cutover", "let the candidate answer; refused while the gate is not open")
    .option("--to <percent>", "a canary share such as 5%, or 100%", "100%")
    .option("--override", "although the gate is not open; recorded")
    .addHelpText(
      "after",
      `\nExample:\n  twintrack cutover refunds --to 5% --why "gate open for a week"`,
    )
    .action((flow: string, options: MoveOptions) =>
      cli.run(async () => {
        const percent = shareOf(options.to ?? "100%");
        return store(cli, "cutover", { ...moveArgs(flow, options), percent }, renderMove);
      }),
    );
  move("rollback", "let legacy answer again, from any stage")
    .option("--to <stage>", "legacy or shadow", "shadow")
    .addHelpText("after", `\nExample:\n  twintrack rollback refunds --why "wrong amounts"`)
    .action((flow: string, options: MoveOptions) =>
      cli.run(async () => {
        const to = lowStage(options.to ?? "shadow");
        return store(cli, "rollback", { ...moveArgs(flow, options), to }, renderMove);
      }),
    );
  move("retire", "prove that legacy can go, say what may be deleted, and retire it")
    .option("--dry-run", "only say it")
    .addHelpText("after", `\nExample:\n  twintrack retire triage --why "four clean weeks"`)
    .action((flow: string, options: MoveOptions) =>
      cli.run(() => store(cli, "retire", moveArgs(flow, options), renderRetirement)),
    );
}

function moveArgs(flow: string, { why, who, override, dryRun }: MoveOptions): JsonObject {
  return { flow, why, who, override: override === true, dryRun: dryRun === true };
}

/** @throws {TwintrackError} `USAGE` for anything that is no percentage: a typo must not cut over. */
function shareOf(to: string): number {
  const percent = Number(to.replace(/%$/, ""));
  if (percent > 0 && percent <= 100) return percent;
  throw new TwintrackError("USAGE", `--to ${to} is no share between 0% and 100%`, {
    hint: "For a stage below use twintrack rollback.",
  });
}

/** @throws {TwintrackError} `USAGE` */
function lowStage(to: string): string {
  if (to === "legacy" || to === "shadow") return to;
  throw new TwintrackError("USAGE", `--to ${to} is neither legacy nor shadow`, {
    hint: "For a smaller share use twintrack cutover --to.",
  });
}

async function store(
  cli: Cli,
  command: string,
  args: JsonObject,
  render: (data: JsonObject) => string,
) {
  const reply = await runStoreCommand(await loadConfig(cli.options().config), command, args);
  return { reply, text: render(reply.data as JsonObject) };
}

async function storeEach(cli: Cli, command: string, flows: readonly string[], args: JsonObject) {
  const config = await loadConfig(cli.options().config);
  const replies: Reply[] = [];
  for (const flow of flows) replies.push(await runStoreCommand(config, command, { ...args, flow }));
  const moved = replies.map((reply) => reply.data as JsonObject);
  const reply: Reply = {
    command: "shadow",
    exitCode: EXIT.ok,
    data: { flows: moved },
    next: ["twintrack report"],
  };
  return { reply, text: moved.map(renderMove).join("\n") };
}

function renderStages(data: JsonObject): string {
  const flows = data.flows as { flow: string; stage: string; canaryPercent: number }[];
  const stage = (row: (typeof flows)[number]) =>
    row.stage === "canary" ? `canary ${row.canaryPercent}%` : row.stage;
  return table([["flow", "stage"], ...flows.map((row) => [row.flow, stage(row)])]);
}

function renderMove(data: JsonObject): string {
  const percent = data.to === "canary" ? ` (${String(data.canaryPercent)}%)` : "";
  return `${String(data.flow)}: ${String(data.from)} → ${String(data.to)}${percent}`;
}

function renderRetirement(data: JsonObject): string {
  const list = (title: string, items: readonly string[]) =>
    items.length > 0 ? [`${title}:`, ...items.map((item) => `  ${item}`)] : [];
  const used = data.usedTools as { tool: string; by: string[] }[];
  return [
    `${String(data.flow)}: nothing uses its legacy side any more`,
    ...list("can be deleted", data.deletableFiles as string[]),
    ...list("take out of the configuration", data.configEntries as string[]),
    ...list("wrapped tools that nobody calls", data.unusedTools as string[]),
    ...list(
      "wrapped tools that stay",
      used.map(({ tool, by }) => `${tool}  (${by.join(", ")})`),
    ),
  ].join("\n");
}

/** JSON as given, from a file (`@file`), or from standard input (`-`). */
export function readInput(text: string): JsonValue {
  const json = textOf(text);
  try {
    return JSON.parse(json) as JsonValue;
  } catch (cause) {
    throw new TwintrackError("USAGE", `--input is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: `Quote it for the shell: --input '{"n":1}', or use --input @file.`,
    });
  }
}

/** @throws {TwintrackError} `USAGE` naming the file. */
function textOf(given: string): string {
  if (given !== "-" && !given.startsWith("@")) return given;
  try {
    return readFileSync(given === "-" ? 0 : given.slice(1), "utf8");
  } catch (cause) {
    throw new TwintrackError("USAGE", `--input ${given} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function runOnce(cli: Cli, flow: string, input: string) {
  const value = readInput(input);
  const harness = openHarness(await loadConfig(cli.options().config));
  try {
    // The stage that people have set is in the store.
    const db = await harness.database();
    await harness.stages.refresh(db);
    const answer = await harness.live.answer(flow, value);
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
  const rows = differences.map((one) => [
    one.kind,
    one.path || "(root)",
    shown(one.legacy),
    "→",
    shown(one.candidate),
  ]);
  return [
    `compared: ${verdict ?? "not yet"}${reason === null ? "" : ` (${reason})`}`,
    ...(rows.length > 0 ? [table(rows)] : []),
  ];
}
