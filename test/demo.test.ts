/** The demo as a new user runs it, with and without Python. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Demo {
  ok: boolean;
  flows: {
    name: string;
    stage: string;
    trials: number;
    gate: { decision: string };
    divergences: { title: string; noiseRate: number | null }[];
  }[];
  effects: { expected: number; observed: number; byCandidate: number };
  books: { answered: number; verdicts: number; open: number };
  report: string;
}

function demo(env: NodeJS.ProcessEnv = {}): Demo {
  const stdout = execFileSync("node", ["fixtures/demo.ts", "--json"], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Demo;
}

test("the demo cuts two flows over, refuses the third for its five reasons, and proves the writes", () => {
  const result = demo();
  const flow = (name: string) => result.flows.find((one) => one.name === name);
  expect(result.ok).toBe(true);
  expect(flow("refunds")).toMatchObject({ stage: "cutover" });
  expect(flow("triage")).toMatchObject({ stage: "retired" });
  expect(flow("invoices")).toMatchObject({ stage: "shadow", gate: { decision: "closed" } });
  expect(flow("invoices")?.divergences).toHaveLength(5);
  // The random reference of the triage chain is measured as noise, nothing else is.
  expect(flow("triage")?.divergences).toMatchObject([{ title: "`/reference` value differs" }]);
  expect(flow("triage")?.divergences[0]?.noiseRate).toBeGreaterThan(0.8);
  expect(result.flows.every(({ trials }) => trials >= 300)).toBe(true);
  expect(result.effects.observed).toBe(result.effects.expected);
  expect(result.effects.expected).toBeGreaterThan(1_000);
  expect(result.effects.byCandidate).toBe(0);
  expect(result.books).toMatchObject({ open: 0, verdicts: result.books.answered });
  expect(readFileSync(join(root, result.report), "utf8")).toContain("invoices");
}, 180_000);

test("without Python the demo says why and shows the JavaScript half", () => {
  const result = demo({ TWINTRACK_PYTHON_PROBLEM: "Python 3.10 or newer is not on the path" });
  expect(result.ok).toBe(true);
  expect(result.flows.map((flow) => flow.name).sort()).toEqual(["invoices", "refunds"]);
  expect(result.flows.find((flow) => flow.name === "refunds")?.stage).toBe("retired");
}, 180_000);
