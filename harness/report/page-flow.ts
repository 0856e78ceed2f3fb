/** Overview cards and one section per flow: what it is, whether it is safe, and what stands in the way. */
import type { Reason } from "../gate.ts";
import { type Markup, markup } from "./markup.ts";
import { renderDivergences } from "./page-divergence.ts";
import { percent } from "./percent.ts";
import type { FlowReport, Rate } from "./report.ts";
import {
  causeText,
  criterionTitle,
  decisionText,
  money,
  nothingCompared,
  number,
  plural,
  quantity,
  rulesText,
  STATUS_GLYPH,
  STEP_TITLES,
  stageText,
  stepCells,
  traceText,
} from "./words.ts";

const GATE_GLYPH = { open: "✓", closed: "✗", undecided: "?" };

/** Anchors are written into URLs that people send each other; they hold the name as it is. */
function flowAnchor(flow: FlowReport): string {
  return `flow/${encodeURIComponent(flow.name)}`;
}

export function renderCard(flow: FlowReport): Markup {
  const { decision } = flow.gate;
  const [blocker] = flow.gate.reasons.filter((reason) => reason.status !== "pass");
  return markup`<li class="card ${decision}">
<a href="#${flowAnchor(flow)}"><span class="name">${flow.name}</span></a>
${stageChip(flow)}
<p class="figure">${flow.matchRate ? percent(flow.matchRate.rate) : "—"} <small>match</small></p>
<p class="muted">${interval(flow)}</p>
${rateBar(flow.matchRate)}
<p class="gate ${decision}"><span class="sign" aria-hidden="true">${GATE_GLYPH[decision]}</span> ${decisionText(flow)}</p>
${blocker && markup`<p class="why">${criterionTitle(blocker.criterion)}: ${quantity(blocker.criterion, blocker.observed)}, limit ${quantity(blocker.criterion, blocker.limit)}</p>`}
</li>`;
}

function stageChip(flow: FlowReport): Markup {
  return markup`<span class="chip stage-${flow.stage}">${stageText(flow)}</span>`;
}

function interval(flow: FlowReport): string {
  const { matchRate: rate } = flow;
  if (!rate) return nothingCompared(flow);
  return `95 % interval ${percent(rate.lower)} to ${percent(rate.upper)}, n = ${number(rate.n)}`;
}

/** The interval as a band from 0 to 100 %; the numbers beside it say the same. */
function rateBar(rate: Rate | null): Markup | undefined {
  if (!rate) return undefined;
  const [x, width] = [rate.lower * 100, Math.max(0.5, (rate.upper - rate.lower) * 100)];
  return markup`<svg class="band" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="4"/><rect class="fill" x="${x.toFixed(2)}" width="${Math.min(width, 100 - x).toFixed(2)}" height="4"/></svg>`;
}

export function renderFlow(flow: FlowReport): Markup {
  const { decision } = flow.gate;
  return markup`<section class="flow" id="${flowAnchor(flow)}" tabindex="-1" aria-label="Flow ${flow.name}">
<header class="flow-head"><h2>${flow.name}</h2>${stageChip(flow)}<span class="chip">${flow.language}</span>
<p class="gate ${decision}"><span class="sign" aria-hidden="true">${GATE_GLYPH[decision]}</span> ${decisionText(flow)}</p></header>
${renderFacts(flow)}
${renderGate(flow)}
${renderCauses(flow)}
${renderSteps(flow)}
${renderRules(flow)}
${renderDivergences(flow)}
</section>`;
}

function renderFacts(flow: FlowReport): Markup {
  const { legacy, candidate } = flow.latencyMs;
  const noise = flow.noise.rate;
  const facts: [string, string, string][] = [
    ["Match", flow.matchRate ? percent(flow.matchRate.rate) : "—", interval(flow)],
    [
      "Trials",
      number(flow.trials),
      `of ${number(flow.answered)} answers in ${number(flow.days)} days`,
    ],
    [
      "Noise",
      noise ? percent(noise.rate) : "—",
      noise
        ? `legacy differs from itself, n = ${number(flow.noise.trials)}`
        : "legacy was not run against itself",
    ],
    [
      "Latency p95",
      candidate ? `${number(Math.round(candidate.p95))} ms` : "—",
      legacy ? `legacy ${number(Math.round(legacy.p95))} ms` : "legacy not measured",
    ],
    ...costFact(flow),
  ];
  return markup`<dl class="facts">${facts.map(
    ([name, value, note]) =>
      markup`<div><dt>${name}</dt><dd><b>${value}</b> <span class="muted">${note}</span></dd></div>`,
  )}</dl>
${verdictLine(flow)}`;
}

