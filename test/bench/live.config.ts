/** Both flows of the live benchmark in stage `shadow`; every trigger is compared. */
import { defineConfig } from "../../harness/index.ts";
import { waitingFlow, waitingLegacy } from "./live-app.ts";

export default defineConfig({
  tools: {
    billing: {
      module: "../../fixtures/refunds/tools.ts",
      effects: { find_order: "read", lookup_customer: "read", refund: "write", send_mail: "write" },
    },
  },
  flows: {
    waits: { legacy: () => waitingLegacy, candidate: waitingFlow, stage: "shadow" },
    refunds: {
      legacy: () => import("../../fixtures/refunds/agent.ts").then((module) => module.refundAgent),
      candidate: () => import("../../fixtures/refunds/flow.ts").then((module) => module.refundFlow),
      stage: "shadow",
    },
  },
});
