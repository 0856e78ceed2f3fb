/** The report for a CI summary or a pull request. */
import { percent } from "./percent.ts";
import type { Divergence, FlowReport, Report } from "./report.ts";
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
  plural,
  quantity,
  rulesText,
  STATUS_GLYPH,
  STEP_TITLES,
  stageText,
  stepCells,
  traceText,
  usageText,
} from "./words.ts";

const MAX_DIVERGENCES = 10;
const GATE_SIGN = { open: "🟢", closed: "🔴", undecided: "🟡" };

export function renderMarkdown(report: Report): string {
  const parts = [
    "# Twintrack report",
    overview(report.flows),
    ...report.flows.map(renderFlow),
    `${report.books.gaps > 0 ? "⚠️ " : ""}Books: ${booksText(report.books)}. Generated ${report.generatedAt}.`,
  ];
  return `${parts.join("\n\n")}\n`;
}

function overview(flows: readonly FlowReport[]): string {
  if (flows.length === 0) return "No flows yet.";
  return table(
    ["Flow", "Stage", "Match", "Gate"],
    flows.map((flow) => [
      code(flow.name),
      stageText(flow),
      matchText(flow),
      `${GATE_SIGN[flow.gate.decision]} ${decisionText(flow)}`,
    ]),
  );
}

function renderFlow(flow: FlowReport): string {
  const gate = table(
    ["", "Criterion", "Observed", "Limit", "n", "Detail"],
    flow.gate.reasons.map((reason) => [
      STATUS_GLYPH[reason.status],
      criterionTitle(reason.criterion),
      quantity(reason.criterion, reason.observed),
      quantity(reason.criterion, reason.limit),
      reason.n === null ? "—" : number(reason.n),
      reason.detail,
    ]),
  );
  const latency = `p50 / p95, legacy → candidate: ${latencyText(flow)}. ${number(flow.days)} days.`;
  const rules = rulesText(flow);
  const alarms = [...flow.alarms, ...flow.notes].map((text) => `⚠️ ${cell(text)}`);
  const explained = rules === null ? [] : [`Explained by rules: ${cell(rules)}.`];
  const parts = [
    latency,
    ...[usageText(flow)].flatMap((usage) => (usage === null ? [] : [`${usage}.`])),
    gate,
    ...causes(flow),
    ...steps(flow),
    ...explained,
    ...alarms,
    ...divergences(flow.divergences),
  ];
  return [`## ${code(flow.name)}`, ...parts].join("\n\n");
}

function causes({ causes: all }: FlowReport): string[] {
  if (all.length === 0) return [];
  const rows = all.map((cause) => [causeText(cause), cause.remedy ?? ""]);
  return [table(["Not compared, or only the candidate failed", "What mends it"], rows)];
}

function steps(flow: FlowReport): string[] {
  const { trace } = flow;
  if (!trace) return [];
  const told = `Steps, apart from the answers: ${cell(traceText(flow) ?? "")}.`;
  if (trace.steps.length === 0) return [told];
  return [told, table(STEP_TITLES, stepCells(trace))];
}

function divergences(all: readonly Divergence[]): string[] {
  if (all.length === 0) return [];
  const rows = all
    .slice(0, MAX_DIVERGENCES)
    .map((divergence) => [
      divergence.blocking ? "✗" : "✓",
      divergence.model
        ? `${divergence.title} (${clusterText(divergence.model)})`
        : divergence.title,
      code(divergence.fingerprint),
      `${percent(divergence.share)} (${number(divergence.count)})`,
      noiseText(divergence),
      decisionLabel(divergence),
    ]);
  const more = all.length - rows.length;
  const rest = more > 0 ? [`And ${plural(more, "divergence", "divergences")} more.`] : [];
  return [
    table(
      ["", "Divergence", "Fingerprint", "Share of differing trials", "Noise", "Decision"],
      rows,
    ),
    ...rest,
  ];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(header), `|${header.map(() => " --- ").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Text from users may hold anything; a cell holds neither a bar, a line end nor HTML. */
function cell(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("|", "\\|")
    .replace(/\s*[\r\n]+\s*/g, " ");
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}
