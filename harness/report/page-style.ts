/** Colours are named by meaning; blue and orange stay apart for every kind of colour vision. */
const COLORS = `
:root{color-scheme:light;--bg:#f6f7f9;--panel:#fff;--ink:#16202e;--muted:#56616f;--line:#d8dde4;--soft:#eef1f5;--accent:#0b57c2;--good:#0a6b3d;--good-bg:#e2f4ea;--bad:#a8380b;--bad-bg:#fdebe0;--wait:#6b5300;--wait-bg:#fbf2cf;--del:#8a2c05;--del-bg:#fde3d3;--ins:#0a48a0;--ins-bg:#dceaff}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){DARK}}
:root[data-theme=dark]{DARK}
`.replaceAll(
  "DARK",
  "color-scheme:dark;--bg:#0f141b;--panel:#171e28;--ink:#e6ebf2;--muted:#a3afbd;--line:#303b49;--soft:#1f2834;--accent:#8ab8ff;--good:#6fd6a0;--good-bg:#12301f;--bad:#ffa478;--bad-bg:#3a1d10;--wait:#eccd6a;--wait-bg:#332a0c;--del:#ffb48f;--del-bg:#45220f;--ins:#9cc4ff;--ins-bg:#14305c",
);

const BASE = `
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0 auto;padding:0 clamp(.75rem,3vw,2.5rem) 3rem;max-width:84rem;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:0}h2{font-size:1.35rem;line-height:1.25;margin:0}h3{font-size:1.05rem;margin:1.75rem 0 .5rem}h4{font-size:.95rem;margin:0 0 .25rem}h5{font-size:.8rem;margin:0 0 .25rem;color:var(--muted);font-weight:600}
h3 small,h4 small{font-weight:400;font-size:.85rem}
p{margin:.25rem 0}a{color:var(--accent)}
code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
.muted{color:var(--muted)}.sign{font-weight:700}
.visually-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:-99rem}.skip:focus{left:.5rem;top:.5rem;background:var(--panel);padding:.5rem 1rem;z-index:1}
.top{display:flex;flex-wrap:wrap;gap:1rem;justify-content:space-between;align-items:flex-start;padding:1.75rem 0 1.25rem}
.tools{display:flex;gap:.75rem;align-items:center;font-size:.875rem;color:var(--muted)}
button,select{font:inherit;color:var(--ink);background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.25rem .6rem;min-height:2rem}
button{cursor:pointer}
.note,.alarm{background:var(--wait-bg);color:var(--wait);padding:.5rem .85rem;border-radius:8px}
.alarm{background:var(--bad-bg);color:var(--bad)}
.good{color:var(--good)}
.empty{color:var(--muted);padding:1rem;border:1px dashed var(--line);border-radius:8px}
.chip{display:inline-block;font-size:.75rem;line-height:1.5;padding:0 .55rem;border-radius:99px;border:1px solid var(--line);background:var(--soft);color:var(--muted);white-space:nowrap}
.stage-shadow,.stage-canary{border-color:var(--accent);color:var(--accent);background:transparent}
.stage-cutover,.stage-retired{border-color:var(--good);color:var(--good);background:transparent}
.chip.write{border-color:var(--bad);color:var(--bad);background:transparent}
`;

