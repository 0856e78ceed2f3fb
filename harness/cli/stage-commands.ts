/** Commands that move flows from stage to stage. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { loadConfig } from "../config.ts";
import type { Plan } from "../ladder.ts";
import type { WriteLeft } from "../undo.ts";
import { onStore, runStoreCommand } from "./desk.ts";
import type { Cli } from "./main.ts";
import { currentUser, dateOf, wholeNumber } from "./option.ts";
import { EXIT, type Reply, table } from "./reply.ts";
import type { WritesOfTool } from "./rollback.ts";

export function addStageCommands(cli: Cli): void {
  cli.program
    .command("stage [flow]")
    .description("show the stage of every flow, or of one")
    .addHelpText("after", "\nExample:\n  twintrack stage refunds")
    .action((flow?: string) =>
      cli.run(() => onStore(cli, "stage", flow ? { flow } : {}, renderStages)),
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
  plan?: boolean;
  undo?: boolean;
  since?: string;
}

function addMoves(cli: Cli): void {
  const move = (name: string, what: string) =>
    cli.program
      .command(`${name} <flow>`)
      .description(what)
      .requiredOption("--why <text>", "reason, kept in the log")
      .option("--who <name>", "who does it", currentUser());
  addCutover(cli);
  move("rollback", "let legacy answer again, from any stage")
    .option("--to <stage>", "legacy or shadow", "shadow")
    .option("--undo", "take back the candidate's writes whose steps have an undo, the newest first")
    .option("--since <date>", "with --undo: leave writes for triggers that came before (ISO 8601)")
    .option("--dry-run", "only say what would happen")
    .addHelpText(
      "after",
      `\nExamples:\n  twintrack rollback refunds --why "wrong amounts"\n  twintrack rollback refunds --undo --dry-run --why "wrong amounts"`,
    )
    .action((flow: string, options: MoveOptions) =>
      cli.run(async () => {
        const args = rollbackArgs(flow, options);
        return onStore(cli, "rollback", args, renderRollback);
      }),
    );
  move("retire", "prove that legacy can go, say what may be deleted, and retire it")
    .option("--dry-run", "only say it")
    .option("--patch <file>", "write the patch that takes it out; git apply takes it")
    .option("--days <n>", "how far back a call over MCP counts as a use", "30")
    .addHelpText(
      "after",
      `\nExample:\n  twintrack retire triage --why "four clean weeks" --patch retire.patch`,
    )
    .action((flow: string, options: RetireOptions) => cli.run(() => retire(cli, flow, options)));
}

function addCutover(cli: Cli): void {
  cli.program
    .command("cutover <flow>")
    .description("the next step of the ladder: let the candidate answer, while the gate is open")
    .option("--why <text>", "reason, kept in the log; only --plan does without")
    .option("--who <name>", "who does it", currentUser())
    .option("--to <percent>", "a canary share such as 5%, or 100%; without it the next step")
    .option("--plan", "show the ladder, where the flow is, what is next, and what blocks it")
    .option("--dry-run", "only say what would happen")
    .option("--override", "although the gate is not open, or a hold is not over; recorded")
    .addHelpText(
      "after",
      `\nExamples:\n  twintrack cutover refunds --plan\n  twintrack cutover refunds --to 5% --why "gate open for a week"`,
    )
    .action((flow: string, options: Partial<MoveOptions> & Pick<MoveOptions, "who">) =>
      cli.run(async () => {
        const { plan = false, to, why = "" } = options;
        const args = { ...moveArgs(flow, { ...options, why }), plan };
        const percent = to === undefined ? {} : { percent: shareOf(to) };
        return onStore(cli, "cutover", { ...args, ...percent }, plan ? renderPlan : renderMove);
      }),
    );
}

interface RetireOptions extends MoveOptions {
  patch?: string;
  days: string;
}

async function retire(cli: Cli, flow: string, options: RetireOptions) {
  const { patch: file, dryRun = false } = options;
  const days = wholeNumber("--days", options.days, 36_500);
  const args: JsonObject = { ...moveArgs(flow, options), days, patch: file !== undefined };
  // Written first: a flow is not retired whose patch nobody gets.
  const tried = await onStore(cli, "retire", { ...args, dryRun: true }, renderRetirement);
  const { patch = "", root = "" } = tried.reply.data as JsonObject;
  if (file !== undefined) writePatch(file, String(patch));
  const done = dryRun ? tried : await onStore(cli, "retire", args, renderRetirement);
  if (file === undefined) return done;
  const next = [`git -C ${String(root)} apply ${resolve(file)}`];
  return { reply: { ...done.reply, next }, text: `${done.text}\nwrote ${file}` };
}

/** @throws {TwintrackError} `USAGE` naming the file. */
function writePatch(file: string, patch: string): void {
  try {
    writeFileSync(file, patch);
  } catch (cause) {
    throw new TwintrackError("USAGE", `--patch ${file} cannot be written: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** @throws {TwintrackError} `USAGE` */
function rollbackArgs(flow: string, options: MoveOptions): JsonObject {
  const { to = "shadow", undo = false, since } = options;
  if (since !== undefined && !undo)
    throw new TwintrackError("USAGE", "--since says which writes --undo may take back", {
      hint: "Add --undo.",
    });
  const limit = since === undefined ? {} : { since: dateOf("--since", since) };
  return { ...moveArgs(flow, options), to: lowStage(to), undo, ...limit };
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
  const tried = data.dryRun === true ? "; nothing was changed" : "";
  return `${String(data.flow)}: ${String(data.from)} → ${String(data.to)}${percent}${tried}`;
}

function renderPlan(data: JsonObject): string {
  const { steps, next, notBefore, blockedBy, stage, percent } = data as unknown as Plan;
  const rows = steps.map((step) => [
    step.state,
    step.stage,
    `${step.percent} %`,
    step.holdHours > 0 ? `held for ${step.holdHours} h` : "",
  ]);
  const when = notBefore === null ? "now" : `from ${notBefore}`;
  const ahead = next === null ? "nothing is left to climb" : `next: ${next.percent} %, ${when}`;
  return [
    `${String(data.flow)}: ${stage}, the candidate answers ${percent} %; gate ${String(data.gate)}`,
    table(rows),
    ahead,
    ...blockedBy.map((reason) => `  blocked by ${reason}`),
  ].join("\n");
}

function renderRollback(data: JsonObject): string {
  const stays =
    data.from === data.to ? `${String(data.flow)} stays at ${String(data.to)}` : undefined;
  return [stays ?? renderMove(data), ...renderWrites(data)].join("\n");
}

/** The writes as a table: each when they were to be undone, else by tool. */
function renderWrites({ effects, undo }: JsonObject): string[] {
  if (undo !== undefined) {
    const rows = (undo as unknown as WriteLeft[]).map(
      ({ at, step, tool, trial, state, detail = "" }) => [at, step, tool, trial, state, detail],
    );
    const head = ["made", "step", "write", "trial", "state", ""];
    return rows.length > 0 ? [table([head, ...rows])] : [];
  }
  const { writes } = effects as unknown as { writes: WritesOfTool[] };
  const rows = writes.map(({ tool, count, unsure, undoable, trials }) => [
    ...[tool, String(count), String(unsure), String(undoable), someOf(trials)],
  ]);
  const head = ["write", "made", "failed", "can be undone", "in trials"];
  return rows.length > 0 ? [table([head, ...rows])] : [];
}

const SHOWN_TRIALS = 2;

/** For a column; `--json` has more. */
function someOf(trials: readonly string[]): string {
  const more = trials.length > SHOWN_TRIALS ? " …" : "";
  return `${trials.slice(0, SHOWN_TRIALS).join(" ")}${more}`;
}

function renderRetirement(data: JsonObject): string {
  const list = (title: string, items: readonly string[]) =>
    items.length > 0 ? [`${title}:`, ...items.map((item) => `  ${item}`)] : [];
  const used = data.usedTools as { tool: string; by: string[] }[];
  return [
    `${String(data.flow)}: nothing uses its legacy side any more`,
    ...list(
      "stays, because something may use it",
      (data.keptFiles as { file: string; by: string[] }[]).map(
        ({ file, by }) => `${file}  (${by.join(", ")})`,
      ),
    ),
    ...list("can be deleted", data.deletableFiles as string[]),
    ...list("take out of the configuration", data.configEntries as string[]),
    ...list("wrapped tools that nobody calls", data.unusedTools as string[]),
    ...list(
      "wrapped tools that stay",
      used.map(({ tool, by }) => `${tool}  (${by.join(", ")})`),
    ),
  ].join("\n");
}
