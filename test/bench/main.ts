/**
 * `npm run bench [-- [--json] [name …]]`: ratios against what a user would have without us, and a
 * few figures with a limit of their own. `overload`, `outage` and `soak` take minutes to an hour and
 * run only when they are named.
 *
 * Prints a table per benchmark; `--json` prints one document on standard output instead. The exit
 * code is 0 when every goal is met, 3 when one is not met, 4 when none is but one is too noisy to
 * tell. How it measures: measure.ts; what each compares: the head of its own file.
 */
import { comparison } from "./compare.ts";
import { typedFlow } from "./flow.ts";
import { importCost } from "./import.ts";
import { live } from "./live.ts";
import { mcpCall, toolList } from "./mcp.ts";
import {
  type Comparison,
  compareRounds,
  type Figure,
  type Goal,
  isFigure,
  type JudgedFigure,
  judgeFigure,
  loadAverage,
  type Result,
} from "./measure.ts";
import { offload } from "./offload.ts";
import { outage } from "./outage.ts";
import { overload, soak } from "./overload.ts";
import { pipeline } from "./pipeline.ts";
import { pythonBridge } from "./python-bridge.ts";
import { report } from "./report.ts";
import { sealing2Kb } from "./seal.ts";
import { toolCall } from "./tool-call.ts";
import { writer } from "./writer.ts";

interface Benchmark {
  title: string;
  run: () => Promise<readonly (Comparison | Figure)[]>;
  /** Takes minutes or more: runs only when it is named. */
  long?: boolean;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  live: { title: "G9, G10 live path with shadow on by the same route without", run: live },
  offload: { title: "G11 a large pair judged elsewhere by judging it here", run: offload },
  overload: { title: "G16 ten times the load that can be judged", run: overload, long: true },
  outage: { title: "Postgres away for a minute", run: outage, long: true },
  soak: { title: "an hour with a candidate ten times too slow", run: soak, long: true },
  "tool-call": { title: "G1 contract call by tool.invoke", run: toolCall },
  "python-bridge": { title: "G4, G5 Python bridge by bare children", run: pythonBridge },
  mcp: { title: "G2, G3 a tool over MCP by the SDK's own server", run: mcpCall },
  "tool-list": { title: "200 tools listed by 20 tools listed", run: toolList },
  import: { title: "G15 import without LangChain by import of langchain", run: importCost },
  compare: { title: "G6, G7, G8 two answers by what others compare with", run: comparison },
  pipeline: { title: "G13 comparing and keeping by deep-diff and single inserts", run: pipeline },
  seal: {
    title: "a frame sealed by a frame unsealed, a value masked by its JSON",
    run: sealing2Kb,
  },
  writer: { title: "G12 trials written in batches by one at a time", run: writer },
  flow: { title: "G14 typed flow by LangGraph", run: typedFlow },
  report: { title: "a million trials, asked about", run: report, long: true },
};

interface Report {
  name: string;
  title: string;
  results: Result[];
  figures: JudgedFigure[];
  durationS: number;
  /** Before and after. */
  load: [number, number];
}

async function measure(name: string, { title, run }: Benchmark): Promise<Report> {
  const startedMs = performance.now();
  const loadBefore = loadAverage();
  const measured = await run();
  const results = measured.flatMap((one) => (isFigure(one) ? [] : [compareRounds(one)]));
  const figures = measured.filter(isFigure).map(judgeFigure);
  const durationS = (performance.now() - startedMs) / 1_000;
  return { name, title, results, figures, durationS, load: [loadBefore, loadAverage()] };
}

const HEADER = ["metric", "case", "median", "best", "ratio", "best", "A/A", "goal", ""];

function tableOf({ title, results, figures, durationS, load }: Report): string {
  const rows = [HEADER, ...results.flatMap(rowsOf), ...figures.map(figureRow)];
  const widths = HEADER.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => padded(cell, column, widths[column] ?? 0)).join("  "),
  );
  const foot = `${durationS.toFixed(0)} s, load average ${load.map((value) => value.toFixed(2)).join(" → ")}`;
  return [title, ...lines.map((line) => `  ${line.trimEnd()}`), `  ${foot}`, ""].join("\n");
}

function rowsOf({ metric, base, ours, ...result }: Result): string[][] {
  const { ratioOfMedians, ratioOfBest, sameAgain, goal, verdict } = result;
  const ratios = [ratioOfMedians, ratioOfBest, sameAgain].map((ratio) => `${rounded(ratio)}x`);
  return [
    [metric, base.name, rounded(base.median), rounded(base.best)],
    [
      "",
      ours.name,
      rounded(ours.median),
      rounded(ours.best),
      ...ratios,
      goalText(goal),
      verdict ?? "",
    ],
  ];
}

function figureRow({ metric, value, atMost, verdict }: JudgedFigure): string[] {
  return [metric, "", rounded(value), "", "", "", "", `<= ${rounded(atMost)}`, verdict];
}

function goalText(goal: Goal | undefined): string {
  return goal ? `${goal.kind === "atMost" ? "<=" : ">="} ${goal.ratio}x` : "";
}

/** Three or four digits say all that a benchmark knows. */
function rounded(value: number): string {
  if (value === 0) return "0";
  return value >= 1_000 ? value.toFixed(0) : value.toPrecision(3);
}

const FIRST_NUMBER = 2;
const LAST_NUMBER = 6;

function padded(cell: string, column: number, width: number): string {
  const isNumber = column >= FIRST_NUMBER && column <= LAST_NUMBER;
  return isNumber ? cell.padStart(width) : cell.padEnd(width);
}

function exitCodeOf(reports: readonly Report[]): number {
  const verdicts = reports.flatMap(({ results, figures }) =>
    [...results, ...figures].map(({ verdict }) => verdict),
  );
  if (verdicts.includes("not met")) return 3;
  return verdicts.includes("noisy, repeat") ? 4 : 0;
}

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => arg !== "--json");
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown !== undefined) {
    console.error(`No benchmark is called "${unknown}": ${Object.keys(BENCHMARKS).join(", ")}`);
    return 2;
  }
  const reports: Report[] = [];
  for (const [name, benchmark] of Object.entries(BENCHMARKS)) {
    if (names.length > 0 ? !names.includes(name) : benchmark.long) continue;
    const report = await measure(name, benchmark);
    reports.push(report);
    if (!args.includes("--json")) console.log(tableOf(report));
  }
  const exitCode = exitCodeOf(reports);
  const data = { node: process.version, reports };
  const document = {
    schema: "twintrack/bench@1",
    ok: exitCode === 0,
    data,
    warnings: [],
    next: [],
  };
  if (args.includes("--json")) console.log(JSON.stringify(document, null, 2));
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
