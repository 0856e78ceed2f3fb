/** Rows of a team in the middle of its migration: one flow ready, one blocked, two collecting. */
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";
import { groupDifferences } from "../../harness/compare/fingerprint.ts";
import { judge } from "../../harness/compare/judge.ts";
import type { DivergenceRow, FlowRow, ReportRows, SampleRow } from "../../harness/report/rows.ts";

export const GENERATED_AT = "2026-05-18T09:30:00.000Z";

function call(
  tool: string,
  args: JsonValue,
  effect: "read" | "write",
  value: JsonValue,
  more: Partial<ToolCall> = {},
): ToolCall {
  const base = {
    tool,
    args,
    effect,
    occurrence: 0,
    startedAtMs: 0,
    durationMs: 84,
    served: "live" as const,
  };
  return { ...base, outcome: { status: "returned", value }, ...more };
}

const policy =
  "Refunds are possible within 30 days of delivery, as long as the item is unused and in its original packaging.";

interface Story {
  flow: string;
  triggerId: string;
  input: JsonValue;
  legacy: JsonValue;
  candidate: JsonValue;
  legacyCalls?: ToolCall[];
  candidateCalls?: ToolCall[];
}

const order = call("billing.find_order", { orderId: "A-7741" }, "read", {
  id: "A-7741",
  cents: 4_999,
});
const person = call("crm.lookup_person", { email: "ada@example.com" }, "read", { id: 12 });
const refund = (cents: number) =>
  call("billing.refund", { orderId: "A-7741", cents }, "write", { id: "re_9" });
const mail = call("mail.send", { to: "ada@example.com", template: "refund" }, "write", null);
const recorded = (given: ToolCall): ToolCall => ({ ...given, served: "recorded", durationMs: 0 });

const stories: Story[] = [
  {
    flow: "refund_request",
    triggerId: "trg_01JVH6Q2",
    input: { orderId: "A-7741", email: "ada@example.com", reason: "arrived broken" },
    legacy: {
      refunded: true,
      lines: [
        { sku: "MUG-2", cents: 4_999 },
        { sku: "SHIP", cents: 500 },
      ],
      reply: `Hello Ada, your refund of 54.99 EUR is on its way. ${policy}`,
      sources: ["kb/refunds", "kb/shipping"],
    },
    candidate: {
      refunded: true,
      lines: [
        { sku: "MUG-2", cents: 4_999 },
        { sku: "SHIP", cents: 0 },
      ],
      reply: `Hello Ada, your refund of 49.99 EUR is on its way. ${policy}`,
      sources: ["kb/refunds"],
    },
    legacyCalls: [order, person, refund(5_499), mail],
    candidateCalls: [
      recorded(order),
      recorded(person),
      {
        ...refund(4_999),
        served: "refused",
        outcome: {
          status: "threw",
          error: {
            name: "TwintrackError",
            message: "billing.refund with these arguments was not made by legacy",
          },
        },
      },
      recorded(mail),
    ],
  },
  {
    flow: "support_answer",
    triggerId: "trg_01JVH7AA",
    input: { question: "Do you ship to <script>alert('x')</script> Norway?" },
    legacy: {
      answer: "Yes, we ship to Norway.\nDelivery takes 5 to 7 days.",
      confidence: 0.82,
      citations: [{ url: "https://help.example/shipping" }],
    },
    candidate: {
      answer: "Yes, we do ship to Norway.\nDelivery takes 5 to 7 days.",
      confidence: 0.79,
      citations: [],
    },
    legacyCalls: [call("kb.search", { q: "ship Norway", k: 4 }, "read", ["shipping"])],
    candidateCalls: [call("kb.search", { q: "shipping Norway", k: 4 }, "read", ["shipping"])],
  },
];

function sampleRows(): { divergences: DivergenceRow[]; samples: SampleRow[] } {
  const divergences: DivergenceRow[] = [];
  const samples: SampleRow[] = [];
  for (const story of stories) {
    const { flow, triggerId, input, legacyCalls = [], candidateCalls = [] } = story;
    const legacy = { status: "returned", value: story.legacy } as const;
    const candidate = { status: "returned", value: story.candidate } as const;
    const { differences } = judge({ legacy, candidate, legacyCalls, candidateCalls, rules: [] });
    groupDifferences(flow, differences).forEach((group, index) => {
      const { fingerprint, title, kind, path } = group;
      const seen = { firstAt: "2026-05-04T08:00:00Z", lastAt: "2026-05-18T09:12:00Z" };
      const trials = Math.round(41 / (index + 1));
      divergences.push({
        flow,
        fingerprint,
        members: [fingerprint],
        grouping: { kind: "alike" },
        title,
        kind,
        path,
        trials,
        noiseTrials: flow === "support_answer" ? 31 - index * 9 : 0,
        ...seen,
      });
      samples.push({
        flow,
        fingerprint,
        triggerId,
        input,
        legacy,
        candidate,
        legacyCalls,
        candidateCalls,
        differences,
      });
    });
  }
  return { divergences, samples };
}

