/** The runs of a shadow: the side that did not answer, and legacy a second time. */
import type { Catalog } from "../adapter/catalog.ts";
import type { AnswerRead, ChainRun } from "../adapter/chain.ts";
import { withAttempts } from "../adapter/egress.ts";
import type { Contract } from "../adapter/tool-server.ts";
import { knownAs, type NamedCall } from "../core/counterpart.ts";
import type { RunEvent } from "../core/history.ts";
import type { FreeArguments, ToolCall } from "../core/ledger.ts";
import type { MemoryRead } from "../core/memory.ts";
import { type ModelCall, sharingOf } from "../core/model.ts";
import { runFlow } from "../core/run.ts";
import type { Sent, Side } from "../core/trigger.ts";
import { freeArguments } from "./compare/arguments.ts";
import { DEFAULT_SHADOW_TIMEOUT_MS } from "./flow-config.ts";
import { isolatedTools, type ReadTool, readsFrom, readsOf } from "./isolation.ts";
import type { Bar, ComparedRun } from "./judgement.ts";
import { dailyBudget, isolatedModels } from "./model/isolation.ts";
import { notKept, oversize } from "./oversize.ts";
import { type Sides, toolsMeantBy } from "./side.ts";
import { type Past, pastAt } from "./snapshot.ts";
import type { OpenTrial } from "./store/trials.ts";

/** One side's run, as it is compared and stored. */
export interface SideRun
  extends ComparedRun,
    Partial<Pick<ChainRun, "modelCalls" | "models" | "memory">> {
  /** Of a typed flow. */
  history?: RunEvent[];
  durationMs: number;
}

/** What is needed to judge the trials of one flow. */
export interface Bench extends Bar {
  sides: Sides;
  catalog: Catalog;
  contracts: ReadonlyMap<string, Contract>;
}

/** A call of legacy's under the catalogue's name, with arguments in the catalogue's canonical form. */
function inCatalogue({ catalog, config }: Listed, call: NamedCall): NamedCall {
  const tool = catalog.qualify(call.tool, toolsMeantBy(config));
  return { tool, args: catalog.canonicalArgs(tool, call.args) };
}

type Listed = Pick<Bench, "catalog" | "config">;

/** Calls of a legacy chain under the catalogue's names, with arguments in the catalogue's canonical form. */
export function named(bench: Listed, calls: readonly ToolCall[]): ToolCall[] {
  return calls.map((call) => {
    const known = inCatalogue(bench, call);
    return { ...call, ...known, effect: bench.catalog.effectOf(known.tool) };
  });
}

/** Calls of a candidate; where they take the place of legacy's, those are named as legacy's are. */
export function placed(bench: Listed, calls: readonly ToolCall[]): ToolCall[] {
  return calls.map((call) => (call.as ? { ...call, as: inCatalogue(bench, call.as) } : call));
}

export async function runOther(
  bench: Bench,
  other: Side,
  trial: OpenTrial,
  sent: Sent,
  answered: SideRun,
): Promise<SideRun & { flowHash?: string }> {
  return other === "legacy"
    ? runLegacy(bench, trial, sent, answered)
    : runCandidate(bench, trial, sent, answered);
}

async function runCandidate(
  bench: Bench,
  trial: OpenTrial,
  { input, config }: Sent,
  { calls, modelCalls = [] }: SideRun,
): Promise<SideRun & { flowHash: string }> {
  const { shadow = {} } = bench.config;
  const flow = await bench.sides.candidate(bench.flow);
  const limitMs = shadow.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS;
  const signal = AbortSignal.timeout(limitMs);
  const past = pastOf(bench, trial);
  const tools = isolatedTools(bench.catalog, calls, {
    unrecorded: unrecordedReads(bench, past),
    rules: bench.rules,
    inCatalogue: (call) => inCatalogue(bench, call),
  });
  const models = isolatedModels(bench.sides.models, modelCalls, {
    unrecorded: shadow.models ?? "live",
    spend: () => spend(bench, 1),
  });
  const run = await withAttempts((): Promise<SideRun> => {
    const running = runFlow(flow, input, {
      tools,
      models,
      runId: `${trial.id}/candidate`,
      triggerId: trial.triggerId,
      ...(config && { config }),
      signal,
    });
    return Promise.race([running, timedOut(signal, limitMs)]);
  });
  const sharing = sharingOf(run.modelCalls ?? []);
  const lossy = tools.unservable();
  const reason = lossy === undefined ? past?.failed() : `recording_lossy: ${lossy}`;
  return {
    ...bounded({ ...run, calls: placed(bench, run.calls) }),
    ...(sharing && { models: sharing }),
    ...(reason !== undefined && { incomparable: { what: "run", reason } }),
    durationMs: run.durationMs + tools.servedMs() + models.servedMs(),
    flowHash: flow.hash,
  };
}

