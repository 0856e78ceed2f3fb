/** Flows whose legacy is a service that cannot be moved: it is only tapped. */
import { defineConfig } from "../../harness/config.ts";

const fixtures = "../../fixtures";
const rules = [{ path: "/error/name", ignore: true, reason: "error classes differ by design" }];

export default defineConfig({
  tools: {
    billing: {
      module: `${fixtures}/refunds/tools.ts`,
      effects: { find_order: "read", lookup_customer: "read" },
    },
    desk: {
      python: "triage_app.tools:TOOLS",
      interpreter: "../../.venv/bin/python",
      cwd: `${fixtures}/triage`,
      effects: { find_customer: "read", search_articles: "read", response_hours: "read" },
    },
  },
  flows: {
    refunds: {
      legacy: "tap",
      candidate: () => import("../../fixtures/refunds/flow.ts").then((module) => module.refundFlow),
      stage: "shadow",
      compare: { rules },
    },
    triage: {
      legacy: "tap",
      candidate: () => import("../../fixtures/triage/flow.ts").then((module) => module.triageFlow),
      stage: "shadow",
      compare: { rules: [...rules, { path: "/reference", as: "uuid" }] },
    },
    typedOnly: {
      candidate: () => import("../../fixtures/refunds/flow.ts").then((module) => module.refundFlow),
      stage: "shadow",
    },
  },
});
