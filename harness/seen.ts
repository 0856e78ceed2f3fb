/** What one compared trial says about the coverage of its flow. */
import type { RunEvent } from "../core/history.ts";
import type { JsonValue } from "../core/json.ts";
import { jsonSchemaOf } from "../core/schema.ts";
import { marksOf } from "./coverage.ts";
import type { ComparedRun } from "./judgement.ts";
import { inputSchema, type Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";

interface ComparedRuns {
  legacy: ComparedRun;
  candidate: ComparedRun & { history?: readonly RunEvent[] | undefined };
}

/** Nothing for a trial in which a side failed: it does not show that the answers are equal. */
export async function seenIn(
  sides: Sides,
  flow: string,
  input: JsonValue,
  { legacy, candidate }: ComparedRuns,
): Promise<Pick<JudgedTrial, "coverage">> {
  if (legacy.outcome.status !== "returned" || candidate.outcome.status !== "returned") return {};
  const typed = await sides.candidate(flow).catch(() => undefined);
  const schema = await inputSchema(sides, flow);
  if (!typed) return {};
  return {
    coverage: marksOf({
      schema: schema ? (jsonSchemaOf(schema) ?? {}) : {},
      input,
      candidate: typed,
      history: candidate.history ?? [],
      legacyTools: namesOf(legacy),
      candidateTools: namesOf(candidate),
    }),
  };
}

function namesOf({ calls }: ComparedRun): string[] {
  return [...new Set(calls.map(({ tool }) => tool))];
}

/** The version of the flow that wrote a history: of a run that answered nothing else tells it. */
export function flowHashOf(history: readonly RunEvent[] = []): string | null {
  const started = history.find((event) => event.type === "run_started");
  return started?.type === "run_started" ? started.flowHash : null;
}
