/** The triage chain in a Python process, live and from a recording. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { ChainRun, ChainTools, LegacyChain } from "../../adapter/chain.ts";
import type { PythonOptions } from "../../adapter/python.ts";
import { pythonChain } from "../../adapter/python-chain.ts";
import type { Effect } from "../../core/effect.ts";
import type { JsonValue } from "../../core/json.ts";
import type { ToolCall } from "../../core/ledger.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const interpreter = join(root, ".venv/bin/python");
const triage = join(root, "fixtures/triage");

export const effects: Record<string, Effect> = {
  find_customer: "read",
  search_articles: "read",
  response_hours: "read",
};
export const live: ChainTools = { mode: "live" };
export interface Opened {
  chain: LegacyChain;
  /** What was written since. */
  writes: () => string[];
}

export function start(options: Partial<PythonOptions> = {}): Opened {
  const sink = join(mkdtempSync(join(tmpdir(), "twintrack-")), "effects.ndjson");
  const target = "triage_app.chain:chain";
  const env = { TWINTRACK_SINK: sink };
  const chain = pythonChain({ target, interpreter, cwd: triage, env, ...options });
  const writes = () => (existsSync(sink) ? readFileSync(sink, "utf8").trim().split("\n") : []);
  return { chain, writes };
}

export function recorded(
  recording: readonly ToolCall[],
  reads: "recorded" | "live" = "recorded",
): ChainTools {
  return { mode: "recorded", recording: structuredClone(recording), reads };
}

/** The outcome without the random reference. */
export function stable({ outcome }: ChainRun): JsonValue {
  return JSON.parse(JSON.stringify(outcome, (key, value) => (key === "reference" ? "…" : value)));
}

/** What a run of every so many of the fixture's triggers gives, its recording gives again. */
export async function expectTriggersReplay(
  chain: LegacyChain,
  every: number,
  returned: number,
): Promise<void> {
  const lines = readFileSync(join(triage, "triggers.ndjson"), "utf8").trim().split("\n");
  const inputs = lines
    .filter((_, index) => index % every === 0)
    .map((line) => (JSON.parse(line) as { input: JsonValue }).input);

  const firsts = await Promise.all(
    inputs.map((input) => chain.invoke(input, { tools: live, effects })),
  );
  const seconds = await Promise.all(
    inputs.map((input, index) =>
      chain.invoke(input, { tools: recorded(firsts[index]?.calls ?? []), effects }),
    ),
  );

  expect(seconds.map(stable)).toEqual(firsts.map(stable));
  expect(firsts.filter(({ outcome }) => outcome.status === "returned")).toHaveLength(returned);
}
