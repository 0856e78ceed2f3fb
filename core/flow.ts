/**
 * The typed flow DSL: a flow is data, a static graph of steps.
 *
 * A step names the steps it reads in `needs`; nothing else is visible to it, so the graph can be
 * drawn, hashed and run in parallel, and the compiler rejects a step that is read but not needed,
 * an unknown or duplicate step, and an output that may be undefined (`when`, `onError: "continue"`).
 */

import type { Prompt } from "./ask.ts";
import type { Legacy } from "./counterpart.ts";
import { TwintrackError } from "./error.ts";
import { canonicalText, digest, type JsonValue } from "./json.ts";
import type { RunInfo } from "./run-config.ts";
import { jsonSchemaOf, type Schema } from "./schema.ts";
import type { Undo } from "./undo.ts";

/** What a step does once its retries are used up. */
export type ErrorPolicy<Context, Output> =
  /** The run fails with the step's error. The default. */
  | "halt"
  /** The run goes on; the step's output is undefined. */
  | "continue"
  | Compensation<Context, Output>;

/** The run goes on with this value. */
export interface Compensation<Context, Output> {
  compensate: (context: Context, error: Error, info: RunInfo) => Output | Promise<Output>;
}

/** Time, randomness and ids for a step: the only ones a step may use. */
export interface StepTools extends RunInfo {
  signal: AbortSignal;
  attempt: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  id(): string;
}

interface StepPolicy<Context, Needs> {
  /** Steps whose outputs this step reads. */
  needs?: Needs;
  /** Further attempts after the first. Default 0. Waits 200 ms · 2^n, at most 2,000 ms. */
  retries?: number;
  /** `full` (default) waits a random part of the backoff, `none` all of it. */
  jitter?: "full" | "none";
  /** Limit of one attempt. Default 30,000. */
  timeoutMs?: number;
  /** When names and arguments do not tell it: the legacy call that this step stands for. */
  legacy?: Legacy<Context>;
}

interface RunStep<Context, Output, Needs> extends StepPolicy<Context, Needs> {
  run: (context: Context, tools: StepTools) => Output | Promise<Output>;
  output?: Schema<Output>;
  tool?: never;
  args?: never;
  undo?: never;
  model?: never;
}

interface ToolStep<Context, Output, Needs> extends StepPolicy<Context, Needs> {
  tool: string;
  args: (context: Context, info: RunInfo) => unknown;
  output: Schema<Output>;
  /** Takes the write back when a person asks for it: `twintrack rollback --undo`. No run does so by itself. */
  undo?: Undo<NoInfer<Output>>;
  run?: never;
  model?: never;
}

interface ModelStep<Context, Output, Needs> extends StepPolicy<Context, Needs> {
  /** One of the configuration's models. */
  model: string;
  prompt: (context: Context, info: RunInfo) => Prompt;
  /** What the answer is parsed to; a schema of texts takes the answer as it is. */
  output: Schema<Output>;
  run?: never;
  tool?: never;
  args?: never;
  undo?: never;
}

type StepOf<Context, Output, Needs> =
  | RunStep<Context, Output, Needs>
  | ToolStep<Context, Output, Needs>
  | ModelStep<Context, Output, Needs>;

type Context<Input, Outputs, Needs extends readonly PropertyKey[]> = { input: Input } & {
  [Name in keyof Outputs as Name extends Needs[number] ? Name : never]: Outputs[Name];
};

type NewName<Name extends string, Outputs> = Name extends keyof Outputs | "input"
  ? `step "${Name}" is already defined`
  : Name;

/** One node of a flow, with its types erased; what the interpreter and the graph read. */
export interface Step {
  readonly name: string;
  readonly needs: readonly string[];
  readonly action:
    | { kind: "run"; run: (context: object, tools: StepTools) => unknown }
    | { kind: "tool"; tool: string; args: (context: object, info: RunInfo) => unknown }
    | { kind: "model"; model: string; prompt: (context: object, info: RunInfo) => Prompt };
  readonly output: Schema | undefined;
  readonly when: ((context: object, info: RunInfo) => boolean) | undefined;
  readonly retries: number;
  readonly jitter: "full" | "none";
  readonly timeoutMs: number;
  readonly onError: ErrorPolicy<object, unknown>;
  readonly legacy: Legacy | undefined;
  readonly undo: Undo<unknown> | undefined;
}

export interface Flow<Input = unknown, Output = unknown> {
  readonly name: string;
  readonly version: string;
  /** Of name, version, graph, schemas and policies; code bodies and hints are not in it: change `version`. */
  readonly hash: string;
  readonly input: Schema<Input>;
  readonly output: Schema<Output>;
  readonly steps: readonly Step[];
  readonly returns: (outputs: object, info: RunInfo) => unknown;
}

/** A step that always has an output, or ends the run. */
interface Certain<Context, Output> {
  onError?: "halt" | Compensation<Context, NoInfer<Output>>;
  when?: never;
}

/** A step that may end without an output: skipped by `when`, or given up by `continue`. */
type Uncertain<Context, Output> =
  | {
      /** False skips the step; its output is then undefined. */
      when: (context: Context, info: RunInfo) => boolean;
      onError?: ErrorPolicy<Context, NoInfer<Output>>;
    }
  | { when?: never; onError: "continue" };

