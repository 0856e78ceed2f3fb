/** The published schema and the tool's own parser say the same of any arguments. */
import { tool } from "@langchain/core/tools";
import fc from "fast-check";
import { expect, test } from "vitest";
import { validateArgs } from "../../adapter/contract.ts";
import { toolServer } from "../../adapter/in-process.ts";
import type { JsonValue } from "../../core/json.ts";
import { textOf } from "../../core/tool.ts";
import { argumentCases, type Case, ZODS } from "./zod-cases.ts";

const numRuns = 1_000;

/** What the contract and the tool each say of some arguments. */
async function judge({ schema }: Case, args: JsonValue) {
  const fields = { name: "judged", description: "", schema: schema as never };
  const server = toolServer(tool(async () => "taken", fields));
  const [contract] = await server.listTools();
  if (!contract) throw new Error(JSON.stringify(await server.unsupported()));
  const result = await server.callTool("judged", args);
  return {
    published: contract.inputSchema,
    violations: validateArgs(contract, args),
    refusal: result.isError ? textOf(result) : undefined,
  };
}

/** Cases with arguments that nearly fit. Shrinking would build schemas for minutes, so there is none. */
function samples(z: (typeof ZODS)[number][1]): [Case, JsonValue][] {
  const cases = argumentCases(z).chain((one) => fc.tuple(fc.constant(one), one.value));
  return fc.sample(cases, numRuns);
}

test.each(ZODS)(
  "%s: arguments that the published schema accepts are accepted by the tool",
  async (_, z) => {
    let accepted = 0;
    for (const [one, args] of samples(z)) {
      const { violations, refusal, published } = await judge(one, args);
      if (violations.length > 0) continue;
      accepted += 1;
      expect({ args, refusal, published }).toEqual({ args, refusal: undefined, published });
    }
    expect(accepted).toBeGreaterThan(numRuns / 5);
  },
);

test.each(ZODS)(
  "%s: arguments that the tool accepts are accepted by the published schema",
  async (_, z) => {
    let [accepted, refused] = [0, 0];
    for (const [one, args] of samples(z).filter(([{ exact }]) => exact)) {
      const { violations, refusal, published } = await judge(one, args);
      if (refusal !== undefined) {
        refused += 1;
        continue;
      }
      accepted += 1;
      expect({ args, violations, published }).toEqual({ args, violations: [], published });
    }
    expect(accepted).toBeGreaterThan(numRuns / 10);
    expect(refused).toBeGreaterThan(numRuns / 20);
  },
);
