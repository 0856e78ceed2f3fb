/** Divergences with their samples: the values, both answers, and both traces side by side. */
import type { ToolCall } from "../../core/ledger.ts";
import { describeOutcome, type Outcome } from "../../core/outcome.ts";
import { type CodeStep, isSameStep, type Relation, type TraceRow } from "../compare/trace.ts";
import { type Markup, markup } from "./markup.ts";
import { type Column, renderChange, renderDocument, shorten } from "./page-value.ts";
import { percent } from "./percent.ts";
import type { Divergence, FlowReport, Sample } from "./report.ts";
import { clusterText, decisionLabel, noiseText, nothingCompared, number, plural } from "./words.ts";

export function renderDivergences(flow: FlowReport): Markup {
  const { divergences } = flow;
  if (divergences.length === 0) {
    const none =
      flow.trials === 0
        ? `Nothing could differ: ${nothingCompared(flow)}.`
        : `No divergence in ${number(flow.trials)} trials.`;
    return markup`<h3>Divergences</h3><p class="empty">${none}</p>`;
  }
  const blocking = divergences.filter((divergence) => divergence.blocking).length;
  const summary = `${plural(divergences.length, "divergence", "divergences")}, ${blocking} blocking`;
  return markup`<h3>Divergences <small class="muted">${summary}</small></h3>
<div class="divergences">${divergences.map((divergence) => renderDivergence(divergence, flow))}</div>`;
}

/** Fingerprints are unique per flow, so the anchor names both. */
function divergenceAnchor(divergence: Divergence, flow: FlowReport): string {
  return `divergence/${encodeURIComponent(flow.name)}/${divergence.fingerprint}`;
}

const KIND_GLYPHS: Record<Divergence["kind"], string> = {
  missing: "−",
  extra: "+",
  type: "≠",
  value: "~",
  order: "↕",
  text: "¶",
  schema: "§",
  error: "!",
  effect: "⚡",
  timeout: "◷",
};

function renderDivergence(divergence: Divergence, flow: FlowReport): Markup {
  const { kind, title, blocking, count, share } = divergence;
  const anchor = divergenceAnchor(divergence, flow);
  return markup`<details class="divergence ${blocking ? "blocking" : "settled"}" id="${anchor}">
<summary><span class="kind"><span class="sign" aria-hidden="true">${KIND_GLYPHS[kind]}</span> ${kind}</span>
<span class="title">${renderTitle(title)}</span>
<span class="state">${blocking ? "✗" : "✓"} ${decisionLabel(divergence)}</span>
<span class="share">${shareBar(share)} ${percent(share)} <span class="muted">(${number(count)})</span></span></summary>
<div class="body"><p>${divergence.explanation}</p>
<p class="muted">Why together: ${divergence.whyGrouped}</p>
${renderNotes(divergence)}
<p><a class="link" href="#${anchor}">Link to this divergence</a></p>
${divergence.samples.map(renderSample)}</div></details>`;
}

/** The number beside it says the same. */
function shareBar(share: number): Markup {
  return markup`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="10"/><rect class="fill" width="${(share * 100).toFixed(1)}" height="10"/></svg>`;
}

/** Titles quote paths between backticks. */
function renderTitle(title: string): Markup {
  const parts = title.split("`");
  return markup`${parts.map((part, index) => (index % 2 === 1 ? markup`<code>${part}</code>` : part))}`;
}

function renderNotes(divergence: Divergence): Markup {
  const { decision } = divergence;
  const day = (time: string) => time.slice(0, 10);
  return markup`<dl class="notes">
<div><dt>Fingerprint</dt><dd><code>${divergence.fingerprint}</code></dd></div>
<div><dt>Path</dt><dd><code>${divergence.path === "" ? "(whole answer)" : divergence.path}</code></dd></div>
<div><dt>Seen</dt><dd>${day(divergence.firstAt)} to ${day(divergence.lastAt)}</dd></div>
<div><dt>Noise</dt><dd>${noiseText(divergence)}</dd></div>
${divergence.model && markup`<div class="wide"><dt>Model</dt><dd>${clusterText(divergence.model)}</dd></div>`}
${
  decision
    ? markup`<div class="wide"><dt>Decision</dt><dd><b>${decisionLabel(divergence)}</b> by ${decision.who}${decision.owner !== decision.who && ` (owner ${decision.owner})`}: ${decision.why}${decision.until ? ` (until ${day(decision.until)})` : ""}</dd></div>`
    : markup`<div class="wide"><dt>Decision</dt><dd>Nobody has decided on it yet; it counts against the gate.</dd></div>`
}</dl>`;
}

