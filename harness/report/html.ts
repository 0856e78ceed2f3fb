/** The report as one HTML file: no network, works from disk, says what it left out. */
import { jsonScript, type Markup, markup, trusted } from "./markup.ts";
import { renderCard, renderFlow } from "./page-flow.ts";
import { PAGE_SCRIPT } from "./page-script.ts";
import { PAGE_STYLE } from "./page-style.ts";
import type { FlowReport, Report } from "./report.ts";
import { booksText, plural, total } from "./words.ts";

/** Mail gateways and code hosts refuse larger attachments. */
const MAX_BYTES = 10 * 1024 * 1024;

export function renderHtml(report: Report, maxBytes = MAX_BYTES): string {
  for (const cut of CUTS) {
    const page = renderPage(cut.apply(report), cut.note);
    if (Buffer.byteLength(page) <= maxBytes) return page;
  }
  return renderPage({ ...report, flows: [] }, "Everything but the books was left out: too large.");
}

interface Cut {
  note: string;
  apply: (report: Report) => Report;
}

/** Each leaves out more than the one before; the first that fits is used. */
const CUTS: readonly Cut[] = [
  { note: "", apply: (report) => report },
  {
    note: "One sample per divergence is kept; the others were left out for size.",
    apply: (report) => keep(report, 1, 1_000),
  },
  { note: "Samples were left out for size.", apply: (report) => keep(report, 0, 1_000) },
  {
    note: "Samples, and all but 50 divergences per flow, were left out for size.",
    apply: (report) => keep(report, 0, 50),
  },
  { note: "All divergences were left out for size.", apply: (report) => keep(report, 0, 0) },
];

function keep(report: Report, samples: number, divergences: number): Report {
  const flows = report.flows.map((flow) => ({
    ...flow,
    divergences: flow.divergences
      .slice(0, divergences)
      .map((divergence) => ({ ...divergence, samples: divergence.samples.slice(0, samples) })),
  }));
  return { ...report, flows };
}

function renderPage(report: Report, note: string): string {
  const { flows, books, generatedAt } = report;
  const page = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>Twintrack report, ${generatedAt.slice(0, 10)}</title><link rel="icon" href="data:,">
<style>${trusted(PAGE_STYLE)}</style></head>
<body><a class="skip" href="#main">Skip to the flows</a>
<header class="top"><div><h1>Twintrack report</h1><p class="muted">Generated <time datetime="${generatedAt}">${generatedAt.replace("T", " ").slice(0, 16)} UTC</time>. ${summary(report)}</p></div>
<div class="tools"><button type="button" id="expand" hidden>Open all</button><label>Theme <select id="theme"><option value="system">system</option><option value="light">light</option><option value="dark">dark</option></select></label></div></header>
${note !== "" && markup`<p class="note" role="note">${note}</p>`}
<nav aria-label="Flows"><ul class="cards">${flows.map(renderCard)}</ul>${flows.length === 0 && markup`<p class="empty">No flows yet. Run <code>twintrack init</code>, then <code>twintrack shadow on</code>.</p>`}</nav>
<main id="main" tabindex="-1">${flows.map(renderFlow)}</main>
${renderBooks(report)}
<script type="application/json" id="report-data">${trusted(jsonScript(withoutSamples(report)))}</script>
<script>${trusted(PAGE_SCRIPT)}</script></body></html>
`;
  return `${books.gaps > 0 ? page.text.replace("<body>", '<body class="gaps">') : page.text}`;
}

/** The data island is for tools that read the numbers; the samples are in the page already. */
function withoutSamples(report: Report): Report {
  return keep(report, 0, Number.POSITIVE_INFINITY);
}

function summary({ flows }: Report): string {
  const isMoved = (flow: FlowReport) => flow.stage === "cutover" || flow.stage === "retired";
  const waiting = flows.filter((flow) => !isMoved(flow));
  const count = (decision: string) =>
    waiting.filter((flow) => flow.gate.decision === decision).length;
  return `${plural(flows.length, "flow", "flows")}: ${flows.length - waiting.length} cut over, ${count("open")} ready, ${count("undecided")} collecting evidence, ${count("closed")} blocked.`;
}

function renderBooks({ books }: Report): Markup {
  const rows = (counts: Readonly<Record<string, number | undefined>>) =>
    Object.entries(counts).map(
      ([word, count]) =>
        markup`<tr><th scope="row">${word.replaceAll("_", " ")}</th><td class="n">${count}</td></tr>`,
    );
  const alarm =
    books.gaps > 0
      ? markup`<p class="alarm" role="alert"><span class="sign" aria-hidden="true">!</span> ${plural(books.gaps, "answer is", "answers are")} unaccounted for.</p>`
      : markup`<p class="good"><span class="sign" aria-hidden="true">✓</span> The books balance.</p>`;
  return markup`<footer><section aria-label="Books"><h2>Books</h2>${alarm}<p>${booksText(books)}</p>
<table class="books"><caption class="visually-hidden">Every answered trigger and what became of it</caption><thead><tr><th scope="col">Verdict</th><th scope="col" class="n">Trials</th></tr></thead>
<tbody>${rows(books.verdicts)}<tr><th scope="row">open</th><td class="n">${books.open}</td></tr>${rows(prefixed(books.notRun))}
<tr class="sum"><th scope="row">answered</th><td class="n">${books.answered}</td></tr></tbody></table>
<p class="muted">${total(books.notRun)} answers were never compared.</p></section></footer>`;
}

function prefixed(notRun: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(notRun).map(([reason, count]) => [`not run: ${reason}`, count]),
  );
}
