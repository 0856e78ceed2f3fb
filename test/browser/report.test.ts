import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderHtml } from "../../harness/report/html.ts";
import { buildReport } from "../../harness/report/report.ts";
import { GENERATED_AT, reportRows } from "../harness/report-rows.ts";
import { startBrowser } from "./chromium.ts";

const started = await startBrowser();
const skipped = "missing" in started ? ` (skipped: ${started.missing})` : "";

describe.skipIf("missing" in started)(`the HTML report in a browser${skipped}`, () => {
  const report = buildReport(reportRows(), GENERATED_AT);
  const folder = mkdtempSync(join(tmpdir(), "twintrack-report-"));
  const file = join(folder, "report.html");
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(() => writeFileSync(file, renderHtml(report)));

  afterAll(async () => {
    if ("browser" in started) await started.browser.close();
    rmSync(folder, { recursive: true });
  });

  async function open(hash = "", width = 1280): Promise<Page> {
    if ("missing" in started) throw new Error(started.missing);
    const page = await started.browser.newPage({ viewport: { width, height: 900 } });
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => {
      complaints.push(dialog.message());
      void dialog.dismiss();
    });
    await page.goto(`${pathToFileURL(file).href}${hash}`);
    return page;
  }

  test("shows every flow with its gate and every criterion with observed, limit and n", async () => {
    const page = await open();

    expect(await page.locator(".card").count()).toBe(4);
    expect(await page.locator(".card").first().textContent()).toContain("Gate open: safe to go on");
    const row = page.locator("section[aria-label='Flow refund_request'] tr.fail").first();
    expect(await row.locator("td").allTextContents()).toMatchObject([
      "3.49 %",
      "1 %",
      "2,575",
      "✗ fail",
      expect.stringContaining("58 mismatches in 2575"),
    ]);
  });

  test("a link to a divergence opens it, focuses it and shows the first step that differs", async () => {
    const flow = report.flows.find(({ name }) => name === "refund_request");
    const print = flow?.divergences.find(({ kind }) => kind === "effect")?.fingerprint;

    const page = await open(`#divergence/refund_request/${print}`);
    const box = page.locator(`[id="divergence/refund_request/${print}"]`);

    expect(await box.getAttribute("open")).not.toBeNull();
    await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("SUMMARY");
    expect(await box.locator("tr.first").textContent()).toContain("billing.refund");
  });

  test("the changed leaves are marked on both sides", async () => {
    const page = await open();
    await page.locator("#expand").click();

    expect(await page.locator("del", { hasText: "cents: 500" }).first().isVisible()).toBe(true);
    expect(await page.locator("ins", { hasText: "cents: 0" }).first().isVisible()).toBe(true);
  });

  test("the keyboard alone opens a divergence", async () => {
    const page = await open();
    await page.locator("details.divergence summary").first().focus();

    await page.keyboard.press("Enter");

    expect(await page.locator("details.divergence").first().getAttribute("open")).not.toBeNull();
  });

  test("the chosen theme outweighs the system's", async () => {
    const page = await open();
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const light = await background();

    await page.locator("#theme").selectOption("dark");

    expect(await background()).not.toBe(light);
  });

  test("a phone does not scroll sideways", async () => {
    const page = await open("", 390);
    await page.locator("#expand").click();

    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
  });

  test("text is readable in both themes: contrast of at least 4.5", async () => {
    const page = await open();
    await page.locator("#expand").click();
    for (const theme of ["light", "dark"]) {
      await page.locator("#theme").selectOption(theme);
      expect(await page.evaluate(FAINT_TEXTS)).toEqual([]);
    }
  });

  test("nothing was requested but the file, and nothing complained or ran", () => {
    expect(requests.filter((url) => !url.startsWith("file:") && !url.startsWith("data:"))).toEqual(
      [],
    );
    expect(complaints).toEqual([]);
  });
});

/** Runs in the page. WCAG 2.2 contrast of each text against the first opaque background behind it. */
const FAINT_TEXTS = `(() => {
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = numbers(color).map((channel) => {
      const value = channel / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backdrop = (start) => {
    for (let box = start; box; box = box.parentElement) {
      const color = getComputedStyle(box).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = new Set();
  for (const element of document.querySelectorAll("body *:not(script):not(option)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(backdrop(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faint.add(element.tagName + "." + element.className + ": " + ratio.toFixed(2));
  }
  return [...faint];
})()`;
