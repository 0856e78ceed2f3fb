/** Both flows of the live benchmark in stage `shadow`; every trigger is compared. */

import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { flow } from "../../core/flow.ts";
import { defineConfig, type FlowConfig } from "../../harness/config.ts";
import { badFlow, largeAnswer, waitingFlow, waitingLegacy } from "./live-app.ts";

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
    // Five in a second, four at a time.
    crawling: {
      ...bad("crawling", () => pause(800)),
      shadow: { timeoutMs: 5_000, maxOpen: 500 },
    },
    large: {
      legacy: () => () => largeAnswer("legacy"),
      candidate: flow("large", { version: "1", input: z.object({}), output: z.unknown() })
        .step("answer", { run: () => largeAnswer("candidate") })
        .returns(({ answer }) => answer),
      stage: "shadow",
    },
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
