/** A step's write taken back, after the fact and only because a person asks for it. */
import type { Step } from "./flow.ts";
import { type JsonValue, toJson } from "./json.ts";
import { inCode } from "./long-integer.ts";
import { infoOf, type RunConfig, type RunInfo } from "./run-config.ts";
import { validateJson } from "./schema.ts";
import { resultValue, type ToolPort } from "./tool.ts";

/** What a step's tool was called with (canonical arguments), and the step's output. */
export interface Made<Output> {
  args: JsonValue;
  output: Output;
}

export interface UndoTools extends RunInfo {
  /** @throws {TwintrackError} `TOOL_FAILED`, or what the tool's port throws. */
  call(tool: string, args: unknown): Promise<JsonValue>;
  /** Aborted when the step's time limit is over. */
  signal: AbortSignal;
}

export type Undo<Output> = (made: Made<Output>, tools: UndoTools) => unknown;

/** `unknown`: it did not end in time, and may have been done all the same. */
export type Undone =
  | { status: "undone" }
  | { status: "failed"; error: unknown }
  | { status: "unknown" };

/**
 * Runs a step's undo once.
 *
 * @param config of the trigger for which the write was made
 */
export async function undoStep(
  step: Step,
  made: Made<unknown>,
  tools: ToolPort,
  config?: RunConfig,
): Promise<Undone> {
  const signal = AbortSignal.timeout(step.timeoutMs);
  const late = new Promise<Undone>((resolve) => {
    signal.addEventListener("abort", () => resolve({ status: "unknown" }), { once: true });
  });
  const options = config ? { signal, config } : { signal };
  const call: UndoTools["call"] = async (tool, args) =>
    resultValue(await tools.callTool(tool, toJson(args).value, options));
  return Promise.race([undone(step, made, { ...infoOf(config), call, signal }), late]);
}

async function undone(step: Step, { args, output }: Made<unknown>, tools: UndoTools) {
  try {
    const what = `Output of step "${step.name}"`;
    const known = step.output
      ? toJson(await validateJson(step.output, output as JsonValue, what, "OUTPUT_INVALID")).value
      : (output as JsonValue);
    await step.undo?.({ args, output: inCode(known) }, tools);
    return { status: "undone" } as const;
  } catch (error) {
    return tools.signal.aborted ? ({ status: "unknown" } as const) : failed(error);
  }
}

function failed(error: unknown): Undone {
  return { status: "failed", error };
}
