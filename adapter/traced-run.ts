/** One trigger that a tracer watches, from its start to what is told of it. */
import type { JsonValue } from "../core/json.ts";
import type { ModelRequest, ModelResponse } from "../core/model.ts";
import type { Outcome, SerializedError } from "../core/outcome.ts";
import type { TappedCall, TappedRun } from "../core/tap.ts";

type ToolEntry = Omit<TappedCall, "outcome"> & { outcome?: Outcome };
type ModelEntry = Omit<TappedRun["modelCalls"][number], "outcome"> & { outcome?: Outcome };

export class TracedRun {
  /** The runs of LangChain that belong to it. */
  readonly members = new Set<string>();
  readonly #triggerId: string;
  readonly #input: JsonValue;
  readonly #receivedAt = new Date().toISOString();
  readonly #startedAt = performance.now();
  readonly #tools = new Map<string, ToolEntry>();
  readonly #models = new Map<string, ModelEntry>();
  #outcome: Outcome | undefined;
  #lossy = false;
  #durationMs = 0;

  constructor(triggerId: string, input: JsonValue) {
    this.#triggerId = triggerId;
    this.#input = input;
  }

  beginTool(id: string, tool: string, args: JsonValue): void {
    this.#tools.set(id, { tool, args, startedAtMs: this.#elapsedMs(), durationMs: 0 });
  }

  /** What is known better now. */
  toolIs(id: string, tool: string, args?: JsonValue): void {
    const entry = this.#tools.get(id);
    if (entry) Object.assign(entry, { tool }, args === undefined ? {} : { args });
  }

  /** The first end counts. */
  endTool(id: string, outcome: Outcome, marks: Pick<TappedCall, "lossy" | "partial"> = {}): void {
    const entry = this.#tools.get(id);
    if (!entry || entry.outcome) return;
    Object.assign(entry, marks);
    this.#end(entry, outcome);
  }

  beginModel(id: string, request: ModelRequest, insideTool: string | undefined): void {
    const inside = insideTool === undefined ? {} : { insideTool };
    this.#models.set(id, { request, ...inside, startedAtMs: this.#elapsedMs(), durationMs: 0 });
  }

  endModel(id: string, response: ModelResponse): void {
    const entry = this.#models.get(id);
    if (entry) this.#end(entry, { status: "returned", value: response as unknown as JsonValue });
  }

  failModel(id: string, error: SerializedError): void {
    const entry = this.#models.get(id);
    if (entry) this.#end(entry, { status: "threw", error });
  }

  end(outcome: Outcome, lossy: boolean): void {
    this.#outcome = outcome;
    this.#lossy = lossy;
    this.#durationMs = this.#elapsedMs();
  }

  /** A call that has not ended with its run is `timed_out`. */
  told(): Omit<TappedRun, "seq"> {
    const nowMs = this.#elapsedMs();
    const ended = <T extends ToolEntry | ModelEntry>(entry: T): T & { outcome: Outcome } => ({
      ...entry,
      outcome: entry.outcome ?? { status: "timed_out", afterMs: nowMs - entry.startedAtMs },
    });
    return {
      triggerId: this.#triggerId,
      receivedAt: this.#receivedAt,
      input: this.#input,
      outcome: this.#outcome ?? { status: "timed_out", afterMs: nowMs },
      ...(this.#lossy ? { lossy: true } : {}),
      calls: [...this.#tools.values()].map(ended),
      modelCalls: [...this.#models.values()].map(ended),
      durationMs: this.#durationMs,
    };
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  #end(entry: ToolEntry | ModelEntry, outcome: Outcome): void {
    entry.outcome = outcome;
    entry.durationMs = this.#elapsedMs() - entry.startedAtMs;
  }
}
