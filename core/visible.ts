/** What the functions of a step see. */
import { TwintrackError } from "./error.ts";
import type { Flow, Step } from "./flow.ts";
import type { Run } from "./run.ts";

const guards = new WeakMap<Flow, ReadonlyMap<string, object>>();

/** `input` and the outputs that the step needs; to read another step's is an error that says so. */
export function visible(run: Run, step: Step): { [name: string]: unknown } {
  const context = Object.create(guardOf(run.flow, step)) as { [name: string]: unknown };
  context.input = run.outputs.input;
  for (const need of step.needs) context[need] = run.outputs[need];
  return context;
}

/**
 * Behind the context stand the other steps. The compiler refuses them too, but Node runs what nobody
 * has compiled. They are found only by what the context itself does not have, and cost nothing else.
 */
function guardOf(flow: Flow, step: Step): object {
  const known = guards.get(flow);
  const guardByStep = known ?? new Map(flow.steps.map((one) => [one.name, guard(flow, one)]));
  if (!known) guards.set(flow, guardByStep);
  return guardByStep.get(step.name) ?? {};
}

function guard(flow: Flow, step: Step): object {
  const unseen = flow.steps.filter(({ name }) => !step.needs.includes(name));
  const made = {};
  for (const { name } of unseen) {
    const get = () => {
      throw notNeeded(step, name);
    };
    Object.defineProperty(made, name, { get });
  }
  return made;
}

function notNeeded(step: Step, name: string): TwintrackError {
  const needs = [...step.needs, name].map((one) => JSON.stringify(one)).join(", ");
  return new TwintrackError(
    "FLOW_INVALID",
    `Step "${step.name}" reads "${name}", which it does not need: say needs: [${needs}]`,
  );
}
