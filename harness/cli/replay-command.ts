/** `twintrack replay`: recorded triggers against the candidate as it is now. */
import { resolve } from "node:path";
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { loadConfig } from "../config.ts";
import type { Watch } from "../replay.ts";
import { runStoreCommand } from "./desk.ts";
import type { Cli } from "./main.ts";
import { dateOf, wholeNumber } from "./option.ts";
import type { ReplayReport } from "./replay-desk.ts";
import { table } from "./reply.ts";

interface ReplayOptions {
  since?: string;
  until?: string;
  limit?: string;
  file?: string;
  import?: string[];
  resume?: string;
}

export function addReplayCommand(cli: Cli): void {
  cli.program
    .command("replay [flow]")
    .description(
      "run recorded triggers against the candidate as it is now; exit 3 when they differ",
    )
    .option("--since <date>", "stored trials from then on (ISO 8601)")
    .option("--until <date>", "stored trials before then")
    .option("--limit <n>", "at most so many, the newest")
    .option("--file <file>", "recordings, one JSON object in each line")
    .option("--import <format...>", "langsmith FILE or otel FILE: an export of another tool")
    .option("--resume <id>", "go on with a replay that was interrupted")
    .addHelpText(
      "after",
      "\nExamples:\n  twintrack replay refunds --since 2026-11-01\n  twintrack replay refunds --import langsmith runs.jsonl",
    )
    .action((flow: string | undefined, options: ReplayOptions) =>
      cli.run(() => replay(cli, flow, options)),
    );
}

async function replay(cli: Cli, flow: string | undefined, options: ReplayOptions) {
  const args = argsOf(flow, options);
  const config = await loadConfig(cli.options().config);
  const watch = watchTerminal();
  try {
    let reply = await runStoreCommand(config, "replay", args, watch);
    let report = reply.data as unknown as ReplayReport;
    // A server that holds the embedded database does a part at a time.
    while (!report.complete && !watch.signal.aborted) {
      watch.onProgress(report.done, report.total);
      reply = await runStoreCommand(config, "replay", { resume: report.id }, watch);
      report = reply.data as unknown as ReplayReport;
    }
    return { reply, text: rendered(report) };
  } finally {
    watch.close();
  }
}

function argsOf(flow: string | undefined, options: ReplayOptions): JsonObject {
  const { since, until, limit, resume } = options;
  if (resume !== undefined) return { resume };
  if (flow === undefined)
    throw usage("replay needs a flow, or --resume", "twintrack replay <flow>");
  return {
    flow,
    ...(since === undefined ? {} : { since: dateOf("--since", since) }),
    ...(until === undefined ? {} : { until: dateOf("--until", until) }),
    ...(limit === undefined ? {} : { limit: wholeNumber("--limit", limit, 10_000_000) }),
    ...fileOf(options),
  };
}

function fileOf({ file, import: imported, since, until, limit }: ReplayOptions): JsonObject {
  if (file === undefined && imported === undefined) return {};
  if (since ?? until ?? limit) {
    throw usage(
      "--since, --until and --limit choose stored trials, not recordings in a file",
      "Leave them out.",
    );
  }
  if (imported === undefined) return { file: resolve(file ?? ""), format: "lines" };
  const [format, name, ...more] = imported;
  if (name !== undefined && more.length === 0 && (format === "langsmith" || format === "otel"))
    return { file: resolve(name), format };
  throw usage(
    `--import ${imported.join(" ")} is no format and file`,
    "Like --import langsmith runs.jsonl, or --import otel spans.json.",
  );
}

function usage(message: string, hint: string): TwintrackError {
  return new TwintrackError("USAGE", message, { hint });
}

const BAR_CELLS = 30;
/** Plain lines for a log: one at each tenth. */
const LINES = 10;

/** Progress on stderr; the first Ctrl-C ends the replay in order, and what was judged is kept. */
function watchTerminal(): Watch & { close(): void } {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGINT", onSignal);
  let toldTenth = -1;
  return {
    signal: stop.signal,
    onProgress(done, total) {
      const share = total === 0 ? 1 : done / total;
      if (process.stderr.isTTY) {
        const cells = Math.round(share * BAR_CELLS);
        const bar = "█".repeat(cells) + "░".repeat(BAR_CELLS - cells);
        process.stderr.write(`\r${bar} ${done} of ${total}${done === total ? "\n" : ""}`);
        return;
      }
      const tenth = Math.floor(share * LINES);
      if (tenth === toldTenth) return;
      toldTenth = tenth;
      process.stderr.write(`replayed ${done} of ${total}\n`);
    },
    close: () => process.off("SIGINT", onSignal),
  };
}

function rendered(report: ReplayReport): string {
  const { id, flow, done, total, complete, verdicts, changed, divergences } = report;
  const counts = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  const rows = divergences.map((row) => [
    row.state,
    `${row.live} → ${row.now}`,
    row.fingerprint,
    `${row.title}${row.explained ? " (explained)" : ""}`,
  ]);
  return [
    `replay ${id} of ${flow}: ${done} of ${total}${complete ? "" : ", interrupted"}`,
    ...(counts.length > 0 ? [counts.join(", ")] : []),
    ...changed.map(({ live, now, count }) => `${count} that were ${live} are ${now} now`),
    ...(rows.length > 0 ? [table([["divergence", "trials", "fingerprint", ""], ...rows])] : []),
  ].join("\n");
}