export interface FlowBuilder<Input, Output, Outputs extends object> {
  step<
    const Name extends string,
    StepOutput,
    const Needs extends readonly (keyof Outputs & string)[] = [],
  >(
    name: NewName<Name, Outputs>,
    step: StepOf<Context<Input, Outputs, Needs>, StepOutput, Needs> &
      Certain<Context<Input, Outputs, Needs>, StepOutput>,
  ): FlowBuilder<Input, Output, Outputs & Record<Name, StepOutput>>;

  step<
    const Name extends string,
    StepOutput,
    const Needs extends readonly (keyof Outputs & string)[] = [],
  >(
    name: NewName<Name, Outputs>,
    step: StepOf<Context<Input, Outputs, Needs>, StepOutput, Needs> &
      Uncertain<Context<Input, Outputs, Needs>, StepOutput>,
  ): FlowBuilder<Input, Output, Outputs & Record<Name, StepOutput | undefined>>;

  /** The flow's answer, from all outputs. */
  returns(
    answer: (
      outputs: { input: Input } & { [Name in keyof Outputs]: Outputs[Name] },
      info: RunInfo,
    ) => Output,
  ): Flow<Input, Output>;
}

const DEFAULT_STEP_TIMEOUT_MS = 30_000;

export interface FlowSchemas<Input, Output> {
  /** Any text; raise it when a step's code changes its meaning. */
  version: string;
  input: Schema<Input>;
  output: Schema<Output>;
}

/** Starts the definition of a flow. */
export function flow<Input, Output>(
  name: string,
  schemas: FlowSchemas<Input, Output>,
): FlowBuilder<Input, Output, object> {
  return builder(name, schemas, []);
}

function builder<Input, Output>(
  name: string,
  schemas: FlowSchemas<Input, Output>,
  steps: readonly Step[],
): FlowBuilder<Input, Output, object> {
  const build = {
    step: (stepName: string, definition: object) =>
      builder(name, schemas, [...steps, stepNode(name, stepName, definition as Definition, steps)]),
    returns: (returns: (outputs: object, info: RunInfo) => unknown): Flow<Input, Output> => ({
      name,
      ...schemas,
      hash: flowHash(name, schemas, steps),
      steps,
      returns,
    }),
  };
  // The types above are for the author; at run time a builder is a list of nodes.
  return build as unknown as FlowBuilder<Input, Output, object>;
}

type Definition = Partial<Omit<Step, "action">> & {
  run?: (context: object, tools: StepTools) => unknown;
  tool?: string;
  args?: Extract<Step["action"], { kind: "tool" }>["args"];
  model?: string;
  prompt?: Extract<Step["action"], { kind: "model" }>["prompt"];
};

function stepNode(
  flowName: string,
  name: string,
  step: Definition,
  earlier: readonly Step[],
): Step {
  const known = new Set(earlier.map((other) => other.name));
  if (known.has(name) || name === "input") {
    throw invalid(flowName, `step "${name}" is defined twice, or named "input"`);
  }
  const unknown = (step.needs ?? []).find((need) => !known.has(need));
  if (unknown !== undefined) {
    throw invalid(flowName, `step "${name}" needs "${unknown}", which no earlier step is called`);
  }
  return {
    name,
    needs: step.needs ?? [],
    action: actionOf(flowName, name, step),
    output: step.output,
    when: step.when,
    retries: step.retries ?? 0,
    jitter: step.jitter ?? "full",
    timeoutMs: step.timeoutMs ?? DEFAULT_STEP_TIMEOUT_MS,
    onError: step.onError ?? "halt",
    legacy: step.legacy,
    undo: step.undo,
  };
}

function actionOf(flowName: string, name: string, step: Definition): Step["action"] {
  const { run, tool, args, model, prompt } = step;
  const kinds = [run, tool, model].filter((kind) => kind !== undefined);
  if (kinds.length === 1) {
    if (run) return { kind: "run", run };
    if (tool !== undefined && args) return { kind: "tool", tool, args };
    if (model !== undefined && prompt) {
      if (step.output && !jsonSchemaOf(step.output)) throw invalid(flowName, untold(name));
      return { kind: "model", model, prompt };
    }
  }
  throw invalid(
    flowName,
    `step "${name}" must have one of "run", "tool" with "args", and "model" with "prompt"`,
  );
}

/** Without it the model would be asked for text, and no text fits. */
function untold(step: string): string {
  return `the output of step "${step}" has no JSON Schema to ask a model for; use zod, or a schema with \`~standard.jsonSchema\``;
}

function invalid(flowName: string, problem: string): TwintrackError {
  return new TwintrackError("FLOW_INVALID", `Flow "${flowName}": ${problem}`);
}

function flowHash(
  name: string,
  schemas: FlowSchemas<unknown, unknown>,
  steps: readonly Step[],
): string {
  const shape = {
    name,
    version: schemas.version,
    input: jsonSchemaOf(schemas.input) ?? {},
    output: jsonSchemaOf(schemas.output) ?? {},
    steps: steps.map(stepShape),
  };
  return digest(canonicalText(shape)).slice(0, 32);
}

function stepShape(step: Step): JsonValue {
  return {
    name: step.name,
    needs: [...step.needs],
    kind: step.action.kind,
    tool: step.action.kind === "tool" ? step.action.tool : null,
    model: step.action.kind === "model" ? step.action.model : null,
    output: step.output ? (jsonSchemaOf(step.output) ?? {}) : null,
    conditional: step.when !== undefined,
    retries: step.retries,
    timeoutMs: step.timeoutMs,
    onError: typeof step.onError === "string" ? step.onError : "compensate",
  };
}
