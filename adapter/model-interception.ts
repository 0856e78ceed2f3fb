/**
 * Where LangChain itself calls models.
 *
 * Every model class has its own `_generate` and `_streamResponseChunks`, which the base class calls
 * from `generate` and `_streamIterator`. The base is patched; when a model comes by, the methods of
 * its own classes are replaced once, in place: models keep private fields, which a copy of the
 * object could not reach. Outside of a run the replaced methods do nothing of their own.
 */
import { currentContext, type RunContext, runWithin } from "./context.ts";
import { permitEgress } from "./egress.ts";
import type { CoreExports } from "./installed.ts";
import { type Method, replace, replaceInherited } from "./patch.ts";

/** What every LangChain model has, of what is needed here. */
export interface ModelObject {
  model?: unknown;
  modelName?: unknown;
  invocationParams?(options: object): object;
}

/** A model call inside a chain run. */
export interface SeenModelCall {
  /** `text`: an older model that takes prompts and gives text. */
  kind: "chat" | "text";
  model: ModelObject;
  /** Messages, or prompts. */
  input: unknown;
  options: object;
  /** The copy of core that the model descends from. */
  core: CoreExports;
  onToken: ((text: string) => unknown) | undefined;
}

export interface ModelInterceptor {
  generate(call: SeenModelCall, proceed: () => Promise<unknown>): Promise<unknown>;
  stream(call: SeenModelCall, proceed: () => AsyncIterable<unknown>): AsyncIterable<unknown>;
}

/** Patches one copy of core. */
export function patchModels(core: CoreExports): void {
  for (const [name, kind] of [
    ["BaseChatModel", "chat"],
    ["BaseLLM", "text"],
  ] as const) {
    const base = core[name];
    if (typeof base !== "function") continue;
    const prototype = base.prototype as object;
    for (const entry of ["generate", "_streamIterator"]) {
      replace<ModelMethod>(
        prototype,
        entry,
        (original) =>
          function patched(...args) {
            if (isRun(currentContext())) patchClasses(this, prototype, kind, core);
            return original.apply(this, args);
          },
      );
    }
  }
}

type ModelMethod = (this: ModelObject, ...args: unknown[]) => unknown;

function isRun(context: ReturnType<typeof currentContext>): context is RunContext {
  return context?.kind === "run";
}

function patchClasses(
  model: ModelObject,
  base: object,
  kind: SeenModelCall["kind"],
  core: CoreExports,
): void {
  const seen = (model_: ModelObject, [input, options, runManager]: unknown[]): SeenModelCall => ({
    kind,
    model: model_,
    input,
    options: (options ?? {}) as object,
    core,
    onToken: tokenHandler(runManager),
  });
  replaceInherited<ModelMethod>(model, "_generate", base, (original) =>
    observedGenerate(original, seen),
  );
  replaceInherited<ModelMethod>(model, "_streamResponseChunks", base, (original) =>
    observedStream(original, seen),
  );
}

type Seen = (model: ModelObject, args: unknown[]) => SeenModelCall;

function observedGenerate(original: ModelMethod, seen: Seen): ModelMethod {
  return async function _generate(...args) {
    const context = outermost();
    if (!context) return original.apply(this, args);
    return runWithin({ ...context, insideModel: true }, () =>
      context.interceptor.model.generate(
        seen(this, args),
        async () => permitEgress(() => original.apply(this, args)) as Promise<unknown>,
      ),
    );
  };
}

function observedStream(original: ModelMethod, seen: Seen): ModelMethod {
  return function _streamResponseChunks(...args) {
    const context = outermost();
    const proceed = () => original.apply(this, args) as AsyncIterable<unknown>;
    if (!context) return proceed();
    const inside = { ...context, insideModel: true };
    return context.interceptor.model.stream(seen(this, args), () => stepped(inside, proceed));
  };
}

function outermost(): RunContext | undefined {
  const context = currentContext();
  return isRun(context) && !context.insideModel ? context : undefined;
}

/** A generator runs in the context of whoever asks for its next item: here always in this one. */
async function* stepped(
  context: RunContext,
  open: () => AsyncIterable<unknown>,
): AsyncGenerator<unknown, void, void> {
  const reaching = <T>(work: () => T) => runWithin(context, () => permitEgress(work));
  const items = reaching(() => open()[Symbol.asyncIterator]());
  try {
    for (;;) {
      const step = await reaching(() => items.next());
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await reaching(async () => items.return?.());
  }
}

function tokenHandler(runManager: unknown): SeenModelCall["onToken"] {
  const manager = runManager as { handleLLMNewToken?: Method } | undefined;
  const handle = manager?.handleLLMNewToken as ((text: string) => unknown) | undefined;
  return handle && ((text) => handle.call(manager, text));
}
