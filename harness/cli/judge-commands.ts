/** Commands that compare and judge: on the store, or on files alone. */
import { readFileSync, writeFileSync } from "node:fs";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonValue } from "../../core/json.ts";
import { parseJsonText } from "../../core/json-text.ts";
import { compare } from "../compare/compare.ts";
import { compileRules } from "../compare/rules.ts";
import { loadConfig } from "../config.ts";
import { forecastText } from "../forecast.ts";
import type { Evidence, Policy } from "../gate.ts";
import { renderHtml } from "../report/html.ts";
import { renderMarkdown } from "../report/markdown.ts";
import type { Report } from "../report/report.ts";
import { renderText } from "../report/text.ts";
import { onStore, runStoreCommand } from "./desk.ts";
import { type ForecastGate, gateReply } from "./gate-reply.ts";
import type { Cli } from "./main.ts";
import { differenceTable, EXIT, type Reply, table } from "./reply.ts";

export function addJudgeCommands(cli: Cli): void {
  addDiff(cli);
  addGate(cli);
  cli.program
    .command("report [flow]")
    .description("flows, gates and divergences")
    .option("--html <file>", "write one self-contained page")
    .option("--markdown", "for a CI summary")
    .addHelpText("after", "\nExample:\n  twintrack report --html report.html")
    .action((flow: string | undefined, options: ReportOptions) =>
      cli.run(() => report(cli, flow, options)),
    );
  cli.program
    .command("rejudge <flow>")
    .description("judge the stored trials once more, after the rules or extractors have changed")
    .addHelpText("after", "\nExample:\n  twintrack rejudge refunds")
    .action((flow: string) => cli.run(() => rejudge(cli, flow)));
}

/** @throws {TwintrackError} `USAGE` naming the file. */
function readJson(file: string, warnings: string[] = []): JsonValue {
  try {
    const { value, repeatedKeys } = parseJsonText(readFileSync(file, "utf8"));
    warnings.push(
      ...repeatedKeys.map((place) => `${file}: ${place} is there more than once; the last counts`),
    );
    return value;
  } catch (cause) {
    throw new TwintrackError("USAGE", `${file} cannot be read as JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function addDiff(cli: Cli): void {
  cli.program
    .command("diff <legacy> <candidate>")
    .description("compare two JSON files; exit 3 when they differ")
    .option("--rules <file>", "JSON array of rules")
    .addHelpText(
      "after",
      "\nExample:\n  twintrack diff legacy.json candidate.json --rules rules.json",
    )
    .action((legacy: string, candidate: string, options: { rules?: string }) =>
      cli.run(async () => {
        const { rules, problems } = compileRules(
          options.rules === undefined ? [] : readJson(options.rules),
          new Date(),
        );
        const warnings = problems.map(
          (problem) => `rule ${JSON.stringify(problem.rule)} is not used: ${problem.message}`,
        );
        const result = compare(readJson(legacy, warnings), readJson(candidate, warnings), rules);
        const { verdict, truncated, differences } = result;
        const exitCode = {
          match: EXIT.ok,
          ignored: EXIT.ok,
          mismatch: EXIT.divergence,
          incomparable: EXIT.undecided,
        }[verdict];
        const data = { verdict, truncated, differences } as unknown as JsonValue;
        return {
          reply: { command: "diff", exitCode, data, warnings },
          text: [verdict, differenceTable(differences)].join("\n").trim(),
        };
      }),
    );
}

interface GateOptions {
  evidence?: string;
  policy?: string;
  simulate?: boolean;
}

function addGate(cli: Cli): void {
  cli.program
    .command("gate [flow]")
    .description("is it safe to cut over? exit 0 open, 3 closed, 4 undecided")
    .option("--evidence <file>", "judge these numbers instead of the store's")
    .option("--policy <file>", "limits, as JSON")
    .option("--simulate", "how many more triggers it needs")
    .addHelpText(
      "after",
      "\nExamples:\n  twintrack gate refunds --simulate\n  twintrack gate --evidence evidence.json --policy policy.json",
    )
    .action((flow: string | undefined, options: GateOptions) =>
      cli.run(() => gate(cli, flow, options)),
    );
}

async function gate(cli: Cli, flow: string | undefined, options: GateOptions) {
  const { evidence, policy, simulate = false } = options;
  const reply =
    evidence === undefined
      ? await storedGate(cli, flow, simulate)
      : gateOfFiles(evidence, policy, simulate);
  const { decision, reasons, forecast } = reply.data as unknown as ForecastGate;
  const rows = reasons.map(({ criterion, observed, limit, n, status, detail }) =>
    [criterion, number(observed), number(limit), number(n), status, detail].map(String),
  );
  return {
    reply,
    text: [
      `gate ${decision}`,
      table([["criterion", "observed", "limit", "n", "status", "detail"], ...rows]),
      ...(forecast ? [forecastText(forecast)] : []),
    ].join("\n"),
  };
}

function number(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : String(Number(value.toPrecision(4)));
}

async function storedGate(cli: Cli, flow: string | undefined, simulate: boolean): Promise<Reply> {
  if (flow === undefined) {
    throw new TwintrackError("USAGE", "gate needs a flow, or --evidence", {
      hint: "twintrack gate <flow>",
    });
  }
  return runStoreCommand(await loadConfig(cli.options().config), "gate", { flow, simulate });
}

function gateOfFiles(evidenceFile: string, policyFile: string | undefined, simulate: boolean) {
  const policy = policyFile === undefined ? {} : (readJson(policyFile) as Policy);
  return gateReply(readJson(evidenceFile) as unknown as Evidence, policy, simulate);
}

interface ReportOptions {
  html?: string;
  markdown?: boolean;
}

function report(cli: Cli, flow: string | undefined, options: ReportOptions) {
  const args = flow === undefined ? {} : { flow };
  return onStore(cli, "report", args, (value: Report) => written(value, options));
}

function written(value: Report, { html, markdown }: ReportOptions): string {
  if (html !== undefined) writePage(html, renderHtml(value));
  const color = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const text = markdown
    ? renderMarkdown(value)
    : renderText(value, { color, width: process.stdout.columns ?? 100 });
  return html === undefined ? text : `${text}\nwrote ${html}`;
}

/** @throws {TwintrackError} `USAGE` naming the file. */
function writePage(file: string, page: string): void {
  try {
    writeFileSync(file, page);
  } catch (cause) {
    throw new TwintrackError("USAGE", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

function rejudge(cli: Cli, flow: string) {
  return onStore(
    cli,
    "rejudge",
    { flow },
    ({ trials, changed }: { trials: number; changed: number }) =>
      `${flow}: ${trials} trials judged once more, ${changed} verdicts changed`,
  );
}
