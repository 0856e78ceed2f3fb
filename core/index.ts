// Running flows

// Words shared by everything
export type { Effect } from "./effect.ts";
export { type Engine, inProcessEngine } from "./engine.ts";
export { ERROR_CODES, type ErrorCode, isTwintrackError, TwintrackError } from "./error.ts";
export { type Flow, type FlowBuilder, type FlowSchemas, flow, type StepTools } from "./flow.ts";
export { type FlowGraph, graph } from "./graph.ts";
export type { RunEvent, RunStore } from "./history.ts";
export { canonicalText, type JsonValue, toJson } from "./json.ts";
export { idempotencyKey, type Ledger, memoryLedger, type ToolCall } from "./ledger.ts";
export type {
  ModelAnswer,
  ModelCall,
  ModelMessage,
  ModelPort,
  ModelQuestion,
  ModelRequest,
  ModelResponse,
} from "./model.ts";
export type { Outcome, SerializedError } from "./outcome.ts";
export { replay } from "./replay.ts";
export { type RunOptions, type RunResult, runFlow } from "./run.ts";
export type { GivenRunConfig, RunConfig, RunInfo } from "./run-config.ts";
export type { Schema } from "./schema.ts";
export type { ToolCallOptions, ToolPort, ToolResult } from "./tool.ts";
export type { Side, Stage, Trigger, TriggerSource } from "./trigger.ts";
