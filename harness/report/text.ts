/** The report for a terminal. */
import type { Reason } from "../gate.ts";
import { percent } from "./percent.ts";
import type { FlowReport, Report } from "./report.ts";
import {
  booksText,
  causeText,
  clusterText,
  criterionTitle,
  decisionLabel,
  decisionText,
  latencyText,
  matchText,
  noiseText,
  number,
  quantity,
  rulesText,
  STATUS_GLYPH,
  STEP_TITLES,
  stageText,
  stepCells,
  traceText,
  usageText,
} from "./words.ts";

export interface TextOptions {
  /** Without it no escape code is written. */
  color: boolean;
  /** Columns of the terminal. */
  width: number;
}

const MAX_DIVERGENCES = 5;
const MAX_STEPS = 8;
const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
type Style = keyof typeof CODES;

const STATUS_STYLE: Record<Reason["status"], Style> = {
  pass: "green",
  fail: "red",
  undecided: "yellow",
};
const GATE_STYLE = { open: "green", closed: "red", undecided: "yellow" } as const;

export function renderText(report: Report, options: TextOptions): string {
  const paint = painter(options.color);
  const width = Math.max(40, options.width);
  const flows = report.flows.map((flow) => renderFlow(flow, paint, width));
  const none = "No flows yet. `twintrack init` writes a first configuration.";
  const books = `Books: ${booksText(report.books)}`;
  const alarm = report.books.gaps > 0 ? paint("red", `${books}  !`) : paint("dim", books);
  return `${[...(flows.length > 0 ? flows : [none]), alarm].join("\n\n")}\n`;
}

type Paint = (style: Style, text: string) => string;

function painter(color: boolean): Paint {
  return (style, text) => (color ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text);
}

function renderFlow(flow: FlowReport, paint: Paint, width: number): string {
  const lines = [
    `${paint("bold", flow.name)}  ${flow.language}  [${stageText(flow)}]  ${paint(GATE_STYLE[flow.gate.decision], decisionText(flow))}`,
    `  ${matchText(flow)}`,
    `  ${number(flow.days)} days; p50 / p95 legacy → candidate: ${latencyText(flow)}`,
    ...[usageText(flow)].flatMap((usage) => (usage === null ? [] : [`  ${usage}`])),
    "",
    ...gateTable(flow.gate.reasons, paint, width),
  ];
  lines.push(...causeLines(flow, paint), ...traceLines(flow, paint));
  const rules = rulesText(flow);
  if (rules !== null) lines.push("", `${paint("bold", "  Explained by rules:")} ${rules}`);
  lines.push(...flow.alarms.map((alarm) => paint("red", `  ! ${alarm}`)));
  lines.push(...flow.notes.map((note) => paint("yellow", `  ! ${note}`)));
  if (flow.divergences.length > 0) lines.push("", ...divergenceLines(flow, paint, width));
  return lines.join("\n");
}

function gateTable(reasons: readonly Reason[], paint: Paint, width: number): string[] {
  const header = ["", "criterion", "observed", "limit", "n"];
  const rows = reasons.map((reason) => [
    STATUS_GLYPH[reason.status],
    criterionTitle(reason.criterion),
    quantity(reason.criterion, reason.observed),
    quantity(reason.criterion, reason.limit),
    reason.n === null ? "—" : number(reason.n),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const layout = (cells: string[]) =>
    `  ${cells.map((cell, column) => align(cell, widths[column] ?? 0, column >= 2)).join("  ")}`;
  const body = rows.flatMap((row, index) => {
    const { status, detail } = reasons[index] as Reason;
    const line = paint(STATUS_STYLE[status], `${layout(row)}  ${status}`);
    return status === "pass" ? [line] : [line, paint("dim", cut(`     ${detail}`, width))];
  });
  return [paint("dim", `${layout(header)}  status`), ...body];
}

/** Whole: what mends it must not be cut. */
function causeLines({ causes }: FlowReport, paint: Paint): string[] {
  if (causes.length === 0) return [];
  const told = causes.flatMap((cause) => [
    `    ${causeText(cause)}`,
    ...(cause.remedy === undefined ? [] : [paint("dim", `      → ${cause.remedy}`)]),
  ]);
  return ["", paint("bold", "  Not compared, or only the candidate failed"), ...told];
}

function traceLines(flow: FlowReport, paint: Paint): string[] {
  const { trace } = flow;
  if (!trace) return [];
  const rows = [STEP_TITLES, ...stepCells(trace)].slice(0, MAX_STEPS + 1);
  const widths = STEP_TITLES.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    `    ${row.map((cell, column) => align(cell, widths[column] ?? 0, column > 0)).join("  ")}`.trimEnd(),
  );
  const [header = "", ...body] = lines;
  const table = trace.steps.length > 0 ? [paint("dim", header), ...body] : [];
  const more = trace.steps.length - body.length;
  return [
    "",
    `${paint("bold", "  Steps, apart from the answers:")} ${traceText(flow)}`,
    ...table,
    ...(more > 0 ? [paint("dim", `    and ${more} more`)] : []),
  ];
}

function align(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function divergenceLines(
  { name: flow, divergences }: FlowReport,
  paint: Paint,
  width: number,
): string[] {
  const lines = divergences.slice(0, MAX_DIVERGENCES).map((divergence) => {
    const sign = divergence.blocking ? paint("red", "✗") : paint("green", "✓");
    const share = percent(divergence.share).padStart(7);
    const facts = `${share}  ${divergence.title}  [${decisionLabel(divergence)}; noise ${noiseText(divergence)}]`;
    const { model, fingerprint } = divergence;
    // On a line of its own: a fingerprint that is cut cannot be copied.
    return [
      `  ${sign} ${cut(facts, width - 4)}  `.trimEnd(),
      paint("dim", `      ${fingerprint}`),
      ...(model ? [paint("dim", cut(`      ${clusterText(model)}`, width))] : []),
    ].join("\n");
  });
  const more = divergences.length - lines.length;
  return [
    paint("bold", "  Divergences, by share of the trials that differ"),
    ...lines,
    ...(more > 0 ? [paint("dim", `    and ${more} more: twintrack triage ${flow}`)] : []),
  ];
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;
}
