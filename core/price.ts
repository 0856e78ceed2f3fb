/** What model calls cost, by a price list. */
import { isJsonObject } from "./json.ts";
import type { ModelCall, ModelUsage } from "./model.ts";

/** US dollars for a million tokens. */
export interface Price {
  inputPerMillionUsd: number;
  outputPerMillionUsd: number;
}

/** By the provider's name of the model; a name that ends in a date or version has its family's price. */
export type PriceList = Readonly<Record<string, Price>>;

export interface Cost {
  inputTokens: number;
  outputTokens: number;
  /** Null when a call did not tell its tokens, or its model has no price. */
  usd: number | null;
}

/**
 * What a run's questions cost, whoever answered them: a shared answer costs both sides what it would
 * cost them alone. Questions of a tool's own code belong to the tool, which both sides call.
 */
export function costOf(calls: readonly ModelCall[], prices: PriceList): Cost {
  const total: Cost = { inputTokens: 0, outputTokens: 0, usd: 0 };
  for (const call of calls) {
    if (call.insideTool === undefined) add(total, call, prices);
  }
  return total;
}

/** What was paid beside the answer: questions that no record answered. */
export function spentUsd(calls: readonly ModelCall[], prices: PriceList): number {
  return (
    costOf(
      calls.filter(({ served }) => served === "live"),
      prices,
    ).usd ?? 0
  );
}

function add(total: Cost, call: ModelCall, prices: PriceList): void {
  const usage = usageOf(call);
  if (usage) {
    total.inputTokens += usage.inputTokens;
    total.outputTokens += usage.outputTokens;
  }
  const price = priceOf(call.request.model, prices);
  if (!usage || !price || total.usd === null) total.usd = null;
  else {
    const { inputPerMillionUsd, outputPerMillionUsd } = price;
    const microUsd =
      usage.inputTokens * inputPerMillionUsd + usage.outputTokens * outputPerMillionUsd;
    total.usd += microUsd / 1_000_000;
  }
}

/** A call that failed, or was refused, was not answered and costs nothing. */
const NOTHING: ModelUsage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };

function usageOf({ outcome }: ModelCall): ModelUsage | undefined {
  if (outcome.status !== "returned") return NOTHING;
  const usage = isJsonObject(outcome.value) ? outcome.value.usage : undefined;
  return isJsonObject(usage) ? (usage as unknown as ModelUsage) : undefined;
}

function priceOf(model: string, prices: PriceList): Price | undefined {
  if (Object.hasOwn(prices, model)) return prices[model];
  const families = Object.keys(prices).filter((name) => model.startsWith(`${name}-`));
  const nearest = families.sort((a, b) => b.length - a.length)[0];
  return nearest === undefined ? undefined : prices[nearest];
}