const FLOWS = `
.cards{list-style:none;margin:0;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,17.5rem),1fr))}
.card{position:relative;background:var(--panel);border:1px solid var(--line);border-radius:12px;padding:1rem 1.1rem 1rem 1.25rem;overflow:hidden}
.card::before{content:"";position:absolute;inset:0 auto 0 0;width:5px;background:var(--wait)}
.card.open::before{background:var(--good)}.card.closed::before{background:var(--bad)}
.card a{color:inherit;text-decoration:none;margin-right:.5rem}.card a::after{content:"";position:absolute;inset:0}
.card a:focus-visible{outline:none}.card:focus-within{outline:3px solid var(--accent);outline-offset:2px}
.card:hover{border-color:var(--accent)}
.card .name{font-weight:650;font-size:1.05rem}
.figure{font-size:2rem;line-height:1.15;font-weight:650;margin:.6rem 0 0;letter-spacing:-.02em}.figure small{font-size:.9rem;font-weight:400;color:var(--muted);letter-spacing:0}
.card .muted,.why{font-size:.825rem}.why{color:var(--muted)}
.band{display:block;width:100%;height:6px;margin:.5rem 0 .75rem;border-radius:3px}.band .fill{fill:var(--accent)}
.gate{display:inline-block;font-weight:600;font-size:.9rem;padding:.1rem .6rem;border-radius:6px;background:var(--wait-bg);color:var(--wait);margin:0}
.gate.open{background:var(--good-bg);color:var(--good)}.gate.closed{background:var(--bad-bg);color:var(--bad)}
.flow{background:var(--panel);border:1px solid var(--line);border-radius:12px;padding:1.4rem clamp(.9rem,2.5vw,1.75rem) 1.75rem;margin-top:1.5rem}
.flow-head{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center}.flow-head .gate{margin-left:auto}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:1rem;margin:1.1rem 0 .9rem}
.facts dt{font-size:.8rem;color:var(--muted)}.facts dd{margin:0}.facts b{font-size:1.35rem;letter-spacing:-.01em;display:block;line-height:1.3}.facts .muted{font-size:.825rem}
.verdicts{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0;padding:.55rem 0 0;border-top:1px solid var(--line);font-size:.875rem;color:var(--muted)}.verdicts b{color:var(--ink)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;color:var(--muted);padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .7rem .45rem 0;border-bottom:1px solid var(--line)}
thead th{font-size:.8rem;font-weight:600;color:var(--muted)}tbody th{font-weight:550}tbody th code{font-weight:400;color:var(--muted);font-size:.76rem}
.n{text-align:right;white-space:nowrap;padding-right:1.25rem}
.criteria .status{white-space:nowrap;font-weight:600}.criteria .detail{color:var(--muted);font-size:.85rem;min-width:16rem}
.pass .status{color:var(--good)}.fail .status{color:var(--bad)}.undecided .status{color:var(--wait)}
.criteria tr.fail{background:linear-gradient(90deg,var(--bad-bg),transparent 60%)}.criteria tr.undecided{background:linear-gradient(90deg,var(--wait-bg),transparent 60%)}
.criteria tbody th{padding-left:.6rem}.criteria thead th:first-child{padding-left:.6rem}
footer{margin-top:2rem}footer .books{max-width:26rem}.books .sum>*{font-weight:700;border-bottom:0}
`;

