/** The fixtures keep their promises: what they should show is counted here, on all their triggers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chain } from "../../adapter/capture.ts";
import { type Catalog, catalog } from "../../adapter/catalog.ts";
import type { ChainRun, LegacyChain } from "../../adapter/chain.ts";
import { toolServer } from "../../adapter/in-process.ts";
import type { Flow } from "../../core/flow.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { type RunResult, runFlow } from "../../core/run.ts";
import { invoiceChain } from "../../fixtures/invoices/chain.ts";
import { invoiceFlow } from "../../fixtures/invoices/flow.ts";
import { InvoiceInput } from "../../fixtures/invoices/schema.ts";
import { tools as invoiceTools } from "../../fixtures/invoices/tools.ts";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import { refundFlow } from "../../fixtures/refunds/flow.ts";
import { RefundInput } from "../../fixtures/refunds/schema.ts";
import { tools as refundTools } from "../../fixtures/refunds/tools.ts";
import { isolatedTools } from "../../harness/isolation.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "twintrack-fixtures-"));
  process.env.TWINTRACK_SINK = join(folder, "effects.ndjson");
});

afterAll(() => {
  delete process.env.TWINTRACK_SINK;
  rmSync(folder, { recursive: true });
});

function inputsOf(fixture: string): JsonValue[] {
  const file = new URL(`../../fixtures/${fixture}/triggers.ndjson`, import.meta.url);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { input: JsonValue }).input);
}

interface Pair {
  legacy: ChainRun;
  candidate: RunResult;
}

/** Both sides of one input, the candidate on the record of the legacy run. */
async function pairOf(
  old: LegacyChain,
  flow: Flow,
  tools: Catalog,
  input: JsonValue,
): Promise<Pair> {
  const legacy = await old.invoke(input, {
    tools: { mode: "live" },
    effects: tools.effectsByOriginalName(),
  });
  const recording = legacy.calls.map((call): ToolCall => {
    const name = tools.qualify(call.tool);
    return { ...call, tool: name, args: tools.canonicalArgs(name, call.args) };
  });
  const candidate = await runFlow(flow, input, { tools: isolatedTools(tools, recording) });
  return { legacy, candidate };
}

test("the refund flow answers and writes as the agent does, on every valid trigger", async () => {
  const inputs = inputsOf("refunds");
  const valid = inputs.filter((input) => RefundInput.safeParse(input).success);
  const tools = catalog({
    billing: {
      server: toolServer(refundTools),
      effects: { find_order: "read", lookup_customer: "read" },
    },
  });
  await tools.entries();
  const failed: JsonValue[] = [];
  for (const input of valid) {
    const { legacy, candidate } = await pairOf(chain(refundAgent), refundFlow, tools, input);
    expect(candidate.calls.filter(({ served }) => served === "refused")).toEqual([]);
    if (legacy.outcome.status === "threw") failed.push(input);
    else expect(candidate.outcome).toEqual(legacy.outcome);
  }

  expect({
    all: inputs.length,
    invalid: inputs.length - valid.length,
    failed: failed.length,
  }).toEqual({
    all: 395,
    invalid: 24,
    failed: 14,
  });
}, 30_000);

/** Which of the five planted mistakes a pair shows. */
function mistakesIn({ legacy, candidate }: Pair): string[] {
  const before = outputOf(legacy);
  const after = outputOf(candidate);
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const differing = [...names].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const extra = candidate.calls.filter(({ served }) => served === "refused");
  return [...differing, ...extra.map(({ tool }) => tool)];
}

function outputOf({ outcome }: ChainRun | RunResult): JsonObject {
  return outcome.status === "returned" && isJsonObject(outcome.value) ? outcome.value : {};
}

test("the invoice flow shows its five planted mistakes, each on a stable share of the triggers", async () => {
  const inputs = inputsOf("invoices");
  const valid = inputs.filter((input) => InvoiceInput.safeParse(input).success);
  const tools = catalog({
    invoices: { server: toolServer(invoiceTools), effects: { lookup_vendor: "read" } },
  });
  await tools.entries();
  const counts: Record<string, number> = {
    invalid: inputs.length - valid.length,
    failed: 0,
    equal: 0,
  };
  for (const input of valid) {
    const pair = await pairOf(chain(invoiceChain), invoiceFlow, tools, input);
    const mistakes = mistakesIn(pair);
    const labels = mistakes.length > 0 ? mistakes : ["equal"];
    const shown = pair.legacy.outcome.status === "threw" ? ["failed"] : labels;
    for (const label of shown) counts[label] = (counts[label] ?? 0) + 1;
  }

  expect(counts).toEqual({
    invalid: 22,
    failed: 14,
    equal: 195,
    poNumber: 30,
    taxRate: 45,
    totalCents: 13,
    tags: 59,
    "invoices.archive_document": 40,
  });
}, 30_000);
