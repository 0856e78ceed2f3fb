/** A flow's static graph: to draw, to diff, to name the steps of. */
import { type LegacyCall, legacyCall } from "./counterpart.ts";
import type { Flow, Step } from "./flow.ts";

export interface FlowGraph {
  flow: string;
  version: string;
  hash: string;
  nodes: {
    name: string;
    kind: Step["action"]["kind"];
    tool?: string;
    model?: string;
    optional: boolean;
    /** The call of the old chain that the step stands for. */
    legacy?: LegacyCall;
  }[];
  edges: { from: string; to: string }[];
}

export function graph(flow: Flow): FlowGraph {
  return {
    flow: flow.name,
    version: flow.version,
    hash: flow.hash,
    nodes: flow.steps.map((step) => ({
      name: step.name,
      kind: step.action.kind,
      ...(step.action.kind === "tool" ? { tool: step.action.tool } : {}),
      ...(step.action.kind === "model" ? { model: step.action.model } : {}),
      optional: step.when !== undefined || step.onError === "continue",
      ...legacyCall(step.legacy),
    })),
    edges: flow.steps.flatMap((step) => step.needs.map((from) => ({ from, to: step.name }))),
  };
}
