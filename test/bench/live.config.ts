/** Both flows of the live benchmark in stage `shadow`; every trigger is compared. */

import { setTimeout as pause } from "node:timers/promises";
import { defineConfig, type FlowConfig } from "../../harness/index.ts";
import { badFlow, waitingFlow, waitingLegacy } from "./live-app.ts";

function bad(name: string, does: () => unknown): FlowConfig {
  return {
    legacy: () => waitingLegacy,
    candidate: badFlow(name, does),
    stage: "shadow",
    shadow: { timeoutMs: 200, maxOpen: 500 },
  };
}

export default defineConfig({
  tools: {
    billing: {
      module: "../../fixtures/refunds/tools.ts",
      effects: { find_order: "read", lookup_customer: "read", refund: "write", send_mail: "write" },
    },
  },
  flows: {
    waits: { legacy: () => waitingLegacy, candidate: waitingFlow, stage: "shadow" },
    // Ten times as slow as legacy, throwing, and without an end.
    slow: { ...bad("slow", () => pause(50)) },
    throwing: {
      ...bad("throwing", () => {
        throw new Error("no");
      }),
    },
    hanging: { ...bad("hanging", () => new Promise<never>(() => undefined)) },
    refunds: {
      legacy: () => import("../../fixtures/refunds/agent.ts").then((module) => module.refundAgent),
      candidate: () => import("../../fixtures/refunds/flow.ts").then((module) => module.refundFlow),
      stage: "shadow",
    },
  },
});