const DIVERGENCES = `
.divergence{border:1px solid var(--line);border-left:4px solid var(--good);border-radius:8px;margin:.5rem 0;background:var(--panel)}
.divergence.blocking{border-left-color:var(--bad)}
.divergence>summary{display:grid;grid-template-columns:5.5rem minmax(0,1fr) auto 13rem;gap:.25rem 1rem;align-items:center;padding:.6rem .9rem;cursor:pointer;list-style:none;border-radius:8px}
.divergence>summary::-webkit-details-marker{display:none}
.divergence>summary:hover{background:var(--soft)}
.kind{font-size:.85rem;color:var(--muted)}.kind::before{content:"▸";display:inline-block;width:1em;transition:transform .15s}.divergence[open]>summary .kind::before{transform:rotate(90deg)}
.title{font-weight:550}.state{font-size:.85rem;white-space:nowrap;color:var(--good)}.blocking .state{color:var(--bad)}
.share{font-size:.875rem;white-space:nowrap;text-align:right}
.bar{width:4.75rem;height:.65rem;vertical-align:middle;border-radius:4px;margin-right:.25rem}.bar .track,.band .track{fill:var(--line)}.bar .fill{fill:var(--accent)}
.body{padding:.25rem .9rem 1rem;border-top:1px solid var(--line)}.body>p{max-width:70ch;margin:.6rem 0}
.notes{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:.6rem 0;font-size:.875rem}.notes dt{color:var(--muted);font-size:.78rem}.notes dd{margin:0}.notes .wide{flex-basis:100%}
.link{font-size:.875rem}
.sample{background:var(--soft);border-radius:8px;padding:.85rem 1rem;margin-top:.75rem}
.sample details{margin-top:.6rem}.sample details>summary{cursor:pointer;font-size:.875rem;font-weight:550;min-height:1.5rem}
.at{font-size:.875rem;color:var(--muted)}
.change{margin:.35rem 0;background:var(--panel);border:1px solid var(--line);border-radius:6px}
.change div{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:.5rem;padding:.35rem .7rem}.change div+div{border-top:1px solid var(--line)}
.change dt{font-size:.85rem;color:var(--muted)}.change dd{margin:0;white-space:pre-wrap;font:.86rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
del,ins{text-decoration:none;border-radius:3px;padding:0 .2em;font-weight:600}del{background:var(--del-bg);color:var(--del);text-decoration:line-through;text-decoration-thickness:1px}ins{background:var(--ins-bg);color:var(--ins);text-decoration:underline;text-underline-offset:2px}
.doc del,.doc ins{text-decoration:none;font-weight:500}.doc .line{display:block}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:.75rem;margin-top:.4rem}.sides>div{min-width:0}
.doc{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.55rem .7rem;overflow-x:auto;max-height:26rem;white-space:pre-wrap;font-size:.82rem}
.doc .eq,.doc .ruled{color:var(--muted)}.fold{color:var(--muted);font-style:italic}
.failed{color:var(--bad);background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.55rem .7rem}
.trace{table-layout:fixed;margin-top:.4rem;min-width:34rem}.trace th:first-child{width:6.5rem}.trace th:nth-child(3){width:2rem}
.trace .rel{text-align:center}.trace .same td{color:var(--muted)}
.trace .first>*{border-top:2px solid var(--bad);background:var(--bad-bg)}.flag{display:block;font-size:.75rem;font-weight:600;color:var(--bad)}
.trace .first th{padding-left:.5rem}
`;

const MEDIA = `
@media (max-width:52rem){.divergence>summary{grid-template-columns:1fr auto}.title{grid-column:1/-1;grid-row:2}.share{grid-column:1/-1;text-align:left}.sides{grid-template-columns:1fr}.flow-head .gate{margin-left:0}.change div{grid-template-columns:1fr;gap:0}
.criteria thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.criteria tr{display:grid;grid-template-columns:1fr auto;gap:0 1rem;padding:.5rem .6rem;border-bottom:1px solid var(--line)}.criteria th,.criteria td{border:0;padding:.1rem 0}.criteria tbody th{padding-left:0}.criteria .n{text-align:left}.criteria td:nth-child(2)::before{content:"observed "}.criteria td:nth-child(3)::before{content:"limit "}.criteria td:nth-child(4)::before{content:"n "}.criteria td.n::before{color:var(--muted)}.criteria .detail{grid-column:1/-1;min-width:0}}
@media (min-width:64rem){.criteria tbody th{white-space:nowrap}.criteria td,.criteria tbody th{padding-top:.35rem;padding-bottom:.35rem}}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
@media (forced-colors:active){.card::before,.divergence{forced-color-adjust:none}del,ins{border:1px solid}}
@media print{body{max-width:none;background:#fff;padding:0}.tools,.skip,.link{display:none}.flow,.card,.sample{break-inside:avoid-page}.flow{break-before:page;border:0;padding:0}.doc{max-height:none}}
`;

export const PAGE_STYLE = COLORS + BASE + FLOWS + DIVERGENCES + MEDIA;
