/** What a history says of a step, held against what the step would do now. */
import { askedFor, questionOf } from "./ask.ts";
import { argsOf } from "./call.ts";
import type { Step } from "./flow.ts";
import { mismatch, type StepEnd, type StepPast } from "./history.ts";
import { canonicalText, type JsonValue } from "./json.ts";
import { serializeError } from "./outcome.ts";
import type { Run } from "./run.ts";
import { visible } from "./visible.ts";

/** A tool or model step must still ask for what the history says it asked. */
export function pastEnd(run: Run, step: Step, past: StepPast, end: StepEnd): StepEnd {
  if (past.args === undefined) return end;
  const asked = askedNow(run, step);
  if (asked === undefined || canonicalText(asked.args) === canonicalText(past.args)) return end;
  const problem = `it would now ask ${asked.whom} with ${canonicalText(asked.args)}, not ${canonicalText(past.args)}`;
  return { kind: "halted", error: serializeError(mismatch(run.flow.name, step.name, problem)) };
}

function askedNow(run: Run, step: Step): { whom: string; args: JsonValue } | undefined {
  const { action } = step;
  switch (action.kind) {
    case "run":
      return undefined;
    case "tool": {
      const args = argsOf(
        run.context.tools,
        action.tool,
        action.args(visible(run, step), run.info),
      );
      return { whom: action.tool, args };
    }
    case "model": {
      const question = questionOf(action.prompt(visible(run, step), run.info), step.output);
      return { whom: action.model, args: askedFor(action.model, question) };
    }
    default:
      return action satisfies never;
  }
}
