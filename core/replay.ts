/** A finished run, once more from its history. */
import { TwintrackError } from "./error.ts";
import type { Flow } from "./flow.ts";
import { checkFits, type RunEvent } from "./history.ts";
import { execute, type RunResult } from "./run.ts";
import type { ToolPort } from "./tool.ts";

/**
 * Replays a finished run from its history without calling a tool.
 *
 * @throws {TwintrackError} `HISTORY_MISMATCH` naming the step that no longer fits.
 */
export async function replay<Input, Output>(
  flow: Flow<Input, Output>,
  history: readonly RunEvent[],
): Promise<RunResult> {
  checkFits(flow, history);
  const started = history.find((event) => event.type === "run_started");
  if (started?.type !== "run_started") {
    throw new TwintrackError(
      "HISTORY_MISMATCH",
      `The history of "${flow.name}" does not start with run_started`,
    );
  }
  const tools: ToolPort = {
    callTool: (tool) =>
      Promise.reject(new TwintrackError("TOOL_UNKNOWN", `${tool} is not called in a replay`)),
  };
  const result = await execute(
    flow,
    started.input,
    { tools, ...(started.config && { config: started.config }) },
    { runId: "replay", events: [...history], mode: "replay" },
  );
  if (result.outcome.status === "threw" && result.outcome.error.code === "HISTORY_MISMATCH") {
    throw new TwintrackError("HISTORY_MISMATCH", result.outcome.error.message);
  }
  return result;
}