const flow = (row: Partial<FlowRow> & Pick<FlowRow, "name">): FlowRow => ({
  language: "python",
  stage: "shadow",
  sinceAt: "2026-05-04T08:00:00.000Z",
  days: 14,
  answered: 0,
  open: 0,
  verdicts: {},
  notRun: {},
  unexplained: 0,
  effectDifferences: 0,
  contractViolations: 0,
  noise: { trials: 0, mismatches: 0 },
  latencyMs: { legacy: null, candidate: null },
  trace: null,
  rules: [],
  costUsd: { legacy: 0, candidate: 0 },
  ...row,
});

const flows: FlowRow[] = [
  flow({
    name: "refund_request",
    answered: 2_604,
    open: 3,
    verdicts: {
      match: 2_456,
      ignored: 61,
      mismatch: 58,
      candidate_error: 4,
      candidate_timeout: 1,
      both_failed_same: 6,
      incomparable: 2,
    },
    notRun: { sampled: 0, shed: 13 },
    unexplained: 58,
    effectDifferences: 41,
    noise: { trials: 260, mismatches: 1 },
    latencyMs: { legacy: { p50: 1_840, p95: 4_310 }, candidate: { p50: 612, p95: 1_290 } },
    trace: {
      trials: 2_580,
      different: 49,
      yetEqual: 8,
      firstDivergent: [{ step: "billing.refund", trials: 41 }],
      steps: [
        {
          name: "order",
          trials: 2_580,
          different: 0,
          legacyMs: { p50: 84, p95: 160 },
          candidateMs: { p50: 84, p95: 160 },
        },
        {
          name: "refund <b>",
          trials: 2_580,
          different: 41,
          legacyMs: { p50: 120, p95: 310 },
          candidateMs: null,
        },
      ],
    },
    costUsd: { legacy: 31.2, candidate: 12.85 },
  }),
  flow({
    name: "invoice_extract",
    stage: "canary",
    canaryPercent: 25,
    language: "javascript",
    answered: 4_118,
    verdicts: { match: 4_071, ignored: 31, mismatch: 2 },
    notRun: { shed: 14 },
    unexplained: 0,
    noise: { trials: 400, mismatches: 0 },
    latencyMs: { legacy: { p50: 900, p95: 2_100 }, candidate: { p50: 640, p95: 1_475 } },
    costUsd: { legacy: 18.4, candidate: 9.9 },
  }),
  flow({
    name: "support_answer",
    answered: 512,
    verdicts: { match: 421, ignored: 12, mismatch: 71, both_failed_same: 2 },
    notRun: { breaker: 6 },
    unexplained: 71,
    noise: { trials: 240, mismatches: 34 },
    latencyMs: { legacy: { p50: 3_200, p95: 7_800 }, candidate: { p50: 2_100, p95: 4_950 } },
    costUsd: { legacy: 9.1, candidate: 5.2 },
    policy: { maxMismatchRate: 0.2, noiseMargin: 0.05 },
  }),
  flow({
    name: "order_status",
    language: "http",
    days: 0,
    sinceAt: null,
    latencyMs: { legacy: { p50: 210, p95: 480 }, candidate: null },
  }),
];

export function reportRows(): ReportRows {
  const { divergences, samples } = sampleRows();
  const settled: DivergenceRow = {
    flow: "invoice_extract",
    fingerprint: "v1:0d6ac1b2a8c94e11",
    members: ["v1:0d6ac1b2a8c94e11"],
    grouping: { kind: "alike" },
    title: "`/vendor/vat_id` only in candidate",
    kind: "extra",
    path: "/vendor/vat_id",
    trials: 2,
    noiseTrials: 0,
    firstAt: "2026-05-06T11:00:00Z",
    lastAt: "2026-05-06T11:40:00Z",
    decision: {
      decision: "intended",
      who: "mira",
      owner: "extraction team",
      why: "The new extraction reads the VAT id as well.",
      until: "2026-08-01T00:00:00Z",
    },
  };
  const error: DivergenceRow = {
    ...settled,
    flow: "refund_request",
    fingerprint: "v1:77f0aa3e19d2c4b5",
    members: ["v1:77f0aa3e19d2c4b5"],
    title: "only candidate failed",
    kind: "error",
    path: "",
    trials: 4,
    decision: {
      decision: "candidate_bug",
      who: "jonas",
      owner: "jonas",
      why: "Order numbers without a dash are not parsed (#482).",
      until: null,
    },
  };
  return { flows, divergences: [...divergences, settled, error], samples, lost: 0 };
}