function costFact(flow: FlowReport): [string, string, string][] {
  const { tokens, costUsd, spentUsd = 0 } = flow;
  if (!tokens) return [];
  const asked = [
    "Model tokens",
    number(tokens.candidate),
    `legacy ${number(tokens.legacy)} for the same triggers`,
  ] as [string, string, string];
  if (!costUsd) return [asked];
  const note = `legacy ${money(costUsd.legacy)} for the same triggers; comparing cost ${money(spentUsd)}`;
  return [asked, ["Cost", money(costUsd.candidate), note]];
}

function verdictLine({ verdicts }: FlowReport): Markup {
  const counts = Object.entries(verdicts).filter(([, count]) => count > 0);
  return markup`<ul class="verdicts" aria-label="Verdicts">${counts.map(
    ([verdict, count]) => markup`<li><b>${number(count)}</b> ${verdict.replaceAll("_", " ")}</li>`,
  )}</ul>`;
}

function renderGate(flow: FlowReport): Markup {
  return markup`<h3>Gate</h3>
<div class="scroll" tabindex="0" role="group" aria-label="Gate of ${flow.name}"><table class="criteria">
<caption>${
    flow.blockedBy.length === 0
      ? "Every criterion passes."
      : `${plural(flow.blockedBy.length, "criterion stands", "criteria stand")} in the way.`
  }</caption>
<thead><tr><th scope="col">Criterion</th><th scope="col" class="n">Observed</th><th scope="col" class="n">Limit</th><th scope="col" class="n">n</th><th scope="col">Status</th><th scope="col">Why</th></tr></thead>
<tbody>${flow.gate.reasons.map(renderReason)}</tbody></table></div>`;
}

function renderCauses({ name, causes }: FlowReport): Markup | undefined {
  if (causes.length === 0) return undefined;
  return markup`<h3>Not compared, or only the candidate failed</h3>
<div class="scroll" tabindex="0" role="group" aria-label="Causes of ${name}"><table class="causes"><thead><tr><th scope="col">Trials</th><th scope="col">What mends it</th></tr></thead>
<tbody>${causes.map(
    (cause) => markup`<tr><td>${causeText(cause)}</td><td>${cause.remedy ?? "—"}</td></tr>\n`,
  )}</tbody></table></div>`;
}

function renderSteps(flow: FlowReport): Markup | undefined {
  const { trace } = flow;
  if (!trace) return undefined;
  const [first, ...rest] = STEP_TITLES;
  return markup`<h3>Steps <small class="muted">apart from the answers: ${traceText(flow)}</small></h3>
<div class="scroll" tabindex="0" role="group" aria-label="Steps of ${flow.name}"><table class="steps"><thead><tr><th scope="col">${first}</th>${rest.map((title) => markup`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${stepCells(trace).map(
    ([name, ...cells]) =>
      markup`<tr><th scope="row">${name}</th>${cells.map((cell) => markup`<td class="n">${cell}</td>`)}</tr>\n`,
  )}</tbody></table></div>`;
}

function renderRules(flow: FlowReport): Markup {
  const told = rulesText(flow);
  return markup`${told !== null && markup`<p class="muted">Explained by rules: ${told}.</p>`}
${flow.alarms.map((alarm) => markup`<p class="alarm" role="alert"><span class="sign" aria-hidden="true">!</span> ${alarm}</p>`)}
${flow.notes.map((note) => markup`<p class="note">${note}</p>`)}`;
}

function renderReason(reason: Reason): Markup {
  const { criterion, observed, limit, n, status, detail } = reason;
  return markup`<tr class="${status}"><th scope="row">${criterionTitle(criterion)}<br><code>${criterion}</code></th>
<td class="n">${quantity(criterion, observed)}</td><td class="n">${quantity(criterion, limit)}</td><td class="n">${n === null ? "—" : number(n)}</td>
<td class="status"><span class="sign" aria-hidden="true">${STATUS_GLYPH[status]}</span> ${status}</td><td class="detail">${detail}</td></tr>\n`;
}