function renderSample(sample: Sample, index: number): Markup {
  return markup`<article class="sample"><h4>Sample ${index + 1} <small class="muted">trigger <code>${sample.triggerId}</code></small></h4>
<p class="at">At <code>${sample.path === "" ? "(whole answer)" : sample.path}</code></p>
${renderChange(sample.legacy, sample.candidate)}
<details><summary>Input</summary><pre class="doc" tabindex="0" aria-label="input">${shorten(sample.input)}</pre></details>
${sample.config !== undefined && markup`<details><summary>Config</summary><pre class="doc" tabindex="0" aria-label="config">${shorten(sample.config)}</pre></details>`}
<details${sample.differences.some(({ kind }) => kind !== "effect") ? markup` open` : ""}><summary>Both answers</summary><div class="sides">
${renderAnswer(sample, "legacy", sample.legacyOutput)}${renderAnswer(sample, "candidate", sample.candidateOutput)}</div></details>
${renderTrace(sample)}</article>`;
}

function renderAnswer(sample: Sample, column: Column, outcome: Outcome): Markup {
  const body =
    outcome.status === "returned"
      ? renderDocument(outcome.value, column, sample.differences)
      : markup`<p class="failed"><span class="sign" aria-hidden="true">!</span> ${describeOutcome(outcome)}</p>`;
  return markup`<div><h5>${column}</h5>${body}</div>`;
}

function renderTrace({ trace, firstDivergence }: Sample): Markup {
  if (trace.length === 0) return markup`<p class="muted">Neither side called a tool.</p>`;
  const verdict =
    firstDivergence === null
      ? "Both sides took the same steps."
      : `The sides part at step ${firstDivergence + 1}, ${trace[firstDivergence]?.name}.`;
  return markup`<details${firstDivergence === null ? "" : markup` open`}><summary>Steps: ${verdict}</summary>
<div class="scroll" tabindex="0" role="group" aria-label="Steps"><table class="trace"><thead><tr><th scope="col">Step</th><th scope="col">Legacy</th><th scope="col"><span class="visually-hidden">Relation</span></th><th scope="col">Candidate</th></tr></thead>
<tbody>${trace.map((row, index) => renderRow(row, index, index === firstDivergence))}</tbody></table></div></details>`;
}

function renderRow(row: TraceRow, index: number, first: boolean): Markup {
  const [sign, word] = RELATIONS[row.relation];
  return markup`<tr class="${isSameStep(row) ? "same" : "differs"}${first ? " first" : ""}"><th scope="row">${index + 1}${first && markup`<span class="flag">first difference</span>`}</th>
<td>${renderStep(row.legacy, row.legacyMs)}</td><td class="rel"><span class="sign" aria-hidden="true">${sign}</span><span class="visually-hidden">${word}</span></td><td>${renderStep(row.candidate, row.candidateMs)}</td></tr>\n`;
}

const RELATIONS: Record<Relation, [sign: string, word: string]> = {
  same: ["=", "same call"],
  replaced: ["≙", "stands for the call of legacy"],
  changed: ["~", "other arguments"],
  moved: ["↕", "at another place"],
  legacy_only: ["−", "only legacy"],
  candidate_only: ["+", "only candidate"],
};

function renderStep(step: ToolCall | CodeStep | undefined, tookMs: number | null): Markup {
  if (!step) return markup`<span class="muted">—</span>`;
  const took = tookMs === null ? "" : ` · ${number(Math.round(tookMs))} ms`;
  if (!("tool" in step)) {
    return markup`<b>${step.step}</b><br><span class="muted">no tool${took}</span>`;
  }
  const { tool, args, effect, outcome, served } = step;
  const failed = outcome.status === "returned" ? "" : ` · ${describeOutcome(outcome)}`;
  return markup`<b>${tool}</b> <span class="chip ${effect}">${effect}</span><br><code>${shorten(args)}</code><br><span class="muted">${served}${took}${failed}</span>`;
}
