/** `twintrack tools call`: one call of one tool, and what its contract says of it. */
import type { CatalogEntry } from "../../adapter/catalog.ts";
import { contractFrom, validateArgs, validateResult } from "../../adapter/contract.ts";
import type { JsonValue } from "../../core/json.ts";
import { resultValue, type ToolCallOptions, type ToolResult } from "../../core/tool.ts";
import { learnedOutput } from "./contract-locks.ts";
import { EXIT } from "./reply.ts";
import type { Opened, ToolOptions } from "./tool-commands.ts";

/** Folder of the lock files. */
export const CONTRACTS = "contracts";

export interface CallOptions extends ToolOptions {
  input: string;
  runConfig?: string;
  timeout: string;
}

export async function call(
  source: Opened,
  name: string,
  args: JsonValue,
  options: ToolCallOptions,
) {
  const entries = await source.catalog.entries();
  const entry = entries.find(
    (one) => source.nameOf(one) === name || one.contract.originalName === name,
  );
  const startedMs = performance.now();
  const result = await source.catalog.callTool(entry?.qualified ?? name, args, options);
  const durationMs = performance.now() - startedMs;
  const violations = entry ? violationsOf(entry, args, result) : [];
  const contract = violations.length === 0 ? "ok" : violations;
  const isError = result.isError === true;
  const data = { result, isError, contract, durationMs } as unknown as JsonValue;
  const warnings = entry && !isError ? surprises(source.nameOf(entry), entry, result) : [];
  const text = [
    ...result.content.map((block) =>
      block.type === "text" ? String(block.text) : JSON.stringify(block),
    ),
    `— ${isError ? "failed" : "ok"}, contract ${violations.length === 0 ? "ok" : violations.join("; ")}, ${durationMs.toFixed(1)} ms`,
  ].join("\n");
  return {
    reply: { command: "tools-call", exitCode: isError ? EXIT.unexpected : EXIT.ok, data, warnings },
    text,
  };
}

function violationsOf(entry: CatalogEntry, args: JsonValue, result: ToolResult): string[] {
  const input = validateArgs(entry.contract, args).map((violation) => `input ${violation}`);
  if (result.isError || !entry.contract.outputSchema) return input;
  const output = validateResult(entry.contract, resultValue(result));
  return [...input, ...output.map((violation) => `output ${violation}`)];
}

/** Where a result differs from what the tool has returned so far; a guess, so it only warns. */
function surprises(name: string, { contract }: CatalogEntry, result: ToolResult): string[] {
  const learned = contract.outputSchema ? undefined : learnedOutput(name, CONTRACTS);
  if (!learned) return [];
  const guessed = contractFrom({ ...contract, outputSchema: learned });
  const found = validateResult(guessed, resultValue(result));
  return found.map((violation) => `unlike all recorded results: ${violation}`);
}
