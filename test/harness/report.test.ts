import { describe, expect, test } from "vitest";
import { gist } from "../../harness/cause.ts";
import { renderHtml } from "../../harness/report/html.ts";
import { renderMarkdown } from "../../harness/report/markdown.ts";
import { percent } from "../../harness/report/percent.ts";
import { buildReport } from "../../harness/report/report.ts";
import { renderText } from "../../harness/report/text.ts";
import { GENERATED_AT, reportRows } from "./report-rows.ts";

const report = buildReport(reportRows(), GENERATED_AT);
const flowOf = (name: string) => report.flows.find((flow) => flow.name === name);

describe("the report value", () => {
  test("survives JSON unchanged", () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("lists a flow that is ready before one that is blocked", () => {
    expect(report.flows.map(({ gate }) => gate.decision)).toEqual([
      "open",
      "undecided",
      "undecided",
      "closed",
    ]);
  });

  test("balances the books, and an answer without a verdict is a gap", () => {
    const [first, ...rest] = reportRows().flows;
    const rows = {
      ...reportRows(),
      flows: [{ ...first, answered: (first?.answered ?? 0) + 2 }, ...rest],
    };

    expect(report.books.gaps).toBe(0);
    expect(buildReport(rows as ReturnType<typeof reportRows>, GENERATED_AT).books.gaps).toBe(2);
  });

  test("a gap of one flow is not hidden by a surplus of another", () => {
    const [first, second, ...rest] = reportRows().flows;
    const flows = [{ ...first, open: 4 }, { ...second, open: -1 }, ...rest];

    const rows = { ...reportRows(), flows } as ReturnType<typeof reportRows>;

    expect(buildReport(rows, GENERATED_AT).books.gaps).toBe(2);
  });

  test("records that were lost are a gap", () => {
    expect(buildReport({ ...reportRows(), lost: 3 }, GENERATED_AT).books.gaps).toBe(3);
  });

  test("a flow without trials has no match rate, not one of 0 %", () => {
    expect(flowOf("order_status")).toMatchObject({ matchRate: null, noise: { rate: null } });
  });

  test("a flow of which no trial could be compared says so and why, in every form", () => {
    const [first, ...rest] = reportRows().flows;
    const causes = [
      { verdict: "incomparable", reason: "memory_unrecorded: <checkpoint>", trials: 6 },
    ];
    const flows = [{ ...first, answered: 6, verdicts: { incomparable: 6 }, causes }, ...rest];
    const lost = buildReport({ ...reportRows(), flows } as never, GENERATED_AT);
    const forms = [
      renderText(lost, { color: false, width: 80 }),
      renderMarkdown(lost).replaceAll("&lt;", "<"),
      renderHtml(lost).replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"'),
    ];
    for (const form of forms) {
      expect(form).toContain("nothing could be compared: 6 incomparable");
      expect(form).toContain("6 × incomparable: memory_unrecorded: <checkpoint>");
      expect(form).toContain('shadow: { reads: "live" } lets legacy read');
    }
  });

  test("of a long reason its beginning and its end are told: a process says last why it ended", () => {
    const reason = `PYTHON_UNAVAILABLE: ${"its output\n".repeat(100)}KeyError: 'NAME'`;
    const told = gist({ reason }, 120);
    expect(told).toHaveLength(120);
    expect(told).toMatch(/^PYTHON_UNAVAILABLE: .* … .*KeyError: 'NAME'$/);
  });

  test("a mismatch that was decided to be intended does not count against the gate", () => {
    expect(flowOf("invoice_extract")?.gate.decision).toBe("open");
    expect(flowOf("invoice_extract")?.divergences).toMatchObject([{ blocking: false }]);
  });

  test("a decision that has expired blocks again", () => {
    const later = buildReport(reportRows(), "2026-08-01T00:00:00.000Z");
    const divergence = later.flows.find(({ name }) => name === "invoice_extract")?.divergences[0];

    expect(divergence).toMatchObject({ blocking: true, decision: { expired: true } });
  });

  test("an open candidate bug closes the gate and is named among the blockers", () => {
    expect(flowOf("refund_request")?.blockedBy.join()).toContain("open_bugs");
  });

  test("a sample names its own path and the step at which the traces part", () => {
    const divergence = flowOf("refund_request")?.divergences.find(({ kind }) => kind === "value");

    expect(divergence?.samples).toMatchObject([
      { path: "/lines/1/cents", legacy: 500, candidate: 0, firstDivergence: 2 },
    ]);
  });

  test("an explanation says when legacy is as noisy as candidate", () => {
    expect(flowOf("support_answer")?.divergences[0]?.explanation).toContain(
      "no more often than legacy itself",
    );
    expect(flowOf("refund_request")?.divergences[0]?.explanation).toContain(
      "noise does not explain",
    );
  });
});

describe("the terminal text", () => {
  test("holds no escape code without colour, and the same words with it", () => {
    const plain = renderText(report, { color: false, width: 100 });
    const painted = renderText(report, { color: true, width: 100 });

    expect(plain).not.toContain("\u001b");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
    expect(painted.replace(/\u001b\[\d+m/g, "")).toBe(plain);
    expect(painted).not.toBe(plain);
  });

  test("shows observed, limit, n and status of every criterion", () => {
    const text = renderText(report, { color: false, width: 100 });

    expect(text).toMatch(/✗ {2}Mismatch rate, at most +3\.49 % +1 % +2,575 +fail/);
    expect(text).toContain("order_status  http  [shadow]  Gate undecided");
  });

  test("a report without flows says what to do", () => {
    const empty = buildReport({ flows: [], divergences: [], samples: [], lost: 0 }, GENERATED_AT);

    expect(renderText(empty, { color: false, width: 80 })).toContain("twintrack init");
  });
});

test("Markdown cells cannot be broken by text from a flow", () => {
  const rows = reportRows();
  const divergences = rows.divergences.map((row) => ({ ...row, title: "a | b\n<img src=x>" }));

  const text = renderMarkdown(buildReport({ ...rows, divergences }, GENERATED_AT));

  expect(text).toContain("a \\| b &lt;img src=x>");
  expect(text).not.toContain("<img");
});

describe("the page", () => {
  const page = renderHtml(report);

  test("escapes everything that comes from traffic", () => {
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&lt;script&gt;alert(&#39;x&#39;)");
  });

  test("a name that ends a script cannot leave the data island", () => {
    const rows = reportRows();
    const name = "</script><script>alert(1)</script>\u2028";
    const flows = rows.flows.slice(0, 1).map((flow) => ({ ...flow, name }));

    const html = renderHtml(buildReport({ ...rows, flows }, GENERATED_AT));
    const island =
      /<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(html)?.[1] ?? "";

    expect(html.match(/<script/g)).toHaveLength(2);
    expect(JSON.parse(island)).toMatchObject({ flows: [{ name }] });
    expect(island).not.toContain("\u2028");
  });

  test("characters that reverse text are shown by number", () => {
    const rows = reportRows();
    const flows = rows.flows.slice(0, 1).map((flow) => ({ ...flow, name: "safe\u202egnp" }));

    expect(renderHtml(buildReport({ ...rows, flows }, GENERATED_AT))).toContain("safe\\u202egnp");
  });

  test("a page that would be too large says what it left out", () => {
    const full = renderHtml(report).length;

    const smaller = renderHtml(report, full - 1_000);

    expect(Buffer.byteLength(smaller)).toBeLessThan(full);
    expect(smaller).toMatch(/left out for size/);
  });

  test("refers to nothing outside itself", () => {
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });
});

test.each([
  [1, "100 %"],
  [0.99999, "99.99 %"],
  [0.9934, "99.34 %"],
  [0.5, "50 %"],
  [0.00001, "< 0.01 %"],
  [0, "0 %"],
])("a rate of %d reads %s", (rate, text) => {
  expect(percent(rate)).toBe(text);
});
