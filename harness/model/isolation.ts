/**
 * The models of a shadow run: a question that the other side has asked, too, gets the answer that
 * it got. So the two sides differ by what they make of an answer and not by the model's mood, and
 * nothing is paid twice.
 */
import { permitEgress } from "../../adapter/egress.ts";
import { TwintrackError } from "../../core/error.ts";
import {
  type ModelAnswer,
  type ModelCall,
  type ModelPort,
  type ModelResponse,
  modelBook,
} from "../../core/model.ts";

export interface ModelPolicy {
  /** A question that the other side did not ask: put to the model, or refused. */
  unrecorded: "live" | "recorded";
  /** Takes one question out of the day's budget; false when it is used up. */
  spend(): boolean;
}

export interface IsolatedModels extends ModelPort {
  /** How long the recorded calls took that were answered from the record. */
  servedMs(): number;
}

export function isolatedModels(
  models: ModelPort,
  recording: readonly ModelCall[],
  policy: ModelPolicy,
): IsolatedModels {
  const book = modelBook(recording.filter(({ lossy }) => !lossy));
  let servedMs = 0;
  return {
    servedMs: () => servedMs,
    requestOf: (name, question) => models.requestOf(name, question),
    async ask(name, request, signal) {
      const call = book.answer(request);
      if (call) {
        servedMs += call.durationMs;
        return recordedAnswer(call);
      }
      if (policy.unrecorded === "recorded") throw unrecorded(name, 'shadow: { models: "live" }');
      if (!policy.spend()) throw unrecorded(name, "a larger shadow: { modelCallsPerDay }");
      return permitEgress(() => models.ask(name, request, signal));
    },
  };
}

function recordedAnswer({ outcome, request }: ModelCall): ModelAnswer {
  switch (outcome.status) {
    case "returned":
      return { response: outcome.value as unknown as ModelResponse, served: "recorded" };
    case "threw":
      throw new TwintrackError("MODEL_FAILED", outcome.error.message);
    case "timed_out":
      throw new TwintrackError(
        "TIMEOUT",
        `${request.model} did not answer within ${outcome.afterMs} ms on the other side`,
      );
    default:
      return outcome satisfies never;
  }
}

function unrecorded(name: string, allow: string): TwintrackError {
  return new TwintrackError(
    "MODEL_UNRECORDED",
    `The other side did not ask what the flow asks model "${name}"`,
    { hint: `Allow it with ${allow}.` },
  );
}

const DAY_MS = 86_400_000;

/** So many questions a day (UTC), for each flow of this process; false when they do not fit any more. */
export type DailyBudget = (flow: string, most: number, questions?: number) => boolean;

export function dailyBudget(now: () => number = Date.now): DailyBudget {
  const spent = new Map<string, { day: number; count: number }>();
  return (flow, most, questions = 1) => {
    const day = Math.floor(now() / DAY_MS);
    const known = spent.get(flow);
    const today = known?.day === day ? known : { day, count: 0 };
    if (today.count + questions > most) return false;
    spent.set(flow, { day, count: today.count + questions });
    return true;
  };
}