/** The world at the time of the trigger, where the flow's configuration has a snapshot of it. */
function pastOf({ config }: Bench, { receivedAt }: OpenTrial): Past | undefined {
  const reads = config.shadow?.reads;
  return typeof reads === "object" ? pastAt(reads.snapshot, new Date(receivedAt)) : undefined;
}

function unrecordedReads({ config, catalog }: Bench, past?: Past): ReadTool | undefined {
  if (past) return readsFrom(past, catalog);
  return config.shadow?.reads === "live" ? readsOf(catalog) : undefined;
}

/** An answer that is too large to be compared is given up at once: even to mask it would take too long. */
function bounded(run: SideRun): SideRun {
  const { outcome, history: _history, ...rest } = run;
  const size = outcome.status === "returned" ? oversize(outcome.value) : undefined;
  if (size === undefined) return run;
  return {
    ...rest,
    outcome: { status: "returned", value: notKept(size) },
    incomparable: { what: "answer", reason: `oversize: ${size} characters` },
  };
}

const DEFAULT_MODEL_CALLS = 1_000;
const budget = dailyBudget();

function spend({ flow, config }: Bench, questions: number): boolean {
  return budget(flow, config.shadow?.modelCallsPerDay ?? DEFAULT_MODEL_CALLS, questions);
}

/**
 * Legacy a second time. It will ask its models about as often as the first time, which the day's
 * budget has to hold beforehand; without that noise is not measured on this trial, and neither when
 * the run cannot have the memory of the first.
 */
export async function runNoise(
  bench: Bench,
  trial: OpenTrial,
  sent: Sent,
  answered: SideRun,
): Promise<SideRun | undefined> {
  const shares = bench.config.noise?.models === "shared";
  const expected = shares ? 0 : (answered.modelCalls?.length ?? 0);
  if (!spend(bench, expected)) return undefined;
  const models = shares ? answered.modelCalls : undefined;
  const run = await runLegacy(bench, trial, sent, answered, models);
  const asked = (run.modelCalls ?? []).filter(({ served }) => served === "live").length;
  for (let more = asked - expected; more > 0; more--) spend(bench, 1);
  return run.incomparable === undefined ? run : undefined;
}

/** A flow that ignores its signal is left behind; this process is replaced when it does not end. */
function timedOut(signal: AbortSignal, limitMs: number): Promise<SideRun> {
  const { promise, resolve } = Promise.withResolvers<SideRun>();
  const run: SideRun = {
    outcome: { status: "timed_out", afterMs: limitMs },
    calls: [],
    durationMs: limitMs,
  };
  // After the flow's own reaction to the signal, whose outcome would say more.
  signal.addEventListener("abort", () => setTimeout(resolve, 50, run), { once: true });
  return promise;
}

async function runLegacy(
  bench: Bench,
  trial: OpenTrial,
  { input, config }: Sent,
  { calls, modelCalls = [], memory = [] }: SideRun,
  /** Answers to share; without them the run asks as `shadow.models` says. */
  shared?: readonly ModelCall[],
): Promise<SideRun> {
  const { shadow = {} } = bench.config;
  const models = shadow.models ?? "live";
  const legacy = await bench.sides.legacy(bench.flow);
  const past = pastOf(bench, trial);
  const run: ChainRun = await withAttempts(() =>
    legacy.invoke(input, {
      tools: {
        mode: "recorded",
        recording: calls.map((call) => {
          const { tool, args } = knownAs(call);
          return { ...call, tool: bench.catalog.originalName(tool), args };
        }),
        free: freeUnder(bench),
        reads: past ? readsUnder(bench, past) : shadow.reads === "live" ? "live" : "recorded",
        // A shared answer hides what the model does by chance, which is noise to be measured, too.
        modelRecording: shared ?? (models === "recorded" ? modelCalls : []),
        models,
        memory,
      },
      ...(config && { config }),
      effects: bench.catalog.effectsByOriginalName(),
      timeoutMs: shadow.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS,
    }),
  );
  const reason = lostMemory(run.memory) ?? past?.failed();
  const found = bounded({ ...run, calls: named(bench, run.calls) });
  return reason === undefined ? found : { ...found, incomparable: { what: "run", reason } };
}

/** What rules let writes have otherwise, for tools by their authors' names. */
function freeUnder({ catalog, rules }: Bench): FreeArguments {
  const free = Object.entries(freeArguments(rules));
  return Object.fromEntries(free.map(([tool, paths]) => [catalog.originalName(tool), paths]));
}

/** The same snapshot, for tools by their authors' names. */
function readsUnder(bench: Bench, past: Past): AnswerRead {
  return (original, given) => {
    const { tool, args } = inCatalogue(bench, { tool: original, args: given });
    return past.read(tool, args);
  };
}

/** A chain that could not read its memory is another chain, whatever it made of that. */
function lostMemory(refused: readonly MemoryRead[] = []): string | undefined {
  const [first] = refused;
  return first && `${first.lossy ? "recording_lossy: memory" : "memory_unrecorded"}: ${first.kind}`;
}
