/** The published schema and the tool's own parser, asked about the same arguments. */
import { tool } from "@langchain/core/tools";
import fc from "fast-check";
import { expect } from "vitest";
import { validateArgs } from "../../adapter/contract.ts";
import { toolServer } from "../../adapter/in-process.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { textOf } from "../../core/tool.ts";
import { argumentCases, type Case, type Zod } from "./zod-cases.ts";

export interface Judged {
  exact: boolean;
  args: JsonValue;
  published: JsonObject;
  violations: unknown[];
  refusal: string | undefined;
}

/** What the contract and the tool each say of some arguments. */
async function judge({ schema, exact }: Case, args: JsonValue): Promise<Judged> {
  const fields = { name: "judged", description: "", schema: schema as never };
  const server = toolServer(tool(async () => "taken", fields));
  const [contract] = await server.listTools();
  if (!contract) throw new Error(JSON.stringify(await server.unsupported()));
  const result = await server.callTool("judged", args);
  return {
    exact,
    args,
    published: contract.inputSchema,
    violations: validateArgs(contract, args),
    refusal: result.isError ? textOf(result) : undefined,
  };
}

/** Cases with arguments that nearly fit. Shrinking would build schemas for minutes, so there is none. */
export async function judgeSamples(z: Zod, runs: number): Promise<Judged[]> {
  const cases = argumentCases(z).chain((one) => fc.tuple(fc.constant(one), one.value));
  const judged: Judged[] = [];
  for (const [one, args] of fc.sample(cases, runs)) judged.push(await judge(one, args));
  return judged;
}

export function expectNothingPublishedIsRefused(samples: readonly Judged[]): void {
  const accepted = samples.filter(({ violations }) => violations.length === 0);
  for (const { args, refusal, published } of accepted)
    expect({ args, refusal, published }).toEqual({ args, refusal: undefined, published });
  expect(accepted.length).toBeGreaterThan(samples.length / 5);
}

export function expectNothingTakenIsViolated(samples: readonly Judged[]): void {
  const exact = samples.filter((sample) => sample.exact);
  const accepted = exact.filter(({ refusal }) => refusal === undefined);
  for (const { args, violations, published } of accepted)
    expect({ args, violations, published }).toEqual({ args, violations: [], published });
  expect(accepted.length).toBeGreaterThan(samples.length / 10);
  expect(exact.length - accepted.length).toBeGreaterThan(samples.length / 20);
}
